"""Whole calls on virtual time: documents, controllers, parties, the agent, and every way to end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediacore.audiofile import decode_audio
from mediacore.call.record import MarkKind, UtteranceState
from mediacore.errors import MediacoreError
from mediacore.providers.scripted import Call, End, Say, ScriptedLlm, ScriptedStt, ScriptedTts
from mediacore.runtime.ports import Answer, Command
from mediacore.session import runner as runner_module
from mediacore.slots.gateway import LineEnd
from mediacore.web.client import HttpReply, HttpRequest
from support.host_sim import ALL, HostSim, Phone, listen, loud_ms, run_on
from virtual import VirtualLoop, run_virtual

Scene = Callable[[HostSim], Awaitable[None]]


def play(sim: HostSim, scene: Scene | None = None, act: Any = listen) -> HostSim:
    """One incoming call with a phone, to its end."""

    async def main() -> None:
        async with sim:
            sim.call(act)
            if scene is not None:
                await scene(sim)
            await sim.idle()
        sim.assert_settled()

    run_virtual(main())
    return sim


def ai(**params: object) -> dict[str, object]:
    """An `ai` statement with a greeting."""
    given = {"static_greeting": "Hello, how can I help?", **params}
    return {"ai": {"prompt": {"text": "Be brief."}, "params": given}}


# -- documents


def test_an_ivr_asks_hears_digits_and_hangs_up(tmp_path: Path) -> None:
    async def caller(phone: Phone) -> None:
        await phone.up()
        await asyncio.sleep(3)
        await phone.press("1")
        await phone.wait_gone()

    document = [
        {"answer": {}},
        {"prompt": {"play": "say:press one", "max_digits": 1}},
        {"cond": [{"when": "prompt_value == '1'", "then": [{"play": "say:yes one"}]}]},
        {"hangup": {}},
    ]
    tts = ScriptedTts()
    sim = play(HostSim(tmp_path, document, tts=tts), act=caller)
    record = sim.kept[0]
    assert record.end_reason == "hangup"
    assert [m.label for m in record.marks if m.kind is MarkKind.DIGIT] == ["1"]
    assert sim.told("state", "call_state") == ["ringing", "answered", "ending", "ended"]
    assert [r.text for r in tts.requests] == ["press one", "yes one"]


def test_a_recording_holds_both_sides(tmp_path: Path) -> None:
    async def caller(phone: Phone) -> None:
        await phone.up()
        await asyncio.sleep(1.5)
        await phone.say("Good morning to you")
        await phone.wait_gone()

    document = [
        {"answer": {}},
        {"record_call": {"stereo": True}},
        {"play": "say:welcome here"},
        {"sleep": 3000},
        {"hangup": {}},
    ]
    sim = play(HostSim(tmp_path, document), act=caller)
    assert sim.told("record") == ["recording", "finished"]
    url = sim.told("record", "url")[-1]
    data = Path(url.removeprefix("file://")).read_bytes()
    assert decode_audio(data, url, 8000).pcm
    assert data[22] == 2  # channels
    assert len(data) > 4 * 8000 * 3
    assert (tmp_path / "call-1" / "call.json").exists()
    assert Path(url.removeprefix("file://")).parent == tmp_path / "call-1"


def test_a_party_is_connected_and_heard(tmp_path: Path) -> None:
    heard: dict[str, int] = {}

    async def caller(phone: Phone) -> None:
        await phone.up()
        await asyncio.sleep(1.0)
        before = len(phone.sent())
        await phone.say("Is this the shop")
        await asyncio.sleep(2.0)
        heard["caller"] = loud_ms(phone.sent()[before:])
        await phone.wait_gone()

    async def shop(phone: Phone) -> None:
        await asyncio.sleep(0.4)
        phone.answer()
        await phone.up()
        await asyncio.sleep(2.0)
        heard["shop"] = loud_ms(phone.sent())
        await phone.say("Yes this is the shop")
        await asyncio.sleep(0.5)
        phone.end()

    document = [
        {"answer": {}},
        {"connect": {"to": "+1777", "timeout": 5}},
        {"play": "say:done"},
        {"hangup": {}},
    ]
    sim = play(HostSim(tmp_path, document, phones={"+1777": shop}), act=caller)
    assert heard["shop"] > 500  # the caller's words came through
    assert heard["caller"] > 500
    assert sim.told("connect", "connect_state")[-2:] == ["connected", "disconnected"]
    assert sim.kept[0].end_reason == "hangup"


def test_who_does_not_answer_is_given_up(tmp_path: Path) -> None:
    async def silent(phone: Phone) -> None:
        await phone.wait_gone()

    document = [
        {"answer": {}},
        {"connect": {"serial": [{"to": "+1777"}, {"to": "+1888"}], "timeout": 2}},
        {"play": "say:nobody"},
        {"hangup": {}},
    ]
    sim = play(HostSim(tmp_path, document, phones={"+1777": silent}))
    assert sim.told("connect", "connect_state")[-1] == "failed"
    assert sim.kept[0].end_reason == "hangup"


def test_requests_and_status_posts_go_out(tmp_path: Path) -> None:
    def web(request: HttpRequest) -> HttpReply:
        return HttpReply(200, {}, b'{"name": "Ann"}')

    async def scene(sim: HostSim) -> None:
        sim.client.script = web

    document = [
        {"answer": {}},
        {"request": {"url": "https://a.test/x", "method": "GET", "save_variables": True}},
        {"record_call": {"status_url": "https://a.test/status"}},
        {"play": "say:%{request_response.name}"},
        {"hangup": {}},
    ]
    tts = ScriptedTts()
    sim = play(HostSim(tmp_path, document, tts=tts), scene)
    assert [r.text for r in tts.requests] == ["Ann"]
    told = [r.url for r in sim.client.requests]
    assert told[0] == "https://a.test/x"
    assert told.count("https://a.test/status") >= 1  # also the last one, when the call is over
    assert not sim.kept[0].lost


def test_an_rtp_tap_gets_the_copy_and_ends_with_the_call(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.setblocking(False)
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        uri = f"rtp://127.0.0.1:{sink.getsockname()[1]}"
        document = [
            {"answer": {}},
            {"tap": {"uri": uri, "control_id": "t"}},
            {"play": "say:hello there"},
            {"hangup": {}},
        ]
        sim = play(HostSim(tmp_path, document))
        packets = 0
        while True:
            try:
                sink.recv(2000)
            except BlockingIOError:
                break
            packets += 1
    assert packets > 20
    assert sim.told("tap") == ["tapping", "finished"]


def test_a_target_that_is_refused_is_told(tmp_path: Path) -> None:
    async def refuse(host: str, port: int) -> tuple[str, int]:
        raise MediacoreError(f"{host} is not allowed")

    document = [
        {"answer": {}},
        {"tap": {"uri": "rtp://10.0.0.1:4000", "control_id": "t"}},
        {"play": "say:hello there"},
        {"hangup": {}},
    ]
    sim = play(HostSim(tmp_path, document, services=lambda s: replace(s, resolve=refuse)))
    assert sim.told("tap")[-1] in ("finished", "error")
    assert sim.kept[0].end_reason == "hangup"


def test_a_call_is_held_with_music_and_taken_back(tmp_path: Path) -> None:
    async def scene(sim: HostSim) -> None:
        await asyncio.sleep(0.1)
        sim.command("answer", {})
        await asyncio.sleep(0.5)
        sim.command("hold", {})
        await asyncio.sleep(1)
        sim.command("unhold", {})
        await asyncio.sleep(0.5)
        sim.command("end", {})

    sim = play(HostSim(tmp_path), scene)
    assert [replies[0].code for _, replies in sim.answers] == ["200"] * 4


def test_a_call_is_transferred_to_another_document(tmp_path: Path) -> None:
    async def scene(sim: HostSim) -> None:
        body = b'{"version": "1.0.0", "sections": {"main": [{"play": "say:second one"}, "hangup"]}}'
        sim.client.script = lambda request: HttpReply(200, {}, body)

    tts = ScriptedTts()
    document = [
        {"answer": {}},
        {"play": "say:first one"},
        {"transfer": {"dest": "https://a.test/next"}},
        {"play": "say:never said"},
    ]
    sim = play(HostSim(tmp_path, document, tts=tts), scene)
    assert [r.text for r in tts.requests] == ["first one", "second one"]
    assert sim.kept[0].end_reason == "hangup"


# -- the agent


def test_an_agent_is_interrupted_and_the_ledger_is_the_wire(tmp_path: Path) -> None:
    packets: list[tuple[int, bytes]] = []

    async def caller(phone: Phone) -> None:
        await phone.up()
        await asyncio.sleep(3.0)
        await phone.say("Where is my order")
        await asyncio.sleep(2.5)
        await phone.say("Wait, which day")
        await phone.wait_gone()
        packets.extend(phone.packets)

    long = "It left our warehouse on Monday morning and it comes to you on Friday at nine."
    sim = play(
        HostSim(
            tmp_path,
            [{"answer": {}}, ai(), {"hangup": {}}],
            stt=ScriptedStt(["Where is my order?", "Wait, which day?"]),
            llm=ScriptedLlm([long, (Say("On Friday. Goodbye."), End())]),
            tts=ScriptedTts(word_times=True),
        ),
        act=caller,
    )
    record = sim.kept[0]
    utterances = [u for turn in record.turns for u in turn.utterances]
    cut = [u for u in utterances if u.state is UtteranceState.CUT]
    assert cut
    assert cut[0].heard_chars < len(cut[0].text)
    assert sum(u.wire_samples for u in utterances) == record.media["wire_samples"]
    assert sum(u.played_samples for u in utterances) == record.media["played_samples"]
    assert record.media["cuts"] == 1
    assert record.usage is not None
    assert record.usage.spoken_chars > 20
    assert record.usage.recognised_ms > 500
    assert {d.name for d in record.decisions} >= {"endpoint", "call_over"}
    assert (record.turns[1].full_text, record.turns[1].speaker.value) == (
        "Where is my order?",
        "caller",
    )
    assert ("caller", "Where is my order?") in sim.said  # for the content log, once per turn
    assert len(sim.said) == len(record.turns)


def test_two_runs_of_the_agent_leave_the_turns_of_both(tmp_path: Path) -> None:
    async def caller(phone: Phone) -> None:
        await phone.up()
        await phone.wait_gone()

    main = [
        {"answer": {}},
        ai(static_greeting="This is the first agent."),
        ai(static_greeting="This is the second agent."),
        {"hangup": {}},
    ]
    llm = ScriptedLlm([(Say("Bye."), End())] * 4)
    sim = play(HostSim(tmp_path, main, llm=llm), act=caller)
    said = [turn.full_text for turn in sim.kept[0].turns]
    assert any("first" in text for text in said)
    assert [turn.index for turn in sim.kept[0].turns] == list(range(len(said)))


def test_an_errand_of_the_agent_runs_and_gives_the_voice_back(tmp_path: Path) -> None:
    async def caller(phone: Phone) -> None:
        await phone.up()
        await asyncio.sleep(3.0)
        await phone.say("Play me something")
        await asyncio.sleep(6.0)
        await phone.say("That was nice")
        await phone.wait_gone()

    def web(request: HttpRequest) -> HttpReply:
        body = (
            b'{"response": "done", "action": [{"SWML": {"version": "1.0.0", '
            b'"sections": {"main": [{"play": "say:la la la"}]}}}]}'
        )
        return HttpReply(200, {}, body)

    async def scene(sim: HostSim) -> None:
        sim.client.script = web

    function = {
        "function": "sing",
        "description": "Sing.",
        "web_hook_url": "https://a.test/swaig",
        "parameters": {"type": "object", "properties": {}},
    }
    statement = ai()
    statement["ai"]["SWAIG"] = {"functions": [function]}  # type: ignore[index]
    tts = ScriptedTts()
    sim = play(
        HostSim(
            tmp_path,
            [{"answer": {}}, statement, {"hangup": {}}],
            stt=ScriptedStt(["Play me something", "That was nice"]),
            llm=ScriptedLlm([(Call("sing", {}),), (Say("Goodbye then."), End())]),
            tts=tts,
        ),
        scene,
        caller,
    )
    wanted = ["la la la", "Goodbye then."]
    assert [r.text for r in tts.requests if r.text in wanted] == wanted
    assert [t.heard_text for t in sim.kept[0].turns][-1] == "Goodbye then."


# -- controllers


def test_a_controller_answers_plays_and_ends(tmp_path: Path) -> None:
    async def scene(sim: HostSim) -> None:
        await asyncio.sleep(0.1)
        sim.command("answer", {})
        await asyncio.sleep(0.5)
        sim.command(
            "play", {"control_id": "p1", "play": [{"type": "tts", "params": {"text": "hello"}}]}
        )
        await asyncio.sleep(2)
        sim.command("end", {})

    sim = play(HostSim(tmp_path), scene)
    assert [replies[0].code for _, replies in sim.answers] == ["200", "200", "200"]
    assert sim.told("play") == ["playing", "finished"]
    assert sim.kept[0].end_reason == "hangup"


def test_the_record_of_a_dial_is_about_the_winner(tmp_path: Path) -> None:
    async def late(phone: Phone) -> None:
        await asyncio.sleep(1.0)
        phone.answer()
        await phone.wait_gone()

    async def first(phone: Phone) -> None:
        await asyncio.sleep(0.5)
        phone.answer()
        await phone.up()
        await phone.say("Hello who is there")
        await phone.wait_gone()

    def target(number: str) -> dict[str, object]:
        params = {"to_number": number, "from_number": "+1", "timeout": 10}
        return {"type": "phone", "params": params}

    sim = HostSim(tmp_path, phones={"+1777": late, "+1888": first})

    async def main() -> None:
        async with sim:
            sim.command("dial", {"tag": "t", "devices": [[target("+1777"), target("+1888")]]}, "")
            await asyncio.sleep(3)
            line = next(
                e.call_id
                for e in sim.events
                if e.event_type == "calling.call.state" and e.params.get("call_state") == "answered"
            )
            sim.command(
                "play",
                {"control_id": "p", "play": [{"type": "tts", "params": {"text": "hi you"}}]},
                line,
            )
            await asyncio.sleep(2)
            sim.command("end", {}, line)
            await sim.idle()
        sim.assert_settled()

    run_virtual(main())
    record = sim.kept[0]
    assert record.media["rx_packets"] > 100
    assert record.media["wire_samples"] > 2000
    assert record.speech  # what the winner said
    assert {d.name for d in record.decisions}


def test_a_dial_that_nobody_answers_leaves_nothing(tmp_path: Path) -> None:
    sim = HostSim(tmp_path)

    async def main() -> None:
        async with sim:
            params = {"to_number": "+1999", "from_number": "+1", "timeout": 2}
            sim.command(
                "dial", {"tag": "t", "devices": [[{"type": "phone", "params": params}]]}, ""
            )
            await asyncio.sleep(5)
            assert not sim.host.calls
        sim.assert_settled()

    run_virtual(main())
    assert sim.kept == []
    states = [e.params["dial_state"] for e in sim.events if e.event_type.endswith("dial")]
    assert states[-1] == "failed"


def test_commands_beyond_the_backlog_are_refused(tmp_path: Path) -> None:
    """A call that does not run answers nothing; what comes then is bounded."""
    replies: list[Answer] = []

    async def scene(sim: HostSim) -> None:
        await asyncio.sleep(0.1)
        runner = sim.host.calls[0]
        for _ in range(300):
            command = Command("ctl", "", ALL, "nonsense", "call-1", {})
            sim.host.submit(command, replies.append)
        assert [r.code for r in replies] == ["503"] * 44
        await asyncio.sleep(0.1)
        runner.hangup()

    play(HostSim(tmp_path), scene)
    assert len(replies) == 300
    assert {r.code for r in replies} == {"503", "501"}


# -- what goes wrong


def test_a_crash_of_the_reducer_ends_the_call_and_only_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runner_module.step

    def broken(state: Any, event: Any, now: int) -> Any:
        if state.id == "call-1" and now > 1_000_000:
            raise RuntimeError("a bug")
        return real(state, event, now)

    monkeypatch.setattr(runner_module, "step", broken)
    sim = HostSim(tmp_path, [{"answer": {}}, {"sleep": 3000}, {"hangup": {}}])

    async def main() -> None:
        async with sim:
            sim.call(listen)
            sim.call(listen)
            await sim.idle()

    run_virtual(main())
    assert sorted((r.call_id, r.end_reason) for r in sim.kept) == [
        ("call-1", "error"),
        ("call-2", "hangup"),
    ]


def test_a_cancelled_call_keeps_its_record_and_tells_its_end(tmp_path: Path) -> None:
    async def scene(sim: HostSim) -> None:
        await asyncio.sleep(0.1)
        sim.command("answer", {})
        await asyncio.sleep(0.3)
        sim.command("record", {"control_id": "r", "record": {"audio": {"format": "wav"}}})
        play = [{"type": "silence", "params": {"duration": 60}}]
        sim.command("play", {"control_id": "p", "play": play})
        await asyncio.sleep(1)
        group = sim.host._group
        assert group is not None
        for running in group._tasks:
            running.cancel()

    sim = play(HostSim(tmp_path), scene)
    assert sim.kept[0].end_reason == "cancelled"
    assert sim.kept[0].duration_ms > 1000
    assert sim.told("record")[-1] == "finished"
    assert sim.told("state", "call_state")[-1] == "ended"
    assert (tmp_path / "call-1" / "call.json").exists()


def test_lost_events_are_made_good_by_the_counters(tmp_path: Path) -> None:
    """The loop stalls for seconds with a small event ring: the document still goes on."""

    async def scene(sim: HostSim) -> None:
        await asyncio.sleep(0.7)
        far = sim.lines[0].far
        assert far is not None
        far.send_digits("1234567890" * 3)
        sim.stall(8.0)

    text = "say:one two three four five six seven eight nine ten"
    document = [{"answer": {}}, {"play": text}, {"hangup": {}}]
    sim = play(HostSim(tmp_path, document, event_slots=16), scene)
    record = sim.kept[0]
    assert record.end_reason == "hangup"
    assert any(m.kind is MarkKind.EVENTS_LOST for m in record.marks)
    assert ("media", "resynced") in sim.decisions
    assert sim.told("play") == ["playing", "finished"]


def test_dropped_media_is_counted_and_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_MAX_QUEUE", 0)
    document = [{"answer": {}}, {"play": "say:one two three"}, {"hangup": {}}]
    record = play(HostSim(tmp_path, document)).kept[0]
    assert record.end_reason == "hangup"
    assert any("dropped" in text for text in record.lost)


# -- hanging up at every moment


class _HookLoop(VirtualLoop):
    """Calls `hook` in the n-th turn of the loop."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.turns = 0
        self.turn = turn
        self.hook: Callable[[], None] | None = None
        select = self._jump.select

        def counting(timeout: float | None = None) -> Any:
            self.turns += 1
            if self.turns == self.turn and self.hook is not None:
                self.call_soon(self.hook)
                timeout = 0
            return select(timeout)

        self._jump.select = counting  # type: ignore[method-assign]


