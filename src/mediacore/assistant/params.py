"""Every parameter of `ai.params`: type, range, default, and whether it has an effect here.

Names, defaults and ranges are those of the published AI parameter list (SDK 3.7.5 and its
documentation). Times are milliseconds unless `unit` says otherwise. Own keys start with
`mediacore_` and are listed apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mediacore.assistant.notes import (
    Notes,
    ParamNote,
    is_list,
    join,
    read_bool,
    read_float,
    read_int,
    read_text,
)

Kind = Literal["bool", "int", "float", "text", "list", "any"]
HARD_STOP = re.compile(r"(?=.)(?:\d{1,4}h)?(?:\d{1,5}m)?(?:\d{1,6}s)?")
VAD = re.compile(r"\d{1,3}(?:\.\d{1,6})?(?::\d{1,3})?")


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One parameter.

    `choices`: the only texts allowed. `zero`: 0 is allowed although below `minimum`. `pattern`:
    what the whole text must match. `state` is "ignored" for parameters that are read and reported
    but change nothing.
    """

    name: str
    kind: Kind
    default: object = None
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    group: str = ""
    state: Literal["supported", "ignored"] = "supported"
    note: str = ""
    choices: tuple[str, ...] = ()
    zero: bool = False
    pattern: re.Pattern[str] | None = None


def _flag(name: str, default: bool, group: str, note: str, ignored: bool = False) -> ParamSpec:
    state: Literal["supported", "ignored"] = "ignored" if ignored else "supported"
    return ParamSpec(name, "bool", default, group=group, state=state, note=note)


def _ms(name: str, default: int, low: int, high: int, group: str, note: str) -> ParamSpec:
    return ParamSpec(name, "int", default, low, high, "ms", group, note=note)


def _text(name: str, default: str, group: str, note: str, ignored: bool = False) -> ParamSpec:
    state: Literal["supported", "ignored"] = "ignored" if ignored else "supported"
    return ParamSpec(name, "text", default, group=group, state=state, note=note)


NO_VIDEO = "calls here have no picture"
NO_THINKING = "no second model runs beside the conversation"
SLOT = "the model of the configured slot decides"
BOTH_KINDS = "true, false, or a list of names"

