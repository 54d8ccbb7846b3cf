"""Every number and line that turn-taking depends on. Milliseconds unless named otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mediacore.call.record import UtteranceKind
from mediacore.media import BargeAction, BargeIn

NOT_INTERRUPTIBLE: Final = BargeIn()
INTERRUPTIBLE: Final = BargeIn(action=BargeAction.PAUSE, commit_ms=600, resume_ms=1500)


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Endpointing and interruption.

    complete_ms, unsure_ms, incomplete_ms: silence since the end of speech that ends the turn,
    by how the text looks. detector: ask the turn detector; a vote of detector_threshold or more
    shortens the wait to detector_ms, a lower one changes nothing. stt_deadline_ms: how long a
    final may take before the partial is used. final_tolerance_ms: a final that covers the speech
    up to so much before its end is taken as covering it. digit_ms: wait after a key press, and
    expected_digits: digits that make a spoken number complete (0 = judge by its length).
    noise_ms: shorter speech without words is taken for noise. caller_limit_ms: longest turn.

    speculative: ask for the reply as soon as the text is there, before the wait is over.
    min_words: words in a partial that make an interruption; a final needs one.
    final_min_words: the same in a final. pause_limit_ms: an undecided interruption becomes a cut
    after so long.

    barge_pattern: regular expression that words must match to interrupt, "" = any words.
    barge_partials: partials may interrupt, not only finals. sound_cuts: speech that goes on
    interrupts even without words; else only words do. merge_ms: an answer cut in its first so many
    milliseconds counts as not given, and the caller's turn that it answered goes on.
    digit_terminators: keys that end a caller's turn of digits.
    """

    complete_ms: int = 400
    unsure_ms: int = 700
    incomplete_ms: int = 1200
    detector: bool = False
    detector_threshold: float = 0.8
    detector_ms: int = 400
    stt_deadline_ms: int = 2500
    final_tolerance_ms: int = 300
    digit_ms: int = 2000
    expected_digits: int = 0
    noise_ms: int = 700
    caller_limit_ms: int = 120_000
    speculative: bool = True
    min_words: int = 2
    pause_limit_ms: int = 5000
    final_min_words: int = 1
    barge_pattern: str = ""
    barge_partials: bool = True
    sound_cuts: bool = True
    merge_ms: int = 0
    digit_terminators: str = "#"


@dataclass(frozen=True, slots=True)
class BargeProfiles:
    """What the caller may do to each kind of utterance."""

    reply: BargeIn = INTERRUPTIBLE
    greeting: BargeIn = INTERRUPTIBLE
    filler: BargeIn = INTERRUPTIBLE
    script: BargeIn = NOT_INTERRUPTIBLE
    reprompt: BargeIn = INTERRUPTIBLE
    closing: BargeIn = INTERRUPTIBLE
    say: BargeIn = INTERRUPTIBLE

    def of(self, kind: UtteranceKind) -> BargeIn:
        """The profile of a kind of utterance."""
        match kind:
            case UtteranceKind.REPLY:
                return self.reply
            case UtteranceKind.GREETING:
                return self.greeting
            case UtteranceKind.FILLER:
                return self.filler
            case UtteranceKind.SCRIPT:
                return self.script
            case UtteranceKind.REPROMPT:
                return self.reprompt
            case UtteranceKind.CLOSING:
                return self.closing
            case UtteranceKind.SAY:
                return self.say


@dataclass(frozen=True, slots=True)
class Lines:
    """What the agent says by itself. Lists are used in turn, so that none comes twice in a row."""

    fillers: tuple[str, ...] = ("One moment, please.", "Let me see.", "Just a second.")
    reprompts: tuple[str, ...] = (
        "Sorry, I didn't catch that.",
        "I'm sorry, could you say that again?",
        "Sorry, I missed that. Once more, please?",
    )
    silence: tuple[str, ...] = ("Are you still there?", "Hello? I can't hear you.")
    recoveries: tuple[str, ...] = (
        "Sorry, something went wrong on my side. Could you say that again?",
        "I'm sorry, I had a problem just now. Please tell me once more.",
    )
    silence_goodbye: str = "I can't hear you, so I'll end the call here. Goodbye."
    not_understood_goodbye: str = "I'm sorry, I can't understand you well. Goodbye."
    failure_goodbye: str = (
        "I'm very sorry, I have a technical problem. Please call again later. Goodbye."
    )
    limit_goodbye: str = "I'm sorry, our time is up. Goodbye."
    hold_over: str = "Thank you for waiting."


