"""RELAY clients of the published SDKs, unmodified, steering whole calls with real RTP."""

from __future__ import annotations

import asyncio
import json
import socket
import wave
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediacore._core import Codec
from mediacore.control import TlsFiles
from mediacore.control.selfsigned import make_self_signed
from mediacore.runtime.settings import RunSettings
from mediacore.slots.gateway import LineEnd
from mediacore.wire.limits import RelayLimits
from support.handset import SPEECH_DBOV, Handset, levels_dbov, tone_dbov, tone_wav
from support.sdk import SDK_110, SDK_375, sdk_python
from support.sdk_program import SdkProgram, sdk_program
from support.service_sim import Asked, Rule, Stage, spoken

# The first test also makes the SDK's environment when there is none.
pytestmark = [pytest.mark.realtime, pytest.mark.timeout(240)]

FIRST_HZ, SECOND_HZ, FILE_HZ = 800, 1500, 1100
OTHER, THIRD = "+15557777", "+15558888"


@pytest.fixture(params=[SDK_375, SDK_110])
def python(request: pytest.FixtureRequest) -> Path:
    return sdk_python(request.param)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_self_signed(tmp_path_factory.mktemp("tls"))


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


@asynccontextmanager
async def controlled(
    python: Path,
    tls: TlsFiles,
    path: Path,
    scene: str,
    given: Any = None,
    rules: Sequence[Rule] = (),
    prepare: Callable[[Stage], object] = lambda stage: None,
    **more: Any,
) -> AsyncIterator[tuple[Stage, SdkProgram]]:
    """A service without a document, and a controller that is connected."""
    stage = Stage(path, rules=rules, control=True, tls=tls, **more)
    trust = {"SIGNALWIRE_RELAY_CA_FILE": str(tls.cert), "SSL_CERT_FILE": str(tls.cert)}
    async with stage:
        prepare(stage)
        place = stage.address.replace("127.0.0.1", "localhost")
        arguments = (scene, place, json.dumps(given or {}))
        with sdk_program(python, "relay_whole.py", *arguments, env=trust) as program:
            await program.said("connected")
            yield stage, program


def test_voice_and_digits(python: Path, tls: TlsFiles, tmp_path: Path) -> None:
    def reply(asked: Asked) -> object:
        return tone_wav(FILE_HZ, 800)

    async def main() -> None:
        given = {"audio": "http://media.example/tone.wav"}
        more: dict[str, Any] = {"hosts": ["media.example"], "reply": reply}
        async with controlled(python, tls, tmp_path, "voice", given, **more) as (stage, program):
            caller = await stage.call()
            play = await program.said("play")
            assert play["params"]["state"] == "finished"
            assert caller.tone_dbov(FILE_HZ) > -30
            assert "Hello there" in [request.text for request in stage.tts.requests]
            await caller.until(lambda: caller.speaking)
            caller.press("42#")
            asked = (await program.said("asked"))["params"]["result"]
            assert asked["type"] == "digit"
            assert asked["params"] == {"digits": "42", "terminator": "#"}
            caller.press("77")
            collected = (await program.said("collect"))["params"]["result"]
            assert collected["params"]["digits"] == "77"
            assert (await program.said("ended"))["params"]["end_reason"] == "hangup"
            assert await caller.gone() is LineEnd.HANGUP
            assert await program.ended() == 0

    run(main())


async def listen(phone: Handset) -> None:
    await phone.gone()


