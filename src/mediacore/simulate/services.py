"""Everything that works for a call: gateway, speech, model, tools, webhooks, storage.

It executes the call's actions as the session would, and reports late, twice, wrongly or never.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mediacore.call import actions as talk
from mediacore.call.inputs import (
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    SpeechFailed,
    SpeechSynthesised,
    SpeechWords,
)
from mediacore.call.record import WordTime
from mediacore.errors import ErrorClass
from mediacore.events import LegOpened
from mediacore.flow.document import Document
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.voice import play_of
from mediacore.simulate.core import CHAR_SAMPLES, Leg, Voice
from mediacore.simulate.people import Person
from mediacore.simulate.world import World

_FAILURES: Final = (ErrorClass.TIMEOUT, ErrorClass.UNAVAILABLE, ErrorClass.BAD_OUTPUT)
_NO_LINE: Final = ("busy", "noAnswer", "decline", "error")
_WORDS: Final = ("fine", "surely", "your balance", "one moment", "thank you", "right")


class Services:
    """Executes actions. legs: of lines that have media, ended ones included."""

    __slots__ = (
        "_do",
        "_documents",
        "_ended",
        "_handles",
        "_replies",
        "_world",
        "legs",
        "talkative",
    )

    def __init__(self, world: World, documents: Sequence[Document], talkative: int) -> None:
        self._world = world
        self._documents = documents
        self._handles = 0
        self._replies = 0
        self._ended: set[str] = set()
        self.legs: dict[str, Leg] = {}
        self.talkative = talkative
        self._do: Mapping[type, Callable[[Any], None]] = {
            a.AnswerLine: self._answer,
            a.DialLine: self._dial,
            a.EndLine: self._end,
            a.StartPlay: self._start_play,
            a.StopPlay: self._stop_play,
            a.PausePlay: lambda x: self._leg(x.line, Leg.pause),
            a.ResumePlay: lambda x: self._leg(x.line, Leg.resume),
            a.ArmLine: self._arm_line,
            a.Talk: self._talk,
            a.AskModel: self._ask,
            a.RunTool: self._tool,
            a.RunHook: self._hook,
            a.AskSummary: self._summary,
            a.StopRecording: self._stored,
            a.StartFork: self._fork,
            a.StopFork: self._fork_over,
            a.ReferLine: self._refer,
            a.SendRequest: self._request,
            a.FetchDocument: self._fetch,
            a.ReserveSpend: self._reserve,
        }

    def execute(self, actions: Sequence[a.Action]) -> None:
        """Execute all actions of a step."""
        for action in actions:
            do = self._do.get(type(action))
            if do is not None:
                do(action)

    def alive(self, owner: tuple[str, object]) -> bool:
        """Whether an owner of speech may still be heard."""
        kind, name = owner
        state = self._world.state
        if kind == "run":
            return state.run is not None and state.run.id == name
        op = state.ops.get(str(name))
        return op is not None and play_of(op) is not None

    # ------------------------------------------------------------------------------ lines

    def _answer(self, action: a.AnswerLine) -> None:
        world = self._world
        if world.fails("gateway"):
            world.send("gateway", i.LineGone(action.line, "error"), world.delay("gateway", 5, 900))
            return
        self._comes_up(action.line, world.delay("gateway", 1, 400))

    def _comes_up(self, line: str, delay_us: int) -> None:
        """The line gets media, unless the gateway loses the answer."""
        world = self._world
        if world.dice["gateway"].random() < world.weather.lose:
            return
        world.at(world.now + delay_us, lambda: self._open(line))

    def _open(self, line: str) -> None:
        world = self._world
        if line in self._ended or line in self.legs:
            return  # ended before it was answered: the gateway keeps quiet
        self._handles += 1
        leg = self.legs[line] = Leg(world, line, self._handles, self.alive)
        up = i.LineAnswered(line, leg.handle, 8000)
        delay_us = world.delay("gateway", 0, 60)
        world.give("gateway", up, delay_us, "core:" + line)
        if world.dice["gateway"].random() < world.weather.twice:
            world.give("gateway", up, delay_us + world.delay("gateway", 0, 500))
        leg.media(LegOpened)
        main = line == world.state.main
        Person(world, leg, self.talkative if main else 2)

    def _dial(self, action: a.DialLine) -> None:
        world = self._world
        dice = world.dice["gateway"]
        roll = dice.random()
        wait_us = world.delay("gateway", 50, 4000)
        if dice.random() < 0.7:
            ringing = i.LineRinging(action.line)
            world.send("gateway", ringing, world.delay("gateway", 5, 1500))
        if roll < 0.55:
            self._comes_up(action.line, wait_us)
        elif roll < 0.9:
            gone = i.LineGone(action.line, dice.choice(_NO_LINE))
            world.send("gateway", gone, wait_us)

    def _end(self, action: a.EndLine) -> None:
        self._ended.add(action.line)
        leg = self.legs.get(action.line)
        if leg is not None:
            leg.close()

    def _leg(self, line: str, do: Callable[[Leg], None]) -> None:
        leg = self.legs.get(line)
        if leg is not None:
            do(leg)

    # ------------------------------------------------------------------------------ voice

    def _start_play(self, action: a.StartPlay) -> None:
        leg = self.legs.get(action.line)
        if leg is None:
            return
        chars = sum(len(item.text) or item.ms // 20 for item in action.items) or 10
        samples = chars * CHAR_SAMPLES * max(action.loops, 1)
        voice = Voice(action.utterance, action.generation, ("op", action.op), samples)
        leg.speak(voice)
        world = self._world
        if world.fails("work"):
            failed = i.PlayFailed(action.op, world.dice["work"].choice(_FAILURES), "synthesis")
            world.at(world.now, lambda: leg.drop(voice))
            world.send("work", failed, world.delay("work", 10, 900))
            return
        if world.dice["work"].random() < world.weather.lose:
            return  # the synthesiser never answers
        delay_us = world.delay("work", 5, 300)
        if world.dice["work"].random() < world.weather.late:
            delay_us += world.delay("work", 0, 6000)
        world.at(world.now + delay_us, lambda: leg.ready(voice))

    def _stop_play(self, action: a.StopPlay) -> None:
        leg = self.legs.get(action.line)
        if leg is None:
            return
        leg.cut(action.generation)
        for voice in tuple(leg.queue):
            if voice.owner == ("op", action.op):
                leg.drop(voice)

    def _arm_line(self, action: a.ArmLine) -> None:
        leg = self.legs.get(action.line)
        if leg is not None:
            leg.stops, leg.armed = action.stops, None

    def _talk(self, action: a.Talk) -> None:
        leg = self.legs.get(action.line)
        if leg is None:
            return
        match action.action:
            case talk.Speak() as speak:
                self._speak(action.run, leg, speak)
            case talk.CutPlayout(generation):
                leg.cut(generation)
            case talk.PausePlayout():
                leg.pause()
            case talk.ResumePlayout():
                leg.resume()
            case talk.ArmBargeIn(policy):
                leg.stops, leg.armed = False, policy

    def _speak(self, run: int, leg: Leg, speak: talk.Speak) -> None:
        world = self._world
        samples = max(len(speak.text), 1) * CHAR_SAMPLES
        voice = Voice(speak.utterance, speak.generation, ("run", run), samples)
        leg.speak(voice)
        if voice.over:
            return
        if world.dice["work"].random() < world.weather.lose:
            return
        delay_us = world.delay("work", 20, 500)
        if world.dice["work"].random() < world.weather.late:
            delay_us += world.delay("work", 0, 6000)
        lane = f"tts:{run}"
        if world.fails("work"):
            world.at(world.now + delay_us, lambda: leg.drop(voice))
            failed = SpeechFailed(speak.utterance, world.dice["work"].choice(_FAILURES))
            world.give("work", i.AgentResult(run, failed), delay_us, lane)
            return
        world.at(world.now + delay_us, lambda: leg.ready(voice))
        if world.dice["work"].random() < 0.5:
            words = SpeechWords(speak.utterance, _word_times(speak.text))
            world.give("work", i.AgentResult(run, words), delay_us, lane)
        done = SpeechSynthesised(speak.utterance, samples)
        world.give("work", i.AgentResult(run, done), delay_us + world.delay("work", 0, 40), lane)

    # ------------------------------------------------------------------------------ agent

    def _ask(self, action: a.AskModel) -> None:
        """Every word of a reply names the run and the generation that it was asked for."""
        world, dice = self._world, self._world.dice["model"]
        run, generation = action.run, action.generation
        lane = f"model:{run}:{generation}"
        self._replies += 1
        delay_us = world.delay("model", 20, 900)
        if dice.random() < world.weather.late:
            delay_us += world.delay("model", 0, 12_000)

        def say(result: object) -> None:
            gap_us = world.delay("model", 1, 120)
            world.give("model", i.AgentResult(run, result), delay_us + gap_us, lane)  # type: ignore[arg-type]

        if dice.random() < world.weather.lose:
            return
        chars = sum(len(entry.text) for entry in action.context)
        made = dice.randrange(action.max_tokens // 4 + 1)
        used = i.TokensUsed(run, chars // 4, made, generation)
        if world.fails("model"):
            say(ReplyFailed(generation, dice.choice(_FAILURES)))
            world.give("model", used, delay_us, lane)
            return
        roll = dice.random()
        tag = f"r{run}g{generation}"
        text = " ".join(f"{tag} {w}" for w in dice.sample(_WORDS, dice.randrange(1, 3)))
        tools = [tool.name for tool in action.tools]
        if roll < 0.35 and tools:
            name = dice.choice(tools) if dice.random() < 0.92 else "no_such_tool"
            if dice.random() < 0.4:
                say(ReplyText(generation, f"{tag} let me look."))
            say(ReplyToolCall(generation, f"c{self._replies}", name, self._arguments(dice)))
            if dice.random() < 0.2:
                other = dice.choice(tools)
                say(ReplyToolCall(generation, f"d{self._replies}", other, "{}"))
        elif roll < 0.38:
            pass  # an empty reply
        else:
            say(ReplyText(generation, text + "."))
            if dice.random() < 0.3:
                say(ReplyText(generation, f" {tag} anything else?"))
            if roll > 0.92:
                say(ReplyHangup(generation))
        say(ReplyEnded(generation))
        world.give("model", used, delay_us, lane)

    def _arguments(self, dice: Any) -> str:
        return str(dice.choice(('{"q": 1}', "{}", "not json", "[1]", '{"step": "two"}')))

    def _tool(self, action: a.RunTool) -> None:
        world, dice = self._world, self._world.dice["tool"]
        self._replies += 1
        reply = tool_reply(self._replies, dice)
        ok = not world.fails("tool")
        given = i.ToolReplied(
            action.run,
            action.generation,
            action.id,
            ok,
            reply if ok else None,
            "" if ok else "timeout",
        )
        world.send("tool", given, world.delay("tool", 10, 2500))

    def _hook(self, action: a.RunHook) -> None:
        world = self._world
        ok = not world.fails("tool")
        self._replies += 1
        reply: object = {"action": [{"set_global_data": {f"h{self._replies}": self._replies}}]}
        if action.id.startswith("include"):
            reply = []
        given = i.HookReplied(action.run, action.id, ok, reply if ok else None)
        world.send("tool", given, world.delay("tool", 10, 2500))

    def _summary(self, action: a.AskSummary) -> None:
        world = self._world
        ready = i.SummaryReady(action.run, "They asked.")
        world.send("model", ready, world.delay("model", 100, 5000))

    # --------------------------------------------------------------------------- documents

    def _stored(self, action: a.StopRecording) -> None:
        world = self._world
        ok = not world.fails("work")
        stored = i.RecordingStored(action.op, ok, "file:///r.wav", 1000, 16_000)
        world.send("work", stored, world.delay("work", 5, 900))

    def _fork(self, action: a.StartFork) -> None:
        world = self._world
        runs = not world.fails("work")
        changed = i.ForkChanged(action.op, runs, "" if runs else "refused")
        world.send("work", changed, world.delay("work", 5, 400), "fork" + action.op)

    def _fork_over(self, action: a.StopFork) -> None:
        world = self._world
        changed = i.ForkChanged(action.op, running=False)
        world.send("work", changed, world.delay("work", 5, 400), "fork" + action.op)

    def _refer(self, action: a.ReferLine) -> None:
        """The party goes, or will not, or its new call fails; who goes hangs up."""
        world = self._world
        response = world.dice["work"].choice((202, 202, 202, 603))
        notify = world.dice["work"].choice((200, 200, 486)) if response == 202 else 0
        delay_us = world.delay("work", 10, 5000)
        if notify != 200 or not world.fails("work"):
            world.send("work", i.LineReferred(action.op, response, notify), delay_us)
        if notify == 200:
            world.send("work", i.LineGone(action.line, "hangup"), delay_us + 50_000)

    def _request(self, action: a.SendRequest) -> None:
        world = self._world
        failed = world.fails("work")
        replied = i.HttpReplied(
            action.op, 0 if failed else 200, {}, '{"a": 1}', "timeout" if failed else ""
        )
        world.send("work", replied, world.delay("work", 10, 3000))

    def _fetch(self, action: a.FetchDocument) -> None:
        world = self._world
        found = None if world.fails("work") else world.dice["work"].choice(self._documents)
        code = "" if found is not None else "relay_script_fetch_failed"
        fetched = i.DocumentFetched(action.op, found, code, code)
        world.send("work", fetched, world.delay("work", 10, 3000))

    def _reserve(self, action: a.ReserveSpend) -> None:
        world = self._world
        granted = i.SpendChecked(action.reservation, not world.fails("work"))
        world.send("work", granted, world.delay("work", 1, 500))


def tool_reply(number: int, dice: Any) -> dict[str, object]:
    """What a webhook answers: data under a name of its own, and perhaps an order."""
    actions: list[dict[str, object]] = [{"set_global_data": {f"t{number}": number}}]
    roll = dice.random()
    if roll < 0.12:
        actions.append({"say": "Here it comes."})
    elif roll < 0.2:
        play = [{"set": {f"e{number}": str(number)}}, {"play": "say:please listen"}]
        actions.append({"SWML": {"sections": {"main": play}}})
    elif roll < 0.26:
        connect: list[object] = [{"answer": {}}, {"connect": {"to": "+1777", "timeout": 5}}]
        actions.append({"SWML": {"sections": {"main": connect}}, "transfer": True})
    elif roll < 0.31:
        actions.append({"hangup": True})
    elif roll < 0.36:
        actions.append({"hold": 4})
    elif roll < 0.4:
        actions.append({"user_input": "and my balance?"})
    elif roll < 0.43:
        actions.append({"stop": True})
    elif roll < 0.46:
        connect = [{"connect": {"to": "+1778", "timeout": 4}}]
        actions.append({"SWML": {"sections": {"main": connect}}})
    elif roll < 0.5:
        actions.append({"context_switch": {"system_prompt": "be brief", "user_prompt": "go on"}})
    reply: dict[str, object] = {"response": "done", "action": actions}
    if dice.random() < 0.15:
        reply["post_process"] = True
    return reply


def _word_times(text: str) -> tuple[WordTime, ...]:
    words: list[WordTime] = []
    at = 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        words.append(WordTime(start, at, start * CHAR_SAMPLES, at * CHAR_SAMPLES))
    return tuple(words)
