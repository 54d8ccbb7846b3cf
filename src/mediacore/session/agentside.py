"""One run of the agent: its model, its voice and its tools, as the call's actions ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from types import MappingProxyType
from typing import Final

from mediacore.assistant.words import apply_pronounce, format_numbers
from mediacore.call.actions import (
    ArmBargeIn,
    AskTurnDetector,
    CancelReply,
    CutPlayout,
    PausePlayout,
    ResumePlayout,
    Speak,
)
from mediacore.call.context import Context
from mediacore.call.inputs import (
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
)
from mediacore.call.recovery import ErrorReason
from mediacore.errors import ErrorClass, ProviderError
from mediacore.runtime.actions import AskModel, AskSummary, BeginRun, RunHook, RunTool, Talk
from mediacore.runtime.inputs import (
    AgentResult,
    Event,
    HookReplied,
    SummaryReady,
    TokensUsed,
    ToolReplied,
)
from mediacore.session.lineside import LineSide
from mediacore.session.prerender import PrerenderedTts
from mediacore.session.services import Services
from mediacore.session.speaking import Speaking, SpeechNews
from mediacore.slots.llm import (
    LlmHangup,
    LlmRequest,
    LlmText,
    LlmUsage,
    Message,
    ToolCall,
    ToolSpec,
)
from mediacore.slots.report import OnReport
from mediacore.web.tools import DataMapJob, WebhookJob, run_tool

_SUMMARY_S = 30.0
_TOOL_MS = 15_000
_HOOK_MS = 8_000
_REASONS: Final = MappingProxyType(
    {
        ErrorClass.AUTH: ErrorReason.LLM_FATAL,
        ErrorClass.RATE_LIMITED: ErrorReason.TOKEN_EXHAUSTION,
    }
)
"""Failures that another try with the same model does not mend; the rest is tried again."""


class AgentSide:
    """Executes what the call decides for one run. Everything it starts reports with the run."""

    def __init__(
        self,
        begin: BeginRun,
        side: LineSide,
        services: Services,
        group: asyncio.TaskGroup,
        post: Callable[[Event], None],
        on_report: OnReport,
    ) -> None:
        assert side.leg is not None
        self.run = begin.run
        self._side = side
        self._leg = side.leg
        self._services = services
        self._group = group
        self._post = post
        self._on_report = on_report
        self._streams: dict[int, asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._voice = PrerenderedTts(
            services.tts, begin.language, begin.voice, volume_db=begin.volume_db
        )

        def respell(text: str) -> str:
            return apply_pronounce(format_numbers(text, begin.numbers), begin.pronounce)

        self._speaking = Speaking(
            side.leg,
            self._voice,
            self._spoken,
            on_report,
            language=begin.language,
            voice=begin.voice,
            respell=respell,
        )
        side.speaking = self._speaking
        self._tasks = [
            group.create_task(self._speaking.run()),
            group.create_task(
                self._voice.warm([respell(line) for line in begin.fixed_lines], on_report)
            ),
        ]

    def change_voice(self, voice: str) -> None:
        """From the next utterance on."""
        self._speaking.voice = voice

    def end(self) -> None:
        """Cancel all that works for it; nothing of it is heard or reported any more."""
        for task in (*self._tasks, *self._streams.values(), *self._work):
            task.cancel()
        self._streams.clear()
        self._work.clear()
        if self._side.speaking is self._speaking:
            self._side.speaking = None

    # -- the voice

    def talk(self, talk: Talk) -> None:
        """One of the conversation's own actions."""
        match talk.action:
            case CancelReply(generation):
                self._cancel(generation)
            case Speak() as action:
                self._speaking.speak(action)
            case CutPlayout(generation):
                self._speaking.drop(generation + 1)
                self._leg.cut(generation)
            case PausePlayout():
                self._leg.pause()
            case ResumePlayout(from_mark):
                self._leg.resume(from_mark)
                self._leg.duck(0)
            case ArmBargeIn(policy):
                self._leg.arm(policy)
            case AskTurnDetector():
                pass  # documents name no detector; endpointing goes by text and time
            case _:
                pass

    async def _spoken(self, news: SpeechNews) -> None:
        self._post(AgentResult(self.run, news))

    # -- the model

    def ask(self, action: AskModel) -> None:
        """Ask for a reply."""
        self._cancel(action.generation)
        self._streams[action.generation] = self._group.create_task(self._reply(action))

    def _cancel(self, generation: int) -> None:
        task = self._streams.pop(generation, None)
        if task is not None:
            task.cancel()

    async def _reply(self, action: AskModel) -> None:
        generation, llm = action.generation, self._services.llm
        request = LlmRequest(
            messages=messages(action.system, action.context),
            tools=tuple(ToolSpec(t.name, t.description, t.parameters) for t in action.tools),
            max_tokens=action.max_tokens,
            temperature=action.temperature,
        )
        tokens, said = (0, 0), 0
        try:
            if llm is None:
                raise ProviderError(ErrorClass.UNAVAILABLE, "there is no model")
            async with aclosing(llm.run(request, self._on_report)) as stream:
                async for event in stream:
                    match event:
                        case LlmText(text):
                            said += len(text)
                            self._give(ReplyText(generation, text))
                        case ToolCall(call, name, arguments):
                            self._give(ReplyToolCall(generation, call, name, arguments))
                        case LlmHangup(reason):
                            self._give(ReplyHangup(generation, reason))
                        case LlmUsage(given, made):
                            tokens = (tokens[0] + given, tokens[1] + made)
        except ProviderError as error:
            self._give(ReplyFailed(generation, error.error_class, _REASONS.get(error.error_class)))
        else:
            self._give(ReplyEnded(generation))
        finally:
            used = tokens if any(tokens) else estimate(request, said)
            self._post(TokensUsed(self.run, *used, generation))
        if self._streams.get(generation) is asyncio.current_task():
            del self._streams[generation]

    def _give(
        self,
        result: ReplyText | ReplyToolCall | ReplyHangup | ReplyFailed | ReplyEnded,
    ) -> None:
        self._post(AgentResult(self.run, result))

    # -- tools and hooks

    def run_tool(self, action: RunTool) -> None:
        """Run a tool; ToolReplied follows."""
        self._start(self._tool(action))

    async def _tool(self, action: RunTool) -> None:
        services = self._services
        job: WebhookJob | DataMapJob
        if action.data_map is not None:
            job = DataMapJob(action.data_map, action.context)
        else:
            job = WebhookJob(
                action.url, action.payload, action.auth, deadline_ms=_TOOL_MS, key=action.id
            )
        outcome = await run_tool(services.client, job, services.clock_us, services.wallclock)
        self._post(
            ToolReplied(
                self.run,
                action.generation,
                action.id,
                outcome.ok,
                outcome.reply,
                outcome.error,
                outcome.status,
                outcome.took_ms,
                outcome.url,
            )
        )

    def run_hook(self, action: RunHook) -> None:
        """POST to the application; HookReplied follows."""
        self._start(hook(self._services, self._post, action))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = self._group.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