class Receiver:
    """An RTP receiver of PCMU."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])

    def take(self) -> bytes:
        """What came, decoded."""
        codec, pcm = Codec("PCMU"), b""
        while True:
            try:
                datagram = self._socket.recv(2048)
            except BlockingIOError:
                return pcm
            assert datagram[0] == 0x80 and datagram[1] & 0x7F == 0
            pcm += codec.decode(datagram[12:])

    def close(self) -> None:
        self._socket.close()


def test_recording_detection_tap_and_hold(python: Path, tls: TlsFiles, tmp_path: Path) -> None:
    receiver = Receiver()

    async def main() -> None:
        given = {"port": receiver.port}
        async with controlled(python, tls, tmp_path, "media", given) as (stage, program):
            caller = await stage.call()
            await program.said("detecting")
            await caller.say("hello yes", 50)
            found = (await program.said("detect"))["params"]["detect"]
            assert (found["type"], found["params"]["event"]) == ("machine", "HUMAN")

            await program.said("recording")
            await caller.say("this is my message to you", 60)
            record = (await program.said("record"))["params"]
            assert record["state"] == "finished"
            check_recording(record)

            await program.said("tapping")
            await caller.whistle(FIRST_HZ, 700)
            tap = (await program.said("tap"))["params"]
            assert tap["state"] == "finished"
            assert tone_dbov(receiver.take(), 8000, FIRST_HZ) > -30

            await program.said("sent")
            await caller.until(lambda: caller.digits == "159")

            await program.said("held")
            states = [event["state"] for event in stage.of("call.hold")]
            assert states[:1] == ["hold"]
            assert (await program.said("play"))["params"]["state"] == "finished"
            assert [event["state"] for event in stage.of("call.hold")] == ["hold", "unhold"]
            assert (await program.said("ended"))["params"]["end_reason"] == "hangup"
            await caller.gone()
            assert await program.ended() == 0

    try:
        run(main())
    finally:
        receiver.close()


def check_recording(record: dict[str, Any]) -> None:
    """The file is there, as long as it says, and has the caller's voice in it."""
    file = Path(record["url"].removeprefix("file://"))
    with wave.open(str(file)) as audio:
        rate, frames = audio.getframerate(), audio.getnframes()
        pcm = audio.readframes(frames)
        assert audio.getnchannels() == 1
    seconds = frames / rate
    assert record["duration"] == pytest.approx(seconds, abs=0.1)
    assert 1.5 <= seconds <= 4
    assert file.stat().st_size == record["size"]
    levels = levels_dbov(pcm, rate)
    sound_ms = 20 * int((levels > SPEECH_DBOV).sum())
    assert sound_ms == pytest.approx(60 * len("thisismymessagetoyou"), abs=150)
    assert -25 < max(levels) < -8


def test_a_connected_phone_hears_and_is_heard(python: Path, tls: TlsFiles, tmp_path: Path) -> None:
    async def main() -> None:
        async with controlled(python, tls, tmp_path, "connect", {"to": OTHER}) as (stage, program):

            async def other(phone: Handset) -> None:
                await phone.whistle(SECOND_HZ, 1000)
                await phone.until(lambda: phone.tone_dbov(FIRST_HZ) > -40)
                await asyncio.sleep(1.2)
                phone.hang_up()

            phones = stage.phone(OTHER, other, ring_ms=1200)
            caller = await stage.call()
            await caller.until(lambda: caller.speaking)  # the ringback
            await stage.until(lambda: phones)
            bridged = caller.heard_ms
            await caller.until(lambda: caller.tone_dbov(SECOND_HZ, bridged) > -40)
            await caller.whistle(FIRST_HZ, 1000)
            await stage.until(lambda: phones[0].over)
            assert caller.tone_dbov(SECOND_HZ, bridged) == pytest.approx(-15, abs=3)
            assert phones[0].tone_dbov(FIRST_HZ) == pytest.approx(-15, abs=3)
            await stage.until(lambda: len(program.all("told")) >= 3)
            states = [told["params"]["connect_state"] for told in program.all("told")]
            assert states == ["connecting", "connected", "disconnected"]
            peer = program.all("told")[1]["params"]["peer"]
            assert peer["device"]["params"]["to_number"] == OTHER
            caller.hang_up()
            assert (await program.said("ended"))["params"]["call_state"] == "ended"
            assert await program.ended() == 0

    run(main())


def test_an_agent_started_whispered_to_stopped_and_a_transfer(
    python: Path, tls: TlsFiles, tmp_path: Path
) -> None:
    rules: list[Rule] = [("say the word", "The word is banana"), ("", "Yes")]
    document = {
        "version": "1.0.0",
        "sections": {"main": [{"play": "say:the document speaks"}, {"hangup": {}}]},
    }

    async def main() -> None:
        given = {"whisper": "Please say the word", "dest": "http://docs.example/next.json"}
        more: dict[str, Any] = {"hosts": ["docs.example"], "reply": lambda asked: document}
        async with controlled(python, tls, tmp_path, "agent", given, rules, **more) as (
            stage,
            program,
        ):
            caller = await stage.call()
            await program.said("whispered")
            await stage.until(lambda: "The word is banana" in texts(stage))
            over = (await program.said("ai_over"))["params"]
            assert over["state"] == "finished"
            assert (await program.said("play"))["params"]["state"] == "finished"
            assert (await program.said("ended"))["params"]["end_reason"] == "hangup"
            await caller.gone()
            record = await stage.record()
            assert ("agent", "The word is banana") in spoken(record)
            assert "the document speaks" in texts(stage)
            body = stage.asked[0].body
            assert body["call"]["call_id"] == record.call_id
            assert await program.ended() == 0

    run(main())


def texts(stage: Stage) -> list[str]:
    return [request.text for request in stage.tts.requests]


