from dataclasses import replace

from mediacore.call import CallSettings, Phase, Speak, StartReply, initial_state, opening
from mediacore.call.context import ContextEntry, Role
from mediacore.call.draft import Draft
from mediacore.call.record import UtteranceKind

HISTORY = tuple(
    ContextEntry(role, f"{role.value} {n}")
    for n in range(3)
    for role in (Role.USER, Role.ASSISTANT)
)


def draft(settings: CallSettings | None = None) -> Draft:
    state = initial_state(settings, HISTORY, generation=7, next_utterance=40)
    return Draft(replace(state, phase=Phase.LISTENING), now=1_000_000)


def asked(d: Draft) -> list[StartReply]:
    return [a for a in d.actions if isinstance(a, StartReply)]


def test_a_conversation_goes_on_with_the_legs_numbers():
    d = draft()
    assert opening.say_alone(d, "One.", UtteranceKind.SAY) == 40
    assert opening.say(d, "Two.", UtteranceKind.SAY) == 41
    assert [(a.utterance, a.generation) for a in d.actions if isinstance(a, Speak)] == [
        (40, 8),
        (41, 8),
    ]


def test_a_note_is_told_for_one_turn_and_not_kept():
    d = draft()
    opening.start_reply(d, UtteranceKind.REPLY, note="Be quick.")
    assert asked(d)[0].context == (*HISTORY, ContextEntry(Role.SYSTEM, "Be quick."))
    assert d.state.context == HISTORY


def test_the_model_is_shown_what_the_window_holds():
    d = draft(CallSettings(history_turns=2, max_response_tokens=50))
    opening.start_reply(d, UtteranceKind.REPLY)
    assert asked(d) == [StartReply(8, HISTORY[2:], 50)]


def test_an_interruption_is_told_of_in_the_next_turn():
    d = draft(CallSettings(interrupt_prompt="You were interrupted."))
    d.set(interrupted=True)
    opening.speculate(d)
    assert [e.text for e in asked(d)[0].context][-1] == "You were interrupted."
