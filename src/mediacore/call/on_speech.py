"""Handlers: the synthesis of the agent's utterances."""

from __future__ import annotations

from mediacore.call import closing, ledger
from mediacore.call.draft import Draft
from mediacore.call.inputs import SpeechFailed, SpeechReady, SpeechSynthesised, SpeechWords
from mediacore.call.record import UtteranceKind
from mediacore.call.recovery import Source, classify

_WORTH_A_RECOVERY = (UtteranceKind.REPLY, UtteranceKind.GREETING)


def speech_words(d: Draft, event: SpeechWords) -> None:
    """Word times go into the ledger."""
    d.set_utterance(ledger.with_words(d.utterance(event.utterance), event.words))


def speech_ready(d: Draft, event: SpeechReady) -> None:
    """Audio goes to playout."""
    utt = d.utterance(event.utterance)
    if utt.kind is not UtteranceKind.FILLER:
        d.set_stamps(first_audio_us=d.now)
    if event.queued_samples > utt.queued:
        d.set_agent(dry_since_us=None)
    d.set_utterance(ledger.with_queued(utt, event.queued_samples))


def speech_synthesised(d: Draft, event: SpeechSynthesised) -> None:
    """The length is known: better word times, and a better rate for those to come."""
    utt = d.utterance(event.utterance)
    utt = ledger.with_total(utt, event.total_samples, event.lead_samples, event.tail_samples)
    d.set_agent(dry_since_us=None)
    d.set_utterance(utt)
    d.set(rate=ledger.learn_rate(utt, d.state.rate, d.state.srate_hz))


def speech_failed(d: Draft, event: SpeechFailed) -> None:
    """Nothing of it can be heard, or only its beginning. The caller is told once a turn."""
    utt = d.utterance(event.utterance)
    utt = ledger.with_failure(utt, event.queued_samples)
    d.set_utterance(utt)
    d.log(
        "speech", "failed", error_class=event.error_class.value, queued=utt.queued, utterance=utt.id
    )
    tell = not utt.queued and utt.kind in _WORTH_A_RECOVERY and d.state.ending is None
    failure = classify(Source.TTS, event.error_class)
    if tell and not d.agent.recovered and not d.committed:
        closing.recover(d, failure)
    else:
        closing.report(d, failure, d.state.failures)