_BARGE = (
    ParamSpec(
        "enable_barge",
        "any",
        "complete,partial",
        group="barge",
        note="complete, partial, all, true or false: which transcripts may interrupt",
    ),
    ParamSpec("barge_min_words", "int", None, 1, 99, "words", "barge", note="fewer do not cut"),
    _text("barge_match_string", "", "barge", "expression that speech must match to interrupt"),
    _flag("barge_functions", True, "barge", "tools may run while the caller speaks"),
    _flag("transparent_barge", True, "barge", "talk-over is merged into the turn"),
    _ms("transparent_barge_max_time", 3000, 0, 60_000, "barge", "longest merge"),
    _flag("interrupt_on_noise", False, "barge", "any sound of over a second interrupts"),
    _text("interrupt_prompt", "", "barge", "instruction used after talk-over"),
    _flag("acknowledge_interruptions", False, "barge", "the agent says that it was interrupted"),
    _flag("static_greeting_no_barge", False, "barge", "the greeting cannot be interrupted"),
)
_TURN = (
    _ms("end_of_speech_timeout", 700, 250, 10_000, "turn", "silence that ends a turn"),
    _ms("speech_event_timeout", 1400, 0, 10_000, "turn", "wait for the recogniser's final"),
    _ms("first_word_timeout", 1000, 0, 10_000, "turn", "wait for a word after sound began"),
    _ms("speech_timeout", 60_000, 0, 600_000, "turn", "longest turn of the caller"),
    ParamSpec(
        "speech_gen_quick_stops",
        "int",
        3,
        0,
        10,
        "",
        "turn",
        "ignored",
        "the turn decision has its own rule for short stops",
    ),
    _flag("enable_turn_detection", True, "turn", "punctuation and the turn model end a turn early"),
    _ms("turn_detection_timeout", 250, 0, 10_000, "turn", "wait after such an end"),
    ParamSpec(
        "energy_level",
        "float",
        52.0,
        0,
        100,
        "dB",
        "turn",
        "ignored",
        "the audio core has its own detector",
    ),
    ParamSpec(
        "vad_config",
        "text",
        "",
        group="turn",
        state="ignored",
        note="the audio core has its own detector",
        pattern=VAD,
    ),
    _ms("digit_timeout", 3000, 0, 30_000, "turn", "wait for the next digit"),
    _text("digit_terminators", "", "turn", "digits that end an entry"),
)
_SILENCE = (
    ParamSpec(
        "attention_timeout",
        "int",
        5000,
        10_000,
        600_000,
        "ms",
        "silence",
        note="silence before the agent asks; 0 = never",
        zero=True,
    ),
    _text("attention_timeout_prompt", "", "silence", "instruction used then"),
    _ms("outbound_attention_timeout", 120_000, 10_000, 600_000, "silence", "the same, outbound"),
    _ms("inactivity_timeout", 600_000, 10_000, 3_600_000, "silence", "silence that ends the run"),
    ParamSpec(
        "hard_stop_time",
        "text",
        "",
        group="silence",
        note="longest run, like 1h45m30s",
        pattern=HARD_STOP,
    ),
    _text("hard_stop_prompt", "", "silence", "instruction used then"),
    _ms("initial_sleep_ms", 0, 0, 300_000, "silence", "pause before the first word"),
    _flag("wait_for_user", False, "silence", "the caller speaks first"),
)
_OUT = (
    _text("static_greeting", "", "speech out", "spoken word for word at the start"),
    ParamSpec("ai_volume", "int", 0, -50, 50, "", "speech out", note="gain of the voice"),
    ParamSpec(
        "max_emotion", "int", 30, 1, 30, "", "speech out", "ignored", "voices have no such scale"
    ),
    ParamSpec(
        "tts_number_format",
        "text",
        "international",
        group="speech out",
        note="how telephone numbers are spoken",
        choices=("international", "national"),
    ),
    ParamSpec(
        "eleven_labs_stability", "float", 0.5, 0, 1, "", "speech out", "ignored", "one engine only"
    ),
    ParamSpec(
        "eleven_labs_similarity",
        "float",
        0.75,
        0,
        1,
        "",
        "speech out",
        "ignored",
        "one engine only",
    ),
    _text("background_file", "", "speech out", "URL of audio played under the conversation"),
    ParamSpec(
        "background_file_loops", "int", None, 0, 1_000_000, "", "speech out", note="absent: endless"
    ),
    ParamSpec("background_file_volume", "int", 0, -50, 50, "", "speech out", note="its gain"),
    _text("hold_music", "", "speech out", "URL of audio played on hold"),
    _flag("hold_on_process", False, "speech out", "hold music while a tool runs"),
    _flag("audible_debug", False, "speech out", "tool names are never spoken", ignored=True),
    _flag("audible_latency", False, "speech out", "figures are never spoken", ignored=True),
)
_FILLERS = (
    _text("turn_filler_sources", "spell,number", "fillers", "the slot's own fillers", ignored=True),
    ParamSpec("turn_filler_every_n", "int", 1, 1, 1000, "", "fillers", "ignored", "see sources"),
    ParamSpec("turn_filler_min_ms", "int", 0, 0, 60_000, "ms", "fillers", "ignored", "see sources"),
)
_IN = (
    _text("openai_asr_engine", "gcloud_speech_v2_async", "speech in", SLOT, ignored=True),
    _flag("asr_smart_format", False, "speech in", SLOT, ignored=True),
    _flag("asr_diarize", False, "speech in", "one party speaks on a leg", ignored=True),
    _flag("asr_speaker_affinity", False, "speech in", "one party speaks on a leg", ignored=True),
    _flag("llm_diarize_aware", False, "speech in", "one party speaks on a leg", ignored=True),
    _text("enable_text_normalization", "both", "speech in", SLOT, ignored=True),
    _flag("auto_correct", False, "speech in", "words are kept as recognised", ignored=True),
    _flag("languages_enabled", False, "speech in", "the agent may use any listed language"),
)
_MODEL = (
    _text("ai_model", "gpt-4o-mini", "model", SLOT, ignored=True),
    ParamSpec("max_response_tokens", "int", None, 1, 16_384, "tokens", "model", note="per answer"),
    ParamSpec(
        "conversation_sliding_window", "int", None, 1, 100_000, "turns", "model", note="turns kept"
    ),
    _text("conscience", "", "model", "last paragraph of the instructions"),
    ParamSpec("convo", "list", (), group="model", note="conversation before this one"),
    _flag("cache_mode", False, "model", "answers are never taken from a cache", ignored=True),
    _flag("enable_thinking", False, "model", NO_THINKING, ignored=True),
    _text("thinking_model", "", "model", NO_THINKING, ignored=True),
    _flag("enable_inner_dialog", False, "model", NO_THINKING, ignored=True),
    _text("inner_dialog_model", "", "model", NO_THINKING, ignored=True),
    _text("inner_dialog_prompt", "", "model", NO_THINKING, ignored=True),
    _flag("inner_dialog_synced", False, "model", NO_THINKING, ignored=True),
    _flag("enable_vision", False, "model", NO_VIDEO, ignored=True),
    _text("vision_model", "", "model", NO_VIDEO, ignored=True),
    _text("utility_model", "", "model", "one model does all work", ignored=True),
    ParamSpec(
        "summary_mode",
        "text",
        "string",
        group="model",
        state="ignored",
        note="the summary is passed on as the model wrote it",
        choices=("string", "original"),
    ),
)
_TOOLS = (
    _flag("function_wait_for_talking", False, "tools", "a tool starts after its filler was heard"),
    _flag("functions_on_no_response", False, "tools", "tools may run when the caller is silent"),
    _flag("swaig_allow_swml", True, "tools", "tools may return documents"),
    _flag("swaig_allow_settings", True, "tools", "tools may change settings"),
    _flag("swaig_set_global_data", True, "tools", "tools may change global_data"),
    _flag("swaig_post_conversation", False, "tools", "tools get the conversation"),
    ParamSpec(
        "swaig_post_swml_vars",
        "any",
        False,
        group="tools",
        note=f"tools get the document's variables: {BOTH_KINDS}",
    ),
    ParamSpec(
        "input_poll_freq",
        "int",
        2000,
        1000,
        10_000,
        "ms",
        "tools",
        "ignored",
        "nothing is polled: controllers send ai_message",
    ),
)
_PAUSE = (
    _text("ai_name", "computer", "wake", "no wake word", ignored=True),
    _text("wake_prefix", "", "wake", "no wake word", ignored=True),
    _flag("enable_pause", False, "wake", "no wake word", ignored=True),
    _flag("start_paused", False, "wake", "no wake word", ignored=True),
    _flag("speak_when_spoken_to", False, "wake", "no wake word", ignored=True),
)
_DATA = (
    _text("app_name", "swml app", "data", "sent with every webhook"),
    _text("conversation_id", "", "data", "sent with every webhook"),
    _flag("save_conversation", False, "data", "see post_prompt_url", ignored=True),
    _flag("transfer_summary", False, "data", "what both said goes to the next agent"),
    _flag("persist_global_data", True, "data", "global_data outlives this run within the call"),
    _text("redact_prompt", "", "data", "redaction is a setting of the engine", ignored=True),
    _flag("enable_accounting", False, "data", "usage is always in the payload", ignored=True),
    ParamSpec("debug", "any", False, group="data", state="ignored", note="see the decision log"),
    _text("debug_webhook_url", "", "data", "see the decision log", ignored=True),
    ParamSpec("debug_webhook_level", "int", 1, 0, 2, "", "data", "ignored", "see the decision log"),
    _flag("verbose_logs", False, "data", "see the decision log", ignored=True),
    _text("local_tz", "US/Central", "data", "IANA time zone of spoken times"),
    ParamSpec(
        "direction",
        "text",
        None,
        group="data",
        note="what the agent takes the call for",
        choices=("inbound", "outbound"),
    ),
    ParamSpec(
        "pom_format",
        "text",
        "markdown",
        group="data",
        note="how a structured prompt is written",
        choices=("markdown", "xml"),
    ),
    _text("video_idle_file", "", "data", NO_VIDEO, ignored=True),
    _text("video_listening_file", "", "data", NO_VIDEO, ignored=True),
    _text("video_talking_file", "", "data", NO_VIDEO, ignored=True),
)