def eventful(directory: Path) -> HostSim:
    """A recorded call with a party, a tap, a controller's commands and the agent."""

    async def shop(phone: Phone) -> None:
        await asyncio.sleep(0.05)
        phone.answer()
        await phone.up()
        await asyncio.sleep(0.3)
        phone.end()

    tap = {"uri": "wss://a.test/tap", "control_id": "t1"}
    return HostSim(
        directory,
        [
            {"answer": {}},
            {"record_call": {"control_id": "r1"}},
            {"tap": tap},
            {"connect": {"to": "+1777", "timeout": 5}},
            {"play": "say:so"},
            ai(static_greeting="Hello!"),
            {"hangup": {}},
        ],
        phones={"+1777": shop},
        stt=ScriptedStt(["Bye."]),
        llm=ScriptedLlm([(Say("Bye."), End())]),
    )


async def _caller(phone: Phone) -> None:
    await phone.up()
    await asyncio.sleep(2.2)
    await phone.say("Bye")
    await phone.wait_gone()


def _whole_length(directory: Path) -> int:
    loops: list[_HookLoop] = []

    def make() -> _HookLoop:
        loops.append(_HookLoop(-1))
        return loops[0]

    sim = eventful(directory)

    async def main() -> None:
        async with sim:
            sim.call(_caller)
            await sim.idle()
        sim.assert_settled()

    run_on(make, main())
    assert sim.told("connect", "connect_state")[-1] == "disconnected"
    assert sim.told("tap")[-1] == "finished"
    assert sim.kept[0].end_reason in ("hangup", "completed")
    return loops[0].turns


