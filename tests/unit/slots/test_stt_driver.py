"""SttDriver: a recogniser that fails is started again and goes on with the next audio."""

import asyncio
import itertools
from contextlib import aclosing

import pytest

from mediacore.errors import ConfigError, ErrorClass, ProviderError
from mediacore.providers.scripted import Heard, ScriptedStt
from mediacore.slots.audio import PcmBlock
from mediacore.slots.driver import SttDriver
from mediacore.slots.feed import AudioFeed
from mediacore.slots.policy import SttPolicy
from mediacore.slots.report import NextStep, Outcome
from mediacore.slots.stt import SttFinal, SttInfo, SttPartial
from virtual import now_us, run_virtual

BLOCK_MS = 40
BLOCK = BLOCK_MS * 16


def blocks(*segments_ms):
    """Blocks of (silence, speech) pairs in ms; speech ends with its last block."""
    at = 0
    for silence_ms, speech_ms in segments_ms:
        for _ in range(silence_ms // BLOCK_MS):
            yield PcmBlock(bytes(2 * BLOCK), 16000, at)
            at += BLOCK
        count = speech_ms // BLOCK_MS
        for n in range(count):
            last = n == count - 1
            yield PcmBlock(bytes(2 * BLOCK), 16000, at, speech=not last, ends_speech=last)
            at += BLOCK


TWO = ((400, 1000), (2000, 1000))
THREE = (*TWO, (2000, 1000))


class Result:
    def __init__(self):
        self.events = []
        self.reports = []
        self.error = None
        self.feed = None

    @property
    def finals(self):
        return [e.text for e in self.events if isinstance(e, SttFinal)]

    @property
    def story(self):
        return [(r.provider, r.outcome, r.error, r.then) for r in self.reports]


def recognise(*providers, audio=TWO, policy=None, feed_blocks=500, tail_ms=10_000, reader_ms=0):
    """A call's audio in real (virtual) time through the driver."""

    async def main():
        result = Result()
        result.feed = AudioFeed(feed_blocks)
        driver = SttDriver(providers, now_us, policy)

        async def speak():
            for block in blocks(*audio):
                await asyncio.sleep(BLOCK_MS / 1000)
                result.feed.put(block)
            await asyncio.sleep(tail_ms / 1000)
            result.feed.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(speak())
            try:
                stream = driver.run(result.feed, on_report=result.reports.append)
                async with aclosing(stream):
                    async for event in stream:
                        result.events.append(event)
                        await asyncio.sleep(reader_ms / 1000)
            except ProviderError as error:
                result.error = error
        await driver.aclose()
        return result

    return run_virtual(main())


def stt(*heard, name="a"):
    return ScriptedStt(heard, name=name)


class RawStt:
    """Does what `body(audio)` does."""

    def __init__(self, body, name="raw", continuous=False):
        self.info = SttInfo(name, continuous=continuous)
        self.body = body
        self.runs = 0

    async def run(self, audio):
        self.runs += 1
        async with aclosing(self.body(audio)) as events:
            async for event in events:
                yield event

    async def aclose(self):
        pass


def test_text_passes():
    result = recognise(stt(Heard("Hello.", partials=((200, "Hell"),)), "Four seven one."))
    assert result.finals == ["Hello.", "Four seven one."]
    assert isinstance(result.events[0], SttPartial)
    assert result.story == [("a", Outcome.OK, None, NextStep.NOTHING)]


def test_restart_goes_on_with_the_next_audio():
    heard = Heard("lost", partials=((300, "I would"),), error=ErrorClass.CRASHED)
    result = recognise(stt(heard, "Second."))
    assert result.story == [
        ("a", Outcome.FAILED, ErrorClass.CRASHED, NextStep.RETRY),
        ("a", Outcome.OK, None, NextStep.NOTHING),
    ]
    assert result.finals == ["I would", "Second."]
    assert result.events[1].confidence == 0.0


def test_a_lost_utterance_gives_an_empty_final():
    result = recognise(stt(Heard("lost", error=ErrorClass.UNAVAILABLE), "Second."))
    assert result.finals == ["", "Second."]
    assert result.events[0].at == (400 + 1000) * 16


def test_a_final_that_does_not_come():
    result = recognise(stt(Heard("lost", hang=True), "Second."), policy=SttPolicy(final_ms=1500))
    assert result.story[0] == ("a", Outcome.FAILED, ErrorClass.TIMEOUT, NextStep.RETRY)
    assert result.reports[0].timing.total_ms == 1400 + 1500
    assert result.finals == ["", "Second."]


def test_speech_that_goes_on_lifts_the_deadline():
    async def merges(audio):
        async for block in audio:
            if block.at > 2500 * 16 and block.ends_speech:
                yield SttFinal("Both.", block.at)

    audio = ((400, 1000), (600, 1000))
    result = recognise(RawStt(merges), audio=audio, policy=SttPolicy(final_ms=1000))
    assert result.finals == ["Both."]
    assert result.error is None


def test_continuous_recogniser_owes_a_final_only_after_a_partial():
    async def silent(audio):
        async for _ in audio:
            continue
        return
        yield

    result = recognise(RawStt(silent, continuous=True), policy=SttPolicy(final_ms=500))
    assert result.story == [("raw", Outcome.OK, None, NextStep.NOTHING)]

    async def teases(audio):
        async for block in audio:
            if block.ends_speech:
                continue
            if block.speech:
                yield SttPartial("uh", block.at)

    result = recognise(RawStt(teases, continuous=True), policy=SttPolicy(final_ms=500))
    assert result.story[0][2] is ErrorClass.TIMEOUT


def test_a_recogniser_that_stops_reading():
    async def lazy(audio):
        async for block in audio:
            if block.ends_speech:
                yield SttFinal("ok", block.at)
                await asyncio.sleep(1000)

    raw = RawStt(lazy)
    result = recognise(raw, audio=THREE, policy=SttPolicy(read_ms=800))
    assert result.finals == ["ok"] * 3
    assert [s[2] for s in result.story] == [ErrorClass.TIMEOUT] * 3 + [None]
    assert raw.runs == 4


def test_a_recogniser_that_ends_early():
    async def short(audio):
        async for block in audio:
            if block.ends_speech:
                yield SttFinal("ok", block.at)
                return

    result = recognise(RawStt(short))
    assert result.finals == ["ok", "ok"]
    assert result.story[0] == ("raw", Outcome.FAILED, ErrorClass.UNAVAILABLE, NextStep.RETRY)


def test_a_recogniser_that_never_ends():
    async def clingy(audio):
        async for block in audio:
            if block.ends_speech:
                yield SttFinal("ok", block.at)
        await asyncio.sleep(1000)

    result = recognise(RawStt(clingy), policy=SttPolicy(max_restarts=0))
    assert result.finals == ["ok", "ok"]
    assert result.error.error_class is ErrorClass.TIMEOUT


def test_fallback_for_good_when_a_retry_is_no_use():
    result = recognise(stt(Heard("", error=ErrorClass.AUTH)), stt("Second.", name="b"))
    assert result.story == [
        ("a", Outcome.FAILED, ErrorClass.AUTH, NextStep.FALLBACK),
        ("b", Outcome.OK, None, NextStep.NOTHING),
    ]
    assert result.finals == ["", "Second."]


def test_only_provider_refuses_the_key():
    result = recognise(stt(Heard("", error=ErrorClass.AUTH)))
    assert result.error.error_class is ErrorClass.AUTH
    assert result.story[-1][3] is NextStep.RAISE


def dead_on_arrival(audio):
    async def body():
        raise ConnectionRefusedError
        yield

    return body()


def test_back_off_and_breaker_then_fallback():
    result = recognise(RawStt(dead_on_arrival, "a"), stt("First.", "Second.", name="b"))
    assert [s[0] for s in result.story] == ["a", "a", "a", "b"]
    assert [s[3] for s in result.story[:3]] == [NextStep.RETRY, NextStep.RETRY, NextStep.FALLBACK]
    started = [r.timing.started_us for r in result.reports]
    assert [b - a for a, b in itertools.pairwise(started)] == [
        100_000,
        200_000,
        400_000,
    ]
    assert result.finals == ["First.", "Second."]


def test_an_only_provider_is_tried_although_it_rests_but_not_for_ever():
    result = recognise(RawStt(dead_on_arrival), policy=SttPolicy(max_restarts=6))
    assert len(result.reports) == 7
    assert result.error.error_class is ErrorClass.UNAVAILABLE
    gaps = [r.timing.started_us for r in result.reports]
    assert gaps[-1] - gaps[-2] == 2_000_000


def test_text_makes_a_row_of_failures_end():
    async def works_once(audio):
        async for block in audio:
            if block.ends_speech:
                yield SttFinal("ok", block.at)
                raise ConnectionResetError

    audio = ((200, 400),) * 8
    result = recognise(RawStt(works_once), audio=audio, policy=SttPolicy(max_restarts=1))
    assert result.finals == ["ok"] * 8


def test_it_returns_to_the_first_after_its_rest():
    async def mostly_dead(audio):
        if now_us() < 20_000_000:
            raise ConnectionRefusedError
        async for block in audio:
            if block.ends_speech:
                yield SttFinal("first", block.at)

    async def fragile(audio):
        async for block in audio:
            if block.ends_speech:
                yield SttFinal("second", block.at)
                if block.at > 38_000 * 16:
                    raise ConnectionResetError

    audio = ((19_000, 1000),) * 3
    result = recognise(RawStt(mostly_dead, "a"), RawStt(fragile, "b"), audio=audio)
    assert [s[0] for s in result.story] == ["a", "a", "a", "b", "a"]
    assert result.finals == ["second", "second", "first"]


def test_not_an_event():
    async def odd(audio):
        async for _ in audio:
            yield "hello"

    result = recognise(RawStt(odd))
    assert result.error.error_class is ErrorClass.BAD_OUTPUT


def test_a_slow_reader_is_not_the_recognisers_fault():
    policy = SttPolicy(final_ms=600, read_ms=600)
    heard = Heard("One.", partials=((40, "O"), (80, "On"), (120, "One")))
    result = recognise(stt(heard, "Two."), policy=policy, reader_ms=900)
    assert result.finals == ["One.", "Two."]
    assert result.story == [("a", Outcome.OK, None, NextStep.NOTHING)]


def test_audio_waits_while_nobody_reads_and_the_oldest_is_lost():
    result = recognise(
        stt(Heard("x", hang=True), "Second."),
        policy=SttPolicy(final_ms=3000),
        feed_blocks=20,
        audio=((400, 1000), (400, 1000)),
    )
    assert result.feed.dropped == 15
    assert result.finals == ["", "Second."]


def test_different_rates_are_refused():
    with pytest.raises(ConfigError):
        SttDriver((stt(), ScriptedStt([], srate_hz=8000)), lambda: 0)


def test_info():
    assert SttDriver((stt(),), lambda: 0).info.srate_hz == 16000


async def generator(audio=TWO):
    for block in blocks(*audio):
        await asyncio.sleep(BLOCK_MS / 1000)
        yield block
    await asyncio.sleep(5)


def test_a_generator_will_do_while_nothing_fails():
    async def main():
        stream = SttDriver((stt("One.", "Two."),), now_us).run(generator())
        return [e.text async for e in stream]

    assert run_virtual(main()) == ["One.", "Two."]


def test_a_generator_that_did_not_survive_is_said_so():
    async def impatient(audio):
        yield SttPartial("x", 0)
        async with asyncio.timeout(0.5):
            async for _ in audio:
                continue

    async def main():
        stream = SttDriver((RawStt(impatient),), now_us).run(generator(((400, 10_000),)))
        with pytest.raises(ConfigError, match="AudioFeed"):
            async for _ in stream:
                pass

    run_virtual(main())


def test_audio_that_fails_is_not_the_recognisers_fault():
    async def broken():
        yield next(blocks((40, 0)))
        raise ZeroDivisionError

    async def main():
        async for _ in SttDriver((stt(),), now_us).run(broken()):
            pass

    with pytest.raises(ZeroDivisionError):
        run_virtual(main())


def test_cancel_and_close_at_every_moment():
    async def stopped_after(ms, how):
        feed = AudioFeed()
        reports = []
        failing = stt(Heard("x", ((200, "x"),), error=ErrorClass.CRASHED), "Second.")
        stream = SttDriver((failing,), now_us).run(feed, on_report=reports.append)

        async def speak():
            for block in blocks((200, 400), (200, 400)):
                await asyncio.sleep(BLOCK_MS / 1000)
                feed.put(block)

        async def reader():
            async for _ in stream:
                pass

        async with asyncio.TaskGroup() as group:
            speaker = group.create_task(speak())
            task = group.create_task(reader())
            await asyncio.sleep(ms / 1000)
            begin_us = now_us()
            if how == "cancel":
                task.cancel()
                await asyncio.wait([task])
            else:
                await stream.aclose()
            assert now_us() - begin_us < 1000
            speaker.cancel()
        assert task.done()
        assert task.cancelled() is (how == "cancel")
        return reports

    async def main():
        for how in ("cancel", "close"):
            for ms in range(0, 1300, 10):
                reports = await stopped_after(ms, how)
                assert all(r.slot == "stt" for r in reports)

    run_virtual(main())


def test_a_recogniser_that_will_not_go():
    """Its clean-up waits for ever, after a cancelled read."""

    async def stuck(audio):
        try:
            async for _ in audio:
                yield SttPartial("x", 0)
        finally:
            await asyncio.sleep(1000)

    async def main():
        feed = AudioFeed()
        feed.put(next(blocks((40, 0))))
        stream = SttDriver((RawStt(stuck),), now_us, SttPolicy(close_ms=200)).run(feed)

        async def reader():
            async for _ in stream:
                pass

        async with asyncio.TaskGroup() as group:
            task = group.create_task(reader())
            await asyncio.sleep(1)
            task.cancel()
        return now_us()

    assert run_virtual(main()) <= 1_400_000


def test_an_old_attempt_gets_no_more_audio():
    taken = []

    async def hoards(audio):
        taken.append(audio)
        await anext(audio)
        raise ConnectionResetError
        yield

    result = recognise(RawStt(hoards), policy=SttPolicy(max_restarts=1))
    assert result.error is not None

    async def late():
        return [b async for b in taken[0]]

    assert run_virtual(late()) == []


def test_feed():
    async def main():
        feed = AudioFeed(2)
        a, b, c = list(blocks((40, 80)))
        assert feed.put(b)
        assert feed.put(c)
        assert not feed.put(a)
        assert (feed.depth, feed.dropped) == (2, 1)
        feed.put(a)
        assert [(x.at, x.ends_speech) for x in feed._blocks] == [(0, True), (0, False)]
        feed.close()
        assert not feed.put(a)
        return [x async for x in feed]

    assert len(run_virtual(main())) == 2


def test_a_failure_in_mid_speech_keeps_the_partial():
    async def breaks(audio):
        async for block in audio:
            if block.speech and block.at > 600 * 16:
                yield SttPartial("four seven", block.at)
                raise ConnectionResetError
            if block.ends_speech:
                yield SttFinal("", block.at)

    result = recognise(RawStt(breaks), audio=((400, 400),), policy=SttPolicy(max_restarts=0))
    assert result.finals == ["four seven"]


def test_a_slow_reader_while_the_recogniser_holds_audio():
    async def eager(audio):
        async for block in audio:
            yield SttPartial("x", block.at)
            await asyncio.sleep(0.3)
            if block.ends_speech:
                yield SttFinal("x", block.at)

    audio = ((40, 200),)
    result = recognise(RawStt(eager), audio=audio, policy=SttPolicy(read_ms=500), reader_ms=900)
    assert result.story == [("raw", Outcome.OK, None, NextStep.NOTHING)]
