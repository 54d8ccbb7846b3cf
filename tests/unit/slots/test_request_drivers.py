"""TtsDriver and LlmDriver on virtual time: every way in which a provider can go wrong."""

import asyncio
from contextlib import aclosing, suppress

import pytest

from mediacore.errors import ConfigError, ErrorClass, ProviderError
from mediacore.providers.scripted import (
    Call,
    End,
    Fail,
    Hang,
    Say,
    ScriptedLlm,
    ScriptedTts,
    Voice,
)
from mediacore.slots.driver import LlmDriver, TtsDriver
from mediacore.slots.llm import LlmHangup, LlmInfo, LlmRequest, LlmText, LlmUsage, ToolCall
from mediacore.slots.policy import LlmPolicy, TtsPolicy
from mediacore.slots.report import NextStep, Outcome
from mediacore.slots.stream import SlotStream
from mediacore.slots.tts import TtsAudio, TtsInfo, TtsRequest, TtsWord
from mediacore.units import pcm_ms
from virtual import now_us, run_virtual

HELLO = TtsRequest("Hello there, caller.")  # 20 characters: 1200 ms
ASK = LlmRequest(())
NO_RETRY = TtsPolicy(retries=0)


class Result:
    """What a reader of a stream saw."""

    def __init__(self):
        self.events = []
        self.reports = []
        self.error = None
        self.ended_us = 0

    @property
    def audio(self):
        return b"".join(e.pcm for e in self.events if isinstance(e, TtsAudio))

    @property
    def text(self):
        return "".join(e.text for e in self.events if isinstance(e, LlmText))

    @property
    def story(self):
        return [(r.provider, r.outcome, r.error, r.then) for r in self.reports]


async def read(driver, request, into=None):
    result = into or Result()
    try:
        async with aclosing(driver.run(request, on_report=result.reports.append)) as stream:
            async for event in stream:
                result.events.append(event)
    except ProviderError as error:
        result.error = error
    result.ended_us = now_us()
    return result


def speak(*providers, policy=None, request=HELLO, times=1):
    async def main():
        driver = TtsDriver(providers, now_us, policy)
        results = [await read(driver, request) for _ in range(times)]
        await driver.aclose()
        return results

    results = run_virtual(main())
    return results[0] if times == 1 else results


def answer(*providers, policy=None):
    async def main():
        return await read(LlmDriver(providers, now_us, policy), ASK)

    return run_virtual(main())


def tts(*voices, name="a", **kwargs):
    return ScriptedTts(voices or (Voice(),), name=name, **kwargs)


class RawTts:
    """Gives fixed events, or whatever `body` does."""

    def __init__(self, *events, name="raw", body=None):
        self.events = events
        self.body = body
        self.info = TtsInfo(name, 24000)
        self.log = []

    async def run(self, request):
        if self.body:
            async with aclosing(self.body(self.log)) as events:
                async for event in events:
                    yield event
        for event in self.events:
            yield event

    async def aclose(self):
        self.log.append("closed")


class RawLlm(RawTts):
    def __init__(self, *events, name="raw"):
        super().__init__(*events, name=name)
        self.info = LlmInfo(name)


def test_speaks_and_reports_timing():
    result = speak(tts(word_times=True))
    assert pcm_ms(result.audio, 24000) == 1200
    assert next(e for e in result.events if isinstance(e, TtsWord)) == TtsWord(0, 5, 0, 300)
    (report,) = result.reports
    assert (report.outcome, report.then, report.clean) == (Outcome.OK, NextStep.NOTHING, True)
    assert report.timing.first_ms == 80
    assert report.timing.total_ms == 80 + 12 * 5
    assert report.events == 12 + 3


def test_burst_passes():
    assert pcm_ms(speak(tts(Voice(burst=True))).audio, 24000) == 1200


def test_retry_on_the_same_provider():
    bad = Voice(error=ErrorClass.UNAVAILABLE)
    result = speak(tts(bad, Voice()))
    assert result.story == [
        ("a", Outcome.FAILED, ErrorClass.UNAVAILABLE, NextStep.RETRY),
        ("a", Outcome.OK, None, NextStep.NOTHING),
    ]
    assert pcm_ms(result.audio, 24000) == 1200
    assert [r.number for r in result.reports] == [1, 2]


def test_fallback_when_a_retry_is_no_use():
    result = speak(tts(Voice(error=ErrorClass.AUTH)), tts(name="b"))
    assert result.story == [
        ("a", Outcome.FAILED, ErrorClass.AUTH, NextStep.FALLBACK),
        ("b", Outcome.OK, None, NextStep.NOTHING),
    ]