def _end_at(directory: Path, turn: int, how: str) -> None:
    sim = eventful(directory)
    loop = _HookLoop(turn)

    async def main() -> None:
        async with sim:
            phone = sim.call(_caller)

            def end() -> None:
                sim.command("play", {"control_id": "late", "play": []})
                if how == "far":
                    phone.end(LineEnd.HANGUP)
                elif how == "hangup":
                    for runner in sim.host.calls:
                        runner.hangup("test")
                elif sim.host._group is not None:
                    for task in sim.host._group._tasks:
                        task.cancel()

            loop.hook = end
            await sim.idle()
        sim.assert_settled()

    run_on(lambda: loop, main())
    assert len(sim.kept) <= 1
    answered = "answered" in sim.told("state", "call_state")
    assert len(sim.kept) == 1 or not answered


@pytest.mark.parametrize("how", ["far", "hangup", "cancel"])
def test_an_end_at_any_moment_leaves_nothing(tmp_path: Path, how: str) -> None:
    """Every 97th turn of the loop, and all of the first 40."""
    length = _whole_length(tmp_path)
    for turn in (*range(1, 40, 3), *range(40, length, 97)):
        _end_at(tmp_path, turn, how)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["far", "hangup", "cancel"])
def test_an_end_at_every_moment_leaves_nothing(tmp_path: Path, how: str) -> None:
    for turn in range(1, _whole_length(tmp_path)):
        _end_at(tmp_path, turn, how)
