"""Tool actions applied to the session: one action, one new state, and the orders to execute.

Actions come from the application and are applied in order, all of them in the step in which the
reply arrived. Some need a permission of the document (`swaig_allow_swml`, `swaig_allow_settings`,
`swaig_set_global_data`); an action without it is left out and entered into the trail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from mediacore.assistant.actions import ACTIONS, AiAction, Switch, Toggle
from mediacore.assistant.functions import PROTECTED, UNLIMITED, Function
from mediacore.assistant.hidden import expand_visible
from mediacore.assistant.moves import go_context, go_step
from mediacore.assistant.notes import is_list
from mediacore.assistant.orders import (
    ChangeVoice,
    ClearConversation,
    HangUp,
    Hints,
    Hold,
    Order,
    Orders,
    PlayBackground,
    ReplaceHistory,
    RunDocument,
    Say,
    Stop,
    StopBackground,
    TransferTo,
    Tune,
    UserEvent,
    UserInput,
    WaitForUser,
)
from mediacore.assistant.session import AiSession, SystemOverride, noted
from mediacore.assistant.words import Hint

Applied = tuple[AiSession, Orders]
_PERMISSIONS: Mapping[str, str] = MappingProxyType(
    {
        "SWML": "swaig_allow_swml",
        "settings": "swaig_allow_settings",
        "set_global_data": "swaig_set_global_data",
        "unset_global_data": "swaig_set_global_data",
    }
)


def apply(session: AiSession, action: AiAction, caller: str = "") -> Applied:
    """Apply one action of the tool `caller`. Never raises for an action of `read_actions`.

    Without a caller the actions on meta_data and functions are refused: they are scoped to the
    caller's `meta_data_token`.
    """
    permission = _PERMISSIONS.get(action.name)
    if permission is not None and session.param(permission) is not True:
        return noted(session, "action_refused", action=action.name, why=permission), ()
    handler = _HANDLERS.get(action.name)
    if handler is None or ACTIONS[action.name].state == "ignored":
        return noted(session, "action_ignored", action=action.name[:64]), ()
    return handler(session, action, session.function(caller))


def apply_all(session: AiSession, actions: tuple[AiAction, ...], caller: str = "") -> Applied:
    """Apply actions in order."""
    orders: list[Order] = []
    for action in actions:
        session, new = apply(session, action, caller)
        orders.extend(new)
    return session, tuple(orders)


def _refused(session: AiSession, action: AiAction, why: str) -> Applied:
    return noted(session, "action_refused", action=action.name, why=why), ()


def _visible(session: AiSession, text: object, action: AiAction) -> tuple[AiSession, str]:
    """Text that will be spoken or shown to the model: without hidden data, which is noted."""
    expanded = expand_visible(str(text), session.visible)
    if expanded.refused:
        session = noted(session, "hidden_data_refused", action=action.name)
    return session, expanded.text


def _say(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    session, text = _visible(session, action.value, action)
    return session, ((Say(text),) if text.strip() else ())


def _user_input(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    session, text = _visible(session, action.value, action)
    return session, ((UserInput(text),) if text.strip() else ())


def _replace_in_history(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    if action.value is True:
        return session, (ReplaceHistory(None),)
    session, text = _visible(session, action.value, action)
    return session, (ReplaceHistory(text),)


def _document(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return session, (RunDocument(action.value, action.transfer),)


def _as_is(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    value = action.value
    if isinstance(value, Hold | PlayBackground | TransferTo | WaitForUser):
        return session, (value,)
    return _refused(session, action, "value")


def _plain(order: Order) -> Callable[[AiSession, AiAction, Function | None], Applied]:
    def give(session: AiSession, action: AiAction, _: Function | None) -> Applied:
        return session, (order,)

    return give


def _user_event(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return session, (UserEvent(_mapping(action.value)),)


def _change_step(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return go_step(session, str(action.value), "webhook_action")


def _change_context(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return go_context(session, str(action.value), "webhook_action")


def _context_switch(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    switch = action.value
    if not isinstance(switch, Switch):
        return _refused(session, action, "value")
    session, system = _visible(session, switch.system_prompt, action)
    session, user = _visible(session, switch.user_prompt, action)
    if system:
        session = replace(session, override=SystemOverride(system, full=True))
    session = noted(session, "reset", consolidate=switch.consolidate, full=switch.full_reset)
    return session, (ClearConversation(switch.consolidate, switch.full_reset, user),)


def _back_to_back(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    count = action.value if isinstance(action.value, int) else 0
    return replace(session, back_to_back=count), ()


def _change_voice(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return session, (ChangeVoice(str(action.value)),)


def _set_global(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return replace(session, global_data={**session.global_data, **_mapping(action.value)}), ()


def _unset_global(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return replace(session, global_data=_without(session.global_data, action.value)), ()


def _set_meta(session: AiSession, action: AiAction, caller: Function | None) -> Applied:
    if caller is None:
        return _refused(session, action, "no_caller")
    token = caller.meta_data_token
    values = {**session.meta_data.get(token, {}), **_mapping(action.value)}
    return replace(session, meta_data={**session.meta_data, token: values}), ()


def _unset_meta(session: AiSession, action: AiAction, caller: Function | None) -> Applied:
    if caller is None:
        return _refused(session, action, "no_caller")
    token = caller.meta_data_token
    values = _without(session.meta_data.get(token, {}), action.value)
    return replace(session, meta_data={**session.meta_data, token: values}), ()


def _toggle(session: AiSession, action: AiAction, caller: Function | None) -> Applied:
    toggles = action.value if is_list(action.value) else ()
    for toggle in toggles:
        if isinstance(toggle, Toggle):
            for name in toggle.names:
                session = _toggled(session, name, toggle.active, action, caller)
    return session, ()


def _toggled(
    session: AiSession, name: str, active: bool | int, action: AiAction, caller: Function | None
) -> AiSession:
    target = session.function(name)
    if target is None or name in PROTECTED:
        return _refused(session, action, "no_such_function")[0]
    if caller is None or caller.meta_data_token != target.meta_data_token:
        return _refused(session, action, "other_token")[0]
    limit = (UNLIMITED if active else 0) if isinstance(active, bool) else active
    return replace(
        session,
        toggles={**session.toggles, name: limit},
        used={**session.used, name: 0},
    )


def _on_timeout(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return _tuned(session, {"functions_on_no_response": action.value})


def _timeout(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return _tuned(session, {action.name: action.value})


def _settings(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return _tuned(session, _mapping(action.value))


def _tuned(session: AiSession, delta: Mapping[str, object]) -> Applied:
    return replace(session, settings={**session.settings, **delta}), (Tune(delta),)


def _add_hints(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    items = action.value if is_list(action.value) else ()
    new = tuple(item for item in items if isinstance(item, Hint))
    hints = tuple(dict.fromkeys((*session.hints, *new)))
    return replace(session, hints=hints), (Hints((*session.config.hints, *hints)),)


def _clear_hints(session: AiSession, action: AiAction, _: Function | None) -> Applied:
    return replace(session, hints=()), (Hints(session.config.hints),)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _without(values: Mapping[str, object], names: object) -> Mapping[str, object]:
    gone = set(names) if isinstance(names, tuple) else set()
    return {name: value for name, value in values.items() if name not in gone}


_HANDLERS: Mapping[str, Callable[[AiSession, AiAction, Function | None], Applied]] = (
    MappingProxyType(
        {
            "SWML": _document,
            "transfer": _as_is,
            "hangup": _plain(HangUp()),
            "stop": _plain(Stop()),
            "hold": _as_is,
            "say": _say,
            "playback_bg": _as_is,
            "stop_playback_bg": _plain(StopBackground()),
            "user_event": _user_event,
            "change_step": _change_step,
            "change_context": _change_context,
            "context_switch": _context_switch,
            "user_input": _user_input,
            "replace_in_history": _replace_in_history,
            "wait_for_user": _as_is,
            "back_to_back_functions": _back_to_back,
            "change_voice": _change_voice,
            "set_global_data": _set_global,
            "unset_global_data": _unset_global,
            "set_meta_data": _set_meta,
            "unset_meta_data": _unset_meta,
            "toggle_functions": _toggle,
            "functions_on_speaker_timeout": _on_timeout,
            "end_of_speech_timeout": _timeout,
            "speech_event_timeout": _timeout,
            "settings": _settings,
            "add_dynamic_hints": _add_hints,
            "clear_dynamic_hints": _clear_hints,
        }
    )
)