async def hook(services: Services, post: Callable[[Event], None], action: RunHook) -> None:
    """Tell the application something. Outlives the run when it began at its end."""
    job = WebhookJob(action.url, action.payload, action.auth, deadline_ms=_HOOK_MS)
    outcome = await run_tool(services.client, job, services.clock_us, services.wallclock)
    post(HookReplied(action.run, action.id, outcome.ok, outcome.reply, outcome.error))


async def summarise(
    services: Services, post: Callable[[Event], None], action: AskSummary, on_report: OnReport
) -> None:
    """Ask the model the post-prompt about a conversation that is over."""
    text: list[str] = []
    llm = services.llm
    request = LlmRequest(
        messages=(
            *messages("", action.context),
            Message("system", action.prompt),
        ),
        max_tokens=action.max_tokens,
        temperature=action.temperature,
    )
    try:
        if llm is not None:
            async with asyncio.timeout(_SUMMARY_S), aclosing(llm.run(request, on_report)) as stream:
                async for event in stream:
                    if isinstance(event, LlmText):
                        text.append(event.text)
    except (ProviderError, TimeoutError):
        text = []
    post(SummaryReady(action.run, "".join(text)))


def messages(system: str, context: Context) -> tuple[Message, ...]:
    """Instructions and conversation as the model slot wants them."""
    first = (Message("system", system),) if system else ()
    return first + tuple(
        Message(
            entry.role.value,
            entry.text,
            tuple(ToolCall(t.id, t.name, t.arguments) for t in entry.tool_calls),
            entry.tool_call_id,
        )
        for entry in context
    )


def estimate(request: LlmRequest, said: int) -> tuple[int, int]:
    """Tokens when the provider counts none: a quarter of the characters, as most do."""
    chars = sum(len(m.text) for m in request.messages)
    return chars // 4, -(-said // 4)