def test_no_answer_falls_back_after_the_deadline():
    policy = TtsPolicy(retries=0, first_ms=1500)
    result = speak(tts(Voice(hang=True)), tts(name="b"), policy=policy)
    assert result.story[0] == ("a", Outcome.FAILED, ErrorClass.TIMEOUT, NextStep.FALLBACK)
    assert result.reports[0].detail
    assert result.ended_us == 1_500_000 + 50_000 * 0 + 80_000 + 60_000


def test_all_fail():
    result = speak(tts(Voice(hang=True)), tts(Voice(error=ErrorClass.RATE_LIMITED), name="b"))
    assert result.error.error_class is ErrorClass.RATE_LIMITED
    assert result.error.provider == "b"
    assert [s[3] for s in result.story] == [NextStep.RETRY, NextStep.FALLBACK, NextStep.RAISE]
    assert result.events == []


def test_a_total_deadline_ends_the_attempts():
    policy = TtsPolicy(first_ms=3000, total_ms=5000, retries=5)
    result = speak(tts(Voice(hang=True)), tts(name="b"), policy=policy)
    assert result.error.error_class is ErrorClass.TIMEOUT
    assert [s[3] for s in result.story] == [NextStep.RETRY, NextStep.RAISE]
    assert result.ended_us == 5_050_000


def test_error_mid_stream_repeats_nothing():
    bad = Voice(error=ErrorClass.UNAVAILABLE, error_at_ms=500)
    result = speak(tts(bad), tts(name="b"))
    assert pcm_ms(result.audio, 24000) == 500
    assert result.error.error_class is ErrorClass.UNAVAILABLE
    assert result.story == [("a", Outcome.FAILED, ErrorClass.UNAVAILABLE, NextStep.RAISE)]


def test_words_of_a_failed_attempt_are_not_given():
    def words_then_fail(log):
        async def body():
            yield TtsWord(0, 5, 0, 300)
            raise ProviderError(ErrorClass.UNAVAILABLE, "gone")

        return body()

    result = speak(
        RawTts(body=words_then_fail), tts(name="b", word_times=True), policy=TtsPolicy(retries=0)
    )
    assert sum(isinstance(e, TtsWord) for e in result.events) == 3


def test_stall_mid_stream():
    result = speak(tts(Voice(stall_at_ms=300, stall_ms=60_000)), policy=TtsPolicy(gap_ms=700))
    assert pcm_ms(result.audio, 24000) == 300
    assert result.error.error_class is ErrorClass.TIMEOUT
    assert "700 ms" in str(result.error)


def test_a_short_stall_is_waited_for():
    result = speak(tts(Voice(stall_at_ms=300, stall_ms=1900)))
    assert result.error is None
    assert pcm_ms(result.audio, 24000) == 1200


@pytest.mark.parametrize(
    ("voice", "detail"),
    [
        (Voice(actual_srate_hz=16000), "16000 Hz"),
        (Voice(odd=True), "odd"),
        (Voice(empty=True), "no audio"),
    ],
)
def test_bad_output_falls_back(voice, detail):
    result = speak(tts(voice), tts(name="b"))
    assert result.story[0] == ("a", Outcome.FAILED, ErrorClass.BAD_OUTPUT, NextStep.FALLBACK)
    assert detail in result.reports[0].detail
    assert pcm_ms(result.audio, 24000) == 1200


def test_rate_change_mid_stream_is_an_error():
    result = speak(RawTts(TtsAudio(bytes(960), 24000), TtsAudio(bytes(960), 8000)))
    assert len(result.events) == 1
    assert result.error.error_class is ErrorClass.BAD_OUTPUT


def test_endless_audio_is_stopped():
    result = speak(tts(Voice(endless=True)))
    assert result.error.error_class is ErrorClass.BAD_OUTPUT
    assert pcm_ms(result.audio, 24000) <= 4000 + 250 * len(HELLO.text)


def test_endless_nothing_is_stopped():
    def empties(log):
        async def body():
            while True:
                yield TtsAudio(b"", 24000)

        return body()

    result = speak(RawTts(body=empties), policy=TtsPolicy(max_events=500))
    assert result.error.error_class is ErrorClass.BAD_OUTPUT


def test_slow_drip_of_nothing_times_out():
    def drip(log):
        async def body():
            while True:
                await asyncio.sleep(0.4)
                yield TtsAudio(b"", 24000)

        return body()

    result = speak(RawTts(body=drip), policy=TtsPolicy(first_ms=1000, retries=0))
    assert result.error.error_class is ErrorClass.TIMEOUT
    assert result.ended_us == 1_000_000


