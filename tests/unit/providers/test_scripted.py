import array
import json

import pytest

from mediacore.errors import ConfigError, ErrorClass, ProviderError
from mediacore.providers.scripted import (
    End,
    Fail,
    Heard,
    Say,
    ScriptedLlm,
    ScriptedStt,
    ScriptedTts,
    Voice,
    spoken_words,
    voiced_audio,
)
from mediacore.slots.audio import PcmBlock
from mediacore.slots.llm import LlmHangup, LlmRequest, LlmText, ToolCall
from mediacore.slots.stt import SttFinal, SttPartial
from mediacore.slots.tts import TtsAudio, TtsRequest, TtsWord
from virtual import now_us, run_virtual

ASK = LlmRequest(())


def collect(events):
    async def main():
        return [event async for event in events]

    return run_virtual(main())


def test_audio_is_long_as_the_text_and_silent_between_words():
    pcm = array.array("h", voiced_audio("One two.", 8000, 60))
    assert len(pcm) == 8 * 60 * 8
    gap = pcm[3 * 480 : 4 * 480]
    assert not any(gap)
    assert max(pcm) > 7000
    assert not any(pcm[7 * 480 :])
    assert pcm[0] == 0
    assert voiced_audio("One two.", 8000, 60) == pcm.tobytes()
    assert voiced_audio("", 8000, 60) == b""


def test_word_times_match_the_audio():
    assert list(spoken_words("One two.", 60)) == [TtsWord(0, 3, 0, 180), TtsWord(4, 8, 240, 480)]


def test_tts_script_moves_on_and_keeps_the_last():
    tts = ScriptedTts((Voice(empty=True), Voice(burst=True)), srate_hz=8000, word_times=True)
    assert collect(tts.run(TtsRequest("Hi."))) == []
    for _ in range(2):
        events = collect(tts.run(TtsRequest("Hi.")))
        assert [type(e) for e in events] == [TtsWord, TtsAudio]
    assert len(tts.requests) == 3
    with pytest.raises(ConfigError):
        ScriptedTts(())


def test_tts_endless_nothing_ends():
    assert collect(ScriptedTts((Voice(endless=True),)).run(TtsRequest(""))) == []


def test_stt_partials_follow_the_audio():
    stt = ScriptedStt([Heard("Hello you.", ((100, "Hel"), (100, "Hello"), (900, "late")))])

    async def audio():
        for n in range(20):
            speech = 5 <= n < 14
            yield PcmBlock(bytes(640), 16000, n * 320, speech=speech, ends_speech=n == 14)
        yield PcmBlock(bytes(640), 16000, 20 * 320, ends_speech=True)

    events = collect(stt.run(audio()))
    assert events == [
        SttPartial("Hel", 10 * 320),
        SttPartial("Hello", 10 * 320),
        SttFinal("Hello you.", 15 * 320, 1.0),
        SttFinal("", 21 * 320, 1.0),
    ]
    assert stt.used == 2
    run_virtual(stt.aclose())
    assert stt.closed


def test_llm_pieces_and_end_of_script():
    llm = ScriptedLlm(["Hi  there, you. "], first_delay_ms=100, word_delay_ms=10)

    async def main():
        first = [event async for event in llm.run(ASK)]
        return first, now_us(), [event async for event in llm.run(ASK)]

    first, at_us, second = run_virtual(main())
    assert first == [LlmText("Hi"), LlmText("  there,"), LlmText(" you. ")]
    assert at_us == 130_000
    assert second == [LlmHangup("script_ended")]
    assert len(llm.requests) == 2


def test_llm_failure():
    llm = ScriptedLlm([[Say("A"), Fail(ErrorClass.AUTH), End()]])
    with pytest.raises(ProviderError):
        collect(llm.run(ASK))


YAML = """
- Hello.
- - One moment.
  - call: find_order
    arguments: {number: "471"}
    delay_ms: 20
- {say: It is there., delay_ms: 1000}
- {fail: rate_limited}
- [{hang: true}]
- [Bye., {hangup: done}]
"""


@pytest.mark.parametrize("as_json", [False, True])
def test_llm_from_file(tmp_path, as_json):
    import yaml

    path = tmp_path / ("script.json" if as_json else "script.yaml")
    path.write_text(json.dumps(yaml.safe_load(YAML)) if as_json else YAML)
    llm = ScriptedLlm.from_file(path)
    assert collect(llm.run(ASK)) == [LlmText("Hello.")]
    assert collect(llm.run(ASK))[-1] == ToolCall("call_1", "find_order", '{"number": "471"}')
    assert "".join(e.text for e in collect(llm.run(ASK))) == "It is there."
    with pytest.raises(ProviderError) as caught:
        collect(llm.run(ASK))
    assert caught.value.error_class is ErrorClass.RATE_LIMITED
    collect(llm.run(ASK))
    assert collect(llm.run(ASK)) == [LlmText("Bye."), LlmHangup("done")]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1",
        "- 7",
        "- [[x]]",
        "- {fail: sometimes}",
        "- {fail: 3}",
        "- {say: x, delay_ms: soon}",
        "- {say: x, delay_ms: -1}",
        "- {call: x}",
        "- {hang: false}",
        "- {whistle: x}",
        "{",
    ],
)
def test_bad_scripts(tmp_path, text):
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"script\.yaml"):
        ScriptedLlm.from_file(path)


def test_missing_script(tmp_path):
    with pytest.raises(ConfigError, match="none"):
        ScriptedLlm.from_file(tmp_path / "none.yaml")