PARAMS: Mapping[str, ParamSpec] = MappingProxyType(
    {
        spec.name: spec
        for group in (
            _BARGE,
            _TURN,
            _SILENCE,
            _OUT,
            _FILLERS,
            _IN,
            _MODEL,
            _TOOLS,
            _PAUSE,
            _DATA,
        )
        for spec in group
    }
)
"""All published parameters by name."""

OWN_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "mediacore_budget": "{seconds, turns, tokens, money}: limits of a run, context or step; a "
        "turn is one reply asked of the model",
        "mediacore_required": "[{key, label, digits}]: global_data fields needed before the end",
        "mediacore_closing": "text spoken as the one closing of the call",
        "mediacore_sensitive": "true on a step: what is said there is left out of records",
    }
)
"""Own keys of `ai.params`, a context or a step, with their form."""


def read_params(raw: Mapping[str, object]) -> tuple[Mapping[str, object], tuple[ParamNote, ...]]:
    """Typed and clamped values of the parameters given, and a note for all that is not as written.

    A parameter that is absent has no entry; its default is in `PARAMS`. Own keys are left to
    the reader of the configuration. Never raises.
    """
    notes = Notes()
    values: dict[str, object] = {}
    for key, value in raw.items():
        name = str(key)
        if name in OWN_KEYS or value is None:
            continue
        spec = PARAMS.get(name)
        path = join("params", name)
        if spec is None:
            notes.add(path, "unknown", "is not a known parameter; not used")
            continue
        typed = read_value(spec, value, path, notes)
        if typed is not None:
            values[name] = typed
        if spec.state == "ignored":
            notes.add(path, "ignored", f"has no effect: {spec.note}")
    return values, notes.freeze()