def test_impossible_words_are_dropped():
    good = TtsWord(0, 5, 0, 300)
    bad = [TtsWord(0, 99, 0, 1), TtsWord(5, 5, 0, 1), TtsWord(0, 5, 9, 1), TtsWord(-1, 5, 0, 1)]
    audio = TtsAudio(bytes(4800), 24000)
    assert speak(RawTts(good, *bad, audio)).events == [good, audio]


def test_nothing_to_speak_is_no_error():
    assert speak(tts(Voice(empty=True)), request=TtsRequest(" … ")).error is None


def test_not_an_event():
    assert speak(RawTts("hello")).error.error_class is ErrorClass.BAD_OUTPUT


def test_run_that_raises_at_once():
    class Broken(RawTts):
        def run(self, request):
            raise KeyError("secret words")

    result = speak(Broken(), tts(name="b"))
    assert result.story[0][2] is ErrorClass.INTERNAL
    assert "secret" not in result.reports[0].detail
    assert result.error is None


def test_iterator_without_aclose():
    class Plain:
        def __init__(self):
            self.left = [TtsAudio(bytes(4800), 24000)]

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

    class PlainTts(RawTts):
        def run(self, request):
            return Plain()

    assert len(speak(PlainTts()).events) == 1


def test_breaker_opens_after_three_and_closes_after_the_rest():
    broken = tts(*[Voice(error=ErrorClass.AUTH)] * 4, Voice())

    async def main():
        driver = TtsDriver((broken, tts(name="b")), now_us)
        stories = []
        for wait_s in (0, 0, 0, 0, 31, 0, 31, 0):
            await asyncio.sleep(wait_s)
            stories.append([(p, o) for p, o, *_ in (await read(driver, HELLO)).story])
        return stories

    failed, skipped = ("a", Outcome.FAILED), ("a", Outcome.SKIPPED)
    b, a = ("b", Outcome.OK), ("a", Outcome.OK)
    assert run_virtual(main()) == [
        [failed, b],
        [failed, b],
        [failed, b],
        [skipped, b],
        [failed, b],  # one more try after the rest, and it rests again
        [skipped, b],
        [a],
        [a],
    ]


def test_everybody_rests():
    results = speak(tts(Voice(hang=True)), policy=NO_RETRY, times=4)
    assert results[3].error.error_class is ErrorClass.UNAVAILABLE
    assert results[3].story == [("a", Outcome.SKIPPED, None, NextStep.RAISE)]
    assert results[3].ended_us == results[2].ended_us


def test_breaker_opens_between_retries():
    result = speak(tts(Voice(error=ErrorClass.UNAVAILABLE)), policy=TtsPolicy(retries=9))
    assert [s[3] for s in result.story] == [NextStep.RETRY, NextStep.RETRY, NextStep.RAISE]


def test_what_we_sent_is_no_mark_against_the_provider():
    results = speak(tts(*[Voice(error=ErrorClass.BAD_INPUT)] * 3, Voice()), times=4)
    assert results[3].error is None


def test_the_reader_may_be_slow():
    async def main():
        driver = TtsDriver((tts(),), now_us, TtsPolicy(first_ms=200, gap_ms=100, total_ms=500))
        count = 0
        async with aclosing(driver.run(HELLO)) as stream:
            async for _ in stream:
                count += 1
                await asyncio.sleep(2)
        return count

    assert run_virtual(main()) == 12


def test_provider_that_cancels_itself_is_a_crash():
    def cancelled(log):
        async def body():
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
            yield

        return body()

    result = speak(RawTts(body=cancelled), policy=NO_RETRY)
    assert result.error.error_class is ErrorClass.CRASHED


def stuck(log):
    """Does not want to go: waits in its clean-up."""

    async def body():
        try:
            await asyncio.sleep(1000)
            yield
        finally:
            log.append("cleanup")
            await asyncio.sleep(1000)
            log.append("never")

    return body()


def test_clean_up_is_bounded_after_a_timeout():
    raw = RawTts(body=stuck)
    result = speak(raw, policy=TtsPolicy(first_ms=1000, retries=0, close_ms=300))
    assert result.error.error_class is ErrorClass.TIMEOUT
    assert raw.log == ["cleanup", "closed"]
    assert result.ended_us == 1_300_000


