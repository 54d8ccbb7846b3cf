"""TRANSITIONS: which event is handled in which phase, and by what.

A pair that is not here is illegal: it is counted, logged with both names, and changes nothing.
`docs/call-states.md` is rendered from this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

from mediacore.call import on_call, on_caller, on_playout, on_reply, on_speech, on_steer
from mediacore.call.draft import Draft
from mediacore.call.inputs import (
    CallerGone,
    CallStarted,
    ConversationStopped,
    Event,
    FarDelayMeasured,
    FillerGiven,
    GenerationSeen,
    HangupRequested,
    HistoryChanged,
    HoldEnded,
    HoldStarted,
    LimitReached,
    LineSaid,
    NoteGiven,
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    SettingsChanged,
    SpeechFailed,
    SpeechReady,
    SpeechSynthesised,
    SpeechWords,
    SttFailed,
    TextGiven,
    ToolFinished,
    TranscriptFinal,
    TranscriptPartial,
    TurnProbability,
    Wake,
)
from mediacore.call.state import Phase
from mediacore.events import (
    DigitReceived,
    EventsLost,
    LegClosed,
    LegOpened,
    MarkReached,
    MediaLost,
    MediaResumed,
    PlayoutCut,
    PlayoutDucked,
    PlayoutEvent,
    PlayoutLow,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    PlayoutUnderrun,
    SpeechEnded,
    SpeechStarted,
    TapReady,
    ToneDetected,
    UtteranceFinished,
    UtteranceRefused,
)

Handler = Callable[[Draft, Any], None]
Row = Mapping[type, Handler]

EVENT_TYPES: Final[tuple[type, ...]] = get_args(Event)

_ALWAYS: Final[Row] = {
    LegOpened: on_call.leg_opened,
    LegClosed: on_call.leg_closed,
    CallerGone: on_call.caller_gone,
    HangupRequested: on_call.hangup_requested,
    LimitReached: on_steer.limit_reached,
    MediaLost: on_call.media_lost,
    MediaResumed: on_call.media_resumed,
    ToneDetected: on_call.tone_detected,
    EventsLost: on_call.events_lost,
    GenerationSeen: on_call.generation_seen,
    FarDelayMeasured: on_call.far_delay_measured,
    TapReady: on_call.for_the_session,
    PlayoutLow: on_call.for_the_session,
    PlayoutCut: on_playout.playout_cut,
    Wake: on_call.time_passes,
}

_BEFORE: Final[Row] = {
    NoteGiven: on_steer.note_given,
    HistoryChanged: on_steer.history_changed,
    SettingsChanged: on_steer.settings_changed,
    ConversationStopped: on_steer.conversation_stopped,
}

_STEER: Final[Row] = {
    **_BEFORE,
    TextGiven: on_steer.text_given,
    LineSaid: on_steer.line_said,
    HoldStarted: on_steer.hold_started,
}

_CALLER: Final[Row] = {
    **_STEER,
    TranscriptPartial: on_caller.hears_partial,
    TranscriptFinal: on_caller.hears_final,
    SttFailed: on_caller.recognition_failed,
    DigitReceived: on_caller.caller_presses,
}

_AGENT: Final[Row] = {
    SpeechEnded: on_caller.overlap_ends,
    ReplyText: on_reply.reply_text,
    ReplyToolCall: on_reply.reply_tool_call,
    ToolFinished: on_reply.tool_finished,
    FillerGiven: on_reply.filler_given,
    ReplyHangup: on_reply.reply_hangup,
    ReplyEnded: on_reply.reply_ended,
    ReplyFailed: on_reply.reply_failed,
    SpeechWords: on_speech.speech_words,
    SpeechReady: on_speech.speech_ready,
    SpeechSynthesised: on_speech.speech_synthesised,
    SpeechFailed: on_speech.speech_failed,
    PlayoutStarted: on_playout.playout_started,
    PlayoutDucked: on_playout.playout_ducked,
    PlayoutPaused: on_playout.playout_paused,
    PlayoutResumed: on_playout.playout_resumed,
    PlayoutUnderrun: on_playout.playout_dry,
    MarkReached: on_playout.playout_moves,
    UtteranceFinished: on_playout.utterance_finished,
    UtteranceRefused: on_playout.utterance_refused,
}

_ROWS: Final[Mapping[Phase, Row]] = {
    Phase.NEW: {**_ALWAYS, **_BEFORE, CallStarted: on_call.call_started},
    Phase.LISTENING: {**_ALWAYS, **_CALLER, SpeechStarted: on_caller.caller_begins},
    Phase.CALLER_SPEAKING: {**_ALWAYS, **_CALLER, SpeechEnded: on_caller.caller_pauses},
    Phase.ENDPOINTING: {
        **_ALWAYS,
        **_CALLER,
        SpeechStarted: on_caller.caller_goes_on,
        TurnProbability: on_caller.detector_votes,
        ReplyText: on_reply.held_back,
        ReplyToolCall: on_reply.held_back,
        ReplyHangup: on_reply.held_back,
        ReplyEnded: on_reply.held_back,
        ReplyFailed: on_reply.held_back,
    },
    Phase.THINKING: {
        **_ALWAYS,
        **_CALLER,
        **_AGENT,
        SpeechStarted: on_caller.caller_before_reply,
    },
    Phase.SPEAKING: {**_ALWAYS, **_CALLER, **_AGENT, SpeechStarted: on_caller.caller_overlaps},
    Phase.PAUSED: {
        **_ALWAYS,
        **_CALLER,
        **_AGENT,
        SpeechStarted: on_caller.caller_overlaps,
        HoldEnded: on_steer.hold_called_off,
    },
    Phase.CLOSING: {**_ALWAYS, **_CALLER, **_AGENT, SpeechStarted: on_caller.caller_overlaps},
    Phase.ON_HOLD: {
        **_ALWAYS,
        **_STEER,
        SpeechStarted: on_steer.caller_unheard,
        SpeechEnded: on_steer.caller_unheard,
        TranscriptPartial: on_steer.words_unheard,
        TranscriptFinal: on_steer.words_unheard,
        SttFailed: on_steer.nothing_heard,
        DigitReceived: on_steer.key_unheard,
        HoldEnded: on_steer.hold_ended,
    },
    Phase.ENDED: {
        kind: on_playout.only_ledger if issubclass(kind, PlayoutEvent) else on_call.too_late
        for kind in EVENT_TYPES
    },
}

TRANSITIONS: Final[Mapping[Phase, Row]] = MappingProxyType(
    {phase: MappingProxyType(dict(row)) for phase, row in _ROWS.items()}
)

_PHASE_TEXT: Final[Mapping[Phase, str]] = {
    Phase.NEW: "not started",
    Phase.LISTENING: "nobody speaks, the caller may",
    Phase.CALLER_SPEAKING: "the caller speaks, the agent is silent",
    Phase.ENDPOINTING: "the caller went silent: is the turn over?",
    Phase.THINKING: "the agent's turn, nothing of it plays",
    Phase.SPEAKING: "the agent's turn plays",
    Phase.PAUSED: "the caller spoke over it: cut or go on?",
    Phase.CLOSING: "the agent's last words; the conversation ends with them",
    Phase.ON_HOLD: "the agent neither speaks nor hears",
    Phase.ENDED: "over; nothing leads out, only the ledger is completed",
}


def render_table() -> str:
    """The table as Markdown."""
    lines = [
        "# States of a call",
        "",
        "Rendered from `mediacore.call.table` by `tools/render_states.py`; do not edit.",
        "",
        "`step(state, event, now)` looks up the phase and the kind of event here. A pair that is",
        "missing is illegal: counted, logged, without effect. Results for a generation, utterance",
        "or segment that is over are refused before the look-up. After every event the timers that",
        "are due are carried out (`mediacore.call.timers`).",
        "",
        "| Phase | Who has the floor |",
        "|---|---|",
    ]
    lines += [f"| {phase.name} | {_PHASE_TEXT[phase]} |" for phase in Phase]
    for phase in Phase:
        lines += ["", f"## {phase.name}", "", "| Event | Handler | What it does |", "|---|---|---|"]
        row = TRANSITIONS[phase]
        lines += [
            f"| {kind.__name__} | {row[kind].__name__} | {_first_line(row[kind])} |"
            for kind in EVENT_TYPES
            if kind in row
        ]
        missing = [kind.__name__ for kind in EVENT_TYPES if kind not in row]
        if missing:
            lines += ["", f"Illegal: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def _first_line(handler: Handler) -> str:
    return (handler.__doc__ or "").strip().splitlines()[0]