def read_value(spec: ParamSpec, value: object, path: str, notes: Notes) -> object:
    """One value in the type and range of `spec`; None (and a note) when it is unusable."""
    if spec.kind in {"int", "float"}:
        return _number(spec, value, path, notes)
    typed: object = value
    if spec.kind == "bool":
        typed = read_bool(value)
    elif spec.kind == "text":
        typed = read_text(value)
    elif spec.kind == "list":
        typed = tuple(value) if is_list(value) else None
    elif not isinstance(value, bool | int | str) and not is_list(value):
        typed = None
    if typed is None:
        notes.wrong(path, f"of kind {spec.kind}")
        return None
    if isinstance(typed, str) and not _allowed(spec, typed):
        wanted = ", ".join(spec.choices) or f"of the form {spec.note}"
        notes.add(path, "wrong_type", f"is not {wanted}; not used")
        return None
    return typed


def _allowed(spec: ParamSpec, text: str) -> bool:
    if spec.choices:
        return text in spec.choices
    return spec.pattern is None or spec.pattern.fullmatch(text) is not None


def _number(spec: ParamSpec, value: object, path: str, notes: Notes) -> int | float | None:
    number = read_int(value) if spec.kind == "int" else read_float(value)
    if number is None and spec.kind == "int":
        fraction = read_float(value)
        number = None if fraction is None else round(fraction)
    if number is None:
        notes.wrong(path, "a number")
        return None
    if spec.zero and number == 0:
        return number
    low, high = spec.minimum, spec.maximum
    bounded = number
    if low is not None and number < low:
        bounded = low
    elif high is not None and number > high:
        bounded = high
    if bounded != number:
        notes.add(path, "clamped", f"is outside {low:g} to {high:g}; {bounded:g} is used")
    return int(bounded) if spec.kind == "int" else float(bounded)


@dataclass(frozen=True, slots=True)
class OwnKey:
    """One of our own keys, as a document's check sees it."""

    note: str
    state: Literal["supported", "ignored"] = "supported"


def known_params() -> Mapping[str, ParamSpec | OwnKey]:
    """Everything that `ai.params` may hold, for the check of a document."""
    return {**PARAMS, **{name: OwnKey(note) for name, note in OWN_KEYS.items()}}