def test_clean_up_is_bounded_on_close_between_events():
    def body_of(log):
        async def body():
            try:
                yield TtsAudio(bytes(4800), 24000)
            finally:
                await asyncio.sleep(1000)

        return body()

    async def main():
        driver = TtsDriver((RawTts(body=body_of),), now_us, TtsPolicy(close_ms=300))
        reports = []
        stream = driver.run(HELLO, on_report=reports.append)
        await anext(stream)
        await stream.aclose()
        await stream.aclose()
        return now_us(), reports

    ended_us, (report,) = run_virtual(main())
    assert ended_us == 300_000
    assert (report.outcome, report.clean) == (Outcome.CLOSED, False)


@pytest.mark.parametrize("how", ["raises", "cancels"])
def test_clean_up_that_fails_is_reported(how):
    def body_of(log):
        async def body():
            try:
                yield TtsAudio(bytes(4800), 24000)
            finally:
                if how == "raises":
                    raise KeyError("oops")
                raise asyncio.CancelledError

        return body()

    async def main():
        reports = []
        stream = TtsDriver((RawTts(body=body_of),), now_us).run(HELLO, on_report=reports.append)
        await anext(stream)
        await stream.aclose()
        return reports

    assert not run_virtual(main())[0].clean


def test_cancel_at_every_moment():
    """A reader cancelled at any time ends at once, as cancelled, and leaves nothing behind."""

    async def cancelled_after(ms):
        provider = tts(Voice(error=ErrorClass.UNAVAILABLE), Voice(stall_at_ms=300, stall_ms=500))
        driver = TtsDriver((provider, tts(name="b")), now_us)
        result = Result()
        begin_us = now_us()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(read(driver, HELLO, result))
            await asyncio.sleep(ms / 1000)
            task.cancel()
        late_us = now_us() - begin_us - ms * 1000
        return task, late_us, result

    async def main():
        return [await cancelled_after(ms) for ms in range(0, 760, 5)]

    outcomes = run_virtual(main())
    assert sum(task.cancelled() for task, *_ in outcomes) > 140
    for _, late_us, result in outcomes:
        assert late_us < 1000
        assert result.error is None
    closed = [r for *_, r in outcomes if r.reports and r.reports[-1].outcome is Outcome.CLOSED]
    assert len(closed) > 130


def test_close_from_another_task_at_every_moment():
    async def closed_after(ms):
        driver = TtsDriver((tts(Voice(stall_at_ms=300, stall_ms=500)),), now_us)
        result = Result()
        stream = driver.run(HELLO, on_report=result.reports.append)

        async def reader():
            async for event in stream:
                result.events.append(event)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(reader())
            await asyncio.sleep(ms / 1000)
            closers = [group.create_task(stream.aclose()) for _ in range(2)]
            await asyncio.wait([task, *closers], timeout=0.001)
            assert task.done()
            assert all(c.done() for c in closers)
        with suppress(StopAsyncIteration):
            await anext(stream)
            raise AssertionError("a closed stream gave an event")
        return result

    async def main():
        return [await closed_after(ms) for ms in range(0, 700, 5)]

    assert all(r.error is None for r in run_virtual(main()))


def test_closing_a_stuck_provider_from_another_task():
    async def main():
        driver = TtsDriver((RawTts(body=stuck),), now_us, TtsPolicy(close_ms=300))
        stream = driver.run(HELLO)

        async def reader():
            return [event async for event in stream]

        async with asyncio.TaskGroup() as group:
            group.create_task(reader())
            await asyncio.sleep(0.1)
            await stream.aclose()
        return now_us()

    assert run_virtual(main()) == 400_000


def test_closing_a_provider_that_ignores_everything():
    def deaf(log):
        async def body():
            for _ in range(20):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(1)
            yield TtsAudio(bytes(4800), 24000)

        return body()

    async def main():
        driver = TtsDriver((RawTts(body=deaf),), now_us, TtsPolicy(close_ms=300))
        stream = driver.run(HELLO)

        async def reader():
            return [event async for event in stream]

        async with asyncio.TaskGroup() as group:
            group.create_task(reader())
            await asyncio.sleep(0.1)
            await stream.aclose()
            return now_us()

    assert run_virtual(main()) == 700_000


def test_cancelled_while_the_clean_up_waits():
    async def main():
        driver = TtsDriver((RawTts(body=stuck),), now_us, TtsPolicy(first_ms=2000, close_ms=300))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(read(driver, HELLO))
            await asyncio.sleep(0.1)
            task.cancel()
        return task.cancelled(), now_us()

    cancelled, ended_us = run_virtual(main())
    assert cancelled
    assert ended_us <= 2_300_000


def test_close_before_the_first_step():
    async def main():
        provider = tts()
        reports = []
        stream = TtsDriver((provider,), now_us).run(HELLO, on_report=reports.append)
        await stream.aclose()
        return provider.requests, reports

    assert run_virtual(main()) == ([], [])