@dataclass(frozen=True, slots=True)
class CallSettings:
    """One call's rules.

    greeting: spoken first; empty: nothing, or the model's own opening when greet_by_reply.
    filler_ms: silence after the caller's turn before a filler, 0 = none. reply_deadline_ms,
    tool_deadline_ms: silence before the recovery line, tools_deadline while a tool runs.
    dead_air_ms: silence before the silence lines, 0 = never. max_failures: failures in a row
    that end the call. max_reprompts: lines in a row that were not understood. max_tool_rounds:
    tool rounds in a turn. max_call_ms: 0 = no limit. limit_grace_ms: time for the goodbye then.
    media_lost_ms: no packets for so long ends the call, 0 = never. cut_confirm_ms: how long the
    core may take to report a cut. stall_ms: a silent gap inside an utterance that is given up.
    watchdog_ms: no sign of playout while speaking. closing_ms: silence before a goodbye that
    never comes is given up. far_delay_ms: first estimate of the way to the caller's ear.
    first_phrase_chars, phrase_chars, phrase_limit_chars: see `phrases`.

    wait_for_user: the caller speaks first, whatever greeting there is. initial_sleep_ms: wait
    before the greeting, which the caller's own first words make needless. attention_prompt: told
    to the model in place of the silence lines. max_silences: lines or prompts in a row; then the
    goodbye, or quiet until inactivity_ms. inactivity_ms: no words of the caller for so long end
    the call, 0 = never. interrupt_prompt: told to the model for its answer to an interruption.
    hard_stop_ms: the conversation ends after so long, 0 = never; hard_stop_prompt: told to the
    model for its last words, "" = the fixed line is said. max_fillers: in one turn;
    filler_again_ms: silence before another one. tools_wait: tools run when what was said before
    them was played. max_response_tokens: of one reply, 0 = no limit. history_turns: caller's turns
    that the model is shown, 0 = all.
    """

    turn: TurnSettings = field(default_factory=TurnSettings)
    barge: BargeProfiles = field(default_factory=BargeProfiles)
    lines: Lines = field(default_factory=Lines)
    greeting: str = ""
    greet_by_reply: bool = False
    filler_ms: int = 1200
    reply_deadline_ms: int = 8000
    tool_deadline_ms: int = 15_000
    dead_air_ms: int = 8000
    max_failures: int = 2
    max_reprompts: int = 3
    max_tool_rounds: int = 5
    max_call_ms: int = 1_800_000
    limit_grace_ms: int = 15_000
    media_lost_ms: int = 30_000
    cut_confirm_ms: int = 300
    stall_ms: int = 4000
    watchdog_ms: int = 120_000
    closing_ms: int = 10_000
    far_delay_ms: int = 0
    wait_for_user: bool = False
    initial_sleep_ms: int = 0
    attention_prompt: str = ""
    max_silences: int = 2
    inactivity_ms: int = 0
    interrupt_prompt: str = ""
    hard_stop_ms: int = 0
    hard_stop_prompt: str = ""
    max_fillers: int = 1
    filler_again_ms: int = 5000
    tools_wait: bool = False
    max_response_tokens: int = 0
    history_turns: int = 0
    first_phrase_chars: int = 12
    phrase_chars: int = 24
    phrase_limit_chars: int = 220


def fixed_lines(settings: CallSettings) -> tuple[str, ...]:
    """Everything the agent may say without a model, each once: what to synthesise beforehand."""
    lines = settings.lines
    said = (
        settings.greeting,
        *lines.recoveries,
        lines.failure_goodbye,
        *lines.reprompts,
        lines.not_understood_goodbye,
        *lines.silence,
        lines.silence_goodbye,
        lines.limit_goodbye,
        *lines.fillers,
        lines.hold_over,
    )
    return tuple(dict.fromkeys(line for line in said if line.strip()))
