from __future__ import annotations

from array import array

from mediacore.providers.local.utterance import Utterances, quietest
from mediacore.slots.audio import PcmBlock

RATE = 16000
BLOCK = 320


def block(number: int, speech: bool, ends: bool = False, level: int = 1000) -> PcmBlock:
    pcm = array("h", [level + number % 7] * BLOCK).tobytes()
    return PcmBlock(pcm, RATE, number * BLOCK, speech=speech, ends_speech=ends)


def test_an_utterance_has_preroll_and_ends_where_speech_ends() -> None:
    utterances = Utterances(RATE)
    for i in range(50):
        assert utterances.push(block(i, False)) == []
    assert utterances.samples == RATE * 300 // 1000
    for i in range(50, 60):
        assert utterances.push(block(i, True)) == []
    (clip,) = utterances.push(block(60, False, ends=True))
    assert len(clip.pcm) // 2 == 4800 + 11 * BLOCK
    assert clip.end == 61 * BLOCK
    assert not utterances.speaking
    assert utterances.flush() == []


def test_speech_that_restarts_in_the_ending_block_is_a_new_utterance() -> None:
    utterances = Utterances(RATE)
    utterances.push(block(0, True))
    (first,) = utterances.push(block(1, True, ends=True))
    assert utterances.speaking
    (second,) = utterances.push(block(2, False, ends=True))
    assert (first.end, second.end) == (2 * BLOCK, 3 * BLOCK)
    assert len(second.pcm) // 2 == BLOCK


def test_a_blip_inside_one_block_is_an_utterance() -> None:
    utterances = Utterances(RATE)
    utterances.push(block(0, False))
    (clip,) = utterances.push(block(1, False, ends=True))
    assert len(clip.pcm) // 2 == 2 * BLOCK


def test_flush_gives_what_is_in_progress() -> None:
    utterances = Utterances(RATE)
    utterances.push(block(0, True))
    (clip,) = utterances.flush()
    assert clip.end == BLOCK


def test_a_gap_between_utterances_drops_the_old_preroll() -> None:
    utterances = Utterances(RATE)
    utterances.push(block(0, False))
    utterances.push(block(500, True))
    (clip,) = utterances.push(block(501, False, ends=True))
    assert len(clip.pcm) // 2 == 2 * BLOCK
    assert clip.end == 502 * BLOCK


def test_a_long_utterance_is_split_at_its_quietest_point_without_loss() -> None:
    utterances = Utterances(RATE)
    clips, quiet = [], range(1250, 1260)  # 25.0–25.2 s
    for i in range(1600):
        clips += utterances.push(block(i, True, level=5 if i in quiet else 3000))
    (clip,) = clips
    assert quiet.start * BLOCK <= clip.end <= quiet.stop * BLOCK
    clips += utterances.flush()
    assert sum(len(c.pcm) for c in clips) == 1600 * BLOCK * 2
    assert clips[-1].end == 1600 * BLOCK
    assert max(len(c.pcm) for c in clips) <= 28 * RATE * 2


def test_quietest_survives_a_short_range() -> None:
    assert quietest(b"\1\0" * 100, 0, 50, RATE) == 160