def test_a_timeout_of_the_reader_stays_its_own():
    async def main():
        driver = TtsDriver((tts(Voice(hang=True)),), now_us)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await read(driver, HELLO)
        return now_us()

    assert run_virtual(main()) == 500_000


def test_aclose_closes_all_and_survives_a_bad_one():
    class Bad(RawTts):
        async def aclose(self):
            raise OSError

    class Slow(RawTts):
        async def aclose(self):
            await asyncio.sleep(1000)

    good = tts(name="b")

    async def main():
        await TtsDriver((Bad(), Slow(), good), now_us).aclose()
        return now_us()

    assert run_virtual(main()) == 500_000
    assert good.closed


def test_info_and_no_provider():
    assert TtsDriver((tts(),), lambda: 0).info.name == "a"
    assert LlmDriver((ScriptedLlm([]),), lambda: 0).info.name == "scripted-llm"
    with pytest.raises(ConfigError):
        TtsDriver((), lambda: 0)


def test_llm_answers():
    result = answer(ScriptedLlm([[Say("One moment. "), Call("find", {"n": 4}), End()]]))
    assert result.text == "One moment. "
    assert result.events[-2:] == [ToolCall("call_1", "find", '{"n": 4}'), LlmHangup()]


def test_llm_falls_back_before_the_first_text_only():
    early = ScriptedLlm([[Fail(ErrorClass.RATE_LIMITED)]], name="a")
    assert answer(early, ScriptedLlm(["Hi."], name="b")).text == "Hi."
    late = ScriptedLlm([[Say("One"), Fail(ErrorClass.RATE_LIMITED)]], name="a")
    result = answer(late, ScriptedLlm(["Hi."], name="b"))
    assert result.text == "One"
    assert result.error.error_class is ErrorClass.RATE_LIMITED


def test_llm_hangs_mid_sentence():
    result = answer(ScriptedLlm([[Say("Well, "), Hang()]]), policy=LlmPolicy(gap_ms=1000))
    assert result.text == "Well, "
    assert result.error.error_class is ErrorClass.TIMEOUT


def test_llm_white_space_is_kept_back():
    blank = RawLlm(LlmText(""), LlmText("\n "), LlmUsage(1, 2))
    result = answer(blank, ScriptedLlm(["Hi."]), policy=LlmPolicy(retries=0))
    assert result.story[0][2] is ErrorClass.BAD_OUTPUT
    assert result.text == "Hi."
    usage = LlmUsage(5, 6)
    assert answer(RawLlm(LlmText(" "), usage, LlmText("Hi"), usage)).events == [
        LlmText(" "),
        usage,
        LlmText("Hi"),
        usage,
    ]


@pytest.mark.parametrize("arguments", ["{", "[1]", "3"])
def test_llm_unreadable_arguments(arguments):
    result = answer(RawLlm(ToolCall("1", "find", arguments)))
    assert result.error.error_class is ErrorClass.BAD_OUTPUT


@pytest.mark.parametrize("arguments", ["", " ", "{}", '{"a": 1}'])
def test_llm_readable_arguments(arguments):
    assert answer(RawLlm(ToolCall("1", "find", arguments))).error is None


def test_llm_that_talks_for_ever():
    result = answer(ScriptedLlm(["word " * 100]), policy=LlmPolicy(max_chars=50))
    assert len(result.text) <= 50
    assert result.error.error_class is ErrorClass.BAD_OUTPUT


def test_llm_gives_something_else():
    assert answer(RawLlm(42)).error.error_class is ErrorClass.BAD_OUTPUT


def test_llm_aclose():
    model = ScriptedLlm([])
    run_virtual(LlmDriver((model,), now_us).aclose())
    assert model.closed


def test_a_timeout_that_is_not_the_streams_own_passes():
    async def events():
        raise TimeoutError
        yield

    with pytest.raises(TimeoutError):
        run_virtual(anext(SlotStream(events(), 100)))


def test_cancelled_while_closing():
    def body_of(log):
        async def body():
            try:
                yield TtsAudio(bytes(4800), 24000)
            finally:
                await asyncio.sleep(1000)

        return body()

    async def main():
        stream = TtsDriver((RawTts(body=body_of),), now_us, TtsPolicy(close_ms=300)).run(HELLO)
        await anext(stream)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(stream.aclose())
            await asyncio.sleep(0.1)
            task.cancel()
        return task.cancelled(), now_us()

    assert run_virtual(main()) == (True, 100_000)
