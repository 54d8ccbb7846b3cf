"""The agent takes the floor: opening its turn, asking the model, queueing what is said."""

from __future__ import annotations

from dataclasses import replace

from mediacore.call.actions import ArmBargeIn, CancelReply, Speak, StartReply
from mediacore.call.context import Context, ContextEntry, Role, latest, with_user
from mediacore.call.draft import Draft
from mediacore.call.ledger import Utterance
from mediacore.call.record import UtteranceKind
from mediacore.call.state import AgentTurn, Stamps, agent_phase, policy_for


def open_turn(
    d: Draft,
    kind: UtteranceKind,
    *,
    replying: bool = False,
    decided: bool = True,
    prompt: str = "",
    stamps: Stamps | None = None,
) -> None:
    """Begin an agent turn, with a generation of its own."""
    generation = d.state.generation + 1
    agent = AgentTurn(
        generation,
        kind,
        quiet_since_us=d.now,
        replying=replying,
        decided=decided,
        prompt=prompt,
        buffer=d.state.new_buffer(),
        stamps=stamps or Stamps(),
    )
    d.set(generation=generation, agent=agent)
    if decided:
        d.set(phase=agent_phase(d.state))


def start_reply(
    d: Draft, kind: UtteranceKind, stamps: Stamps | None = None, note: str = ""
) -> None:
    """Begin a turn whose text comes from the model, on the context as it stands.

    note: told to the model for this turn only.
    """
    open_turn(d, kind, replying=True, stamps=stamps)
    notes = (ContextEntry(Role.SYSTEM, note),) if note else _interruption_note(d)
    ask(d, d.state.context + notes)


def ask(d: Draft, context: Context) -> None:
    """Open the reply stream of the present turn."""
    settings = d.state.settings
    shown = latest(context, settings.history_turns)
    d.emit(StartReply(d.agent.generation, shown, settings.max_response_tokens))


def _interruption_note(d: Draft) -> Context:
    prompt = d.state.settings.interrupt_prompt
    if not (prompt and d.state.interrupted):
        return ()
    return (ContextEntry(Role.SYSTEM, prompt),)


def greet(d: Draft) -> None:
    """The agent speaks first."""
    d.set(greet_at_us=None)
    greeting = d.state.settings.greeting
    if greeting:
        say_alone(d, greeting, UtteranceKind.GREETING)
    else:
        start_reply(d, UtteranceKind.GREETING)


def speculate(d: Draft) -> None:
    """Ask for the reply although the caller may go on. Nothing of it is spoken before `adopt`."""
    text = d.caller.text
    open_turn(d, UtteranceKind.REPLY, replying=True, decided=False, prompt=text)
    ask(d, with_user(d.state.context, text) + _interruption_note(d))


def adopt(d: Draft, stamps: Stamps) -> None:
    """The speculative reply answers the turn that was decided."""
    first_token_us = d.agent.stamps.first_token_us
    d.set_agent(
        decided=True,
        quiet_since_us=d.now,
        stamps=replace(stamps, first_token_us=first_token_us),
    )
    d.set(phase=agent_phase(d.state))


def drop_speculation(d: Draft) -> None:
    """The caller goes on, or the text changed: the speculative reply is void."""
    agent = d.state.agent
    if agent is None or agent.decided:
        return
    if agent.replying:
        d.emit(CancelReply(agent.generation))
    d.count("speculations_lost")
    d.set(agent=None)


def say(d: Draft, text: str, kind: UtteranceKind) -> int:
    """Queue one utterance of the open turn. Returns its id."""
    agent = d.agent
    if agent.playing is None:
        arm(d, kind)
    utt = Utterance(d.state.next_utterance, agent.generation, kind, text, agent.round)
    d.set_agent(utterances=(*agent.utterances, utt))
    if kind is not UtteranceKind.FILLER:
        d.set_stamps(first_phrase_us=d.now)
    d.set(next_utterance=utt.id + 1)
    d.emit(Speak(utt.id, utt.generation, text, kind))
    return utt.id


def arm(d: Draft, kind: UtteranceKind) -> None:
    """Give the core the policy of this kind of utterance, unless it has it."""
    policy = policy_for(d.state, kind)
    if policy != d.state.armed:
        d.set(armed=policy)
        d.emit(ArmBargeIn(policy))


def say_alone(d: Draft, text: str, kind: UtteranceKind) -> int:
    """A turn that consists of one line. Returns the utterance's id."""
    open_turn(d, kind)
    return say(d, text, kind)