def test_no_action_waits_for_ever_when_the_caller_hangs_up(
    python: Path, tls: TlsFiles, tmp_path: Path
) -> None:
    receiver = Receiver()

    async def main() -> None:
        given = {"port": receiver.port}
        async with controlled(python, tls, tmp_path, "open_actions", given) as (stage, program):
            caller = await stage.call()
            await program.said("open")
            await asyncio.sleep(0.5)
            caller.hang_up()
            for name in ("play", "collect", "record", "detect", "tap"):
                assert (await program.said(name))["params"]
            assert (await program.said("ended"))["params"]["call_state"] == "ended"
            assert await program.ended() == 0

    try:
        run(main())
    finally:
        receiver.close()


def test_a_dialled_phone_answers(python: Path, tls: TlsFiles, tmp_path: Path) -> None:
    phones: list[Handset] = []

    async def main() -> None:
        given = {"to": [[OTHER]]}

        def prepare(stage: Stage) -> None:
            stage.phone(OTHER, listen, into=phones, ring_ms=300)

        async with controlled(python, tls, tmp_path, "dial", given, prepare=prepare) as (
            stage,
            program,
        ):
            dialled = await program.said("dialled")
            assert dialled["state"] == "answered"
            assert dialled["device"]["params"]["to_number"] == OTHER
            assert (await program.said("play"))["params"]["state"] == "finished"
            assert (await program.said("ended"))["params"]["end_reason"] == "hangup"
            assert await program.ended() == 0
            assert phones[0].sound_ms() > 300
            states = [event["call_state"] for event in stage.of("call.state")]
            assert states[0] == "created" and states[-1] == "ended"

    run(main())


@pytest.mark.parametrize("how", ["busy", "no answer"])
def test_a_dialled_phone_does_not_answer(
    how: str, python: Path, tls: TlsFiles, tmp_path: Path
) -> None:
    reasons = {"busy": "busy", "no answer": "noAnswer"}

    def prepare(stage: Stage) -> None:
        if how == "busy":
            stage.busy(OTHER)
        else:
            stage.silent(OTHER)

    async def main() -> None:
        given = {"to": [[OTHER]], "timeout": 1}
        async with controlled(python, tls, tmp_path, "dial", given, prepare=prepare) as (
            stage,
            program,
        ):
            refused = await program.said("refused")
            assert "failed" in refused["why"].lower()
            assert [event["dial_state"] for event in stage.of("call.dial")][-1:] == ["failed"]
            ends = [e["end_reason"] for e in stage.of("call.state") if e["call_state"] == "ended"]
            assert ends == [reasons[how]]
            assert await program.ended() == 0

    run(main())


def test_the_first_of_two_phones_wins(python: Path, tls: TlsFiles, tmp_path: Path) -> None:
    phones: list[Handset] = []
    ends: list[LineEnd] = []

    def prepare(stage: Stage) -> None:
        stage.phone(OTHER, listen, into=phones, ring_ms=500)
        stage.silent(THIRD, into=ends)

    async def main() -> None:
        given = {"to": [[OTHER, THIRD]]}
        async with controlled(python, tls, tmp_path, "dial", given, prepare=prepare) as (
            stage,
            program,
        ):
            dialled = await program.said("dialled")
            assert dialled["device"]["params"]["to_number"] == OTHER
            await stage.until(lambda: ends)
            assert ends == [LineEnd.CANCEL]
            await program.said("ended")
            assert await program.ended() == 0
            assert len(phones) == 1
            states = [event["dial_state"] for event in stage.of("call.dial")]
            assert [state for state in states if state != "dialing"] == ["answered"]

    run(main())


def test_a_call_survives_its_controller(python: Path, tls: TlsFiles, tmp_path: Path) -> None:
    """What was ordered goes on; then the rule for calls that nobody has ends it."""

    def soon(settings: RunSettings) -> RunSettings:
        return replace(settings, idle_ms=1_000)

    async def main() -> None:
        more: dict[str, Any] = {
            "options": {"settings": soon},
            "relay": RelayLimits(keep_us=300_000),
        }
        async with controlled(python, tls, tmp_path, "stay", {"times": 3}, **more) as (
            stage,
            program,
        ):
            caller = await stage.call()
            await program.said("playing")
            await caller.until(lambda: caller.speaking)
            program.stop()
            stopped = caller.heard_ms
            await caller.until(lambda: not caller.speaking)
            assert caller.sound_ms(stopped) > 500
            assert [event["state"] for event in stage.of("call.play")][-1:] == ["finished"]
            assert not caller.over
            assert await caller.gone() is LineEnd.ABANDONED
            assert (await stage.record()).end_reason == "abandoned"

    run(main())
