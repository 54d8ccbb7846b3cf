"""The stage of the agent: a step of its contexts, with its budget and its trace."""

from __future__ import annotations

from mediacore.runtime import private, spending
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import AiRun


def stage_of(run: AiRun) -> str:
    """Name of the stage that the run is in; "ai" outside steps."""
    session = run.session
    return f"{session.context}.{session.step}" if session.step else "ai"


def enter_stage(d: Draft) -> None:
    """The session's step may have changed: so have its budget and what is told about it."""
    run = d.run
    name = stage_of(run)
    if run.session.question() is None:
        d.set_run(gather_from=None)
    elif run.gather_from is None:
        d.set_run(gather_from=len(run.talk.context))
    if name == run.stage_name:
        return
    d.set_run(stage_name=name)
    spending.enter_stage(d)
    private.enter_stage(d)
    d.moved()
    d.log("stage", name[:64], run=run.id)


def leave_stage(d: Draft) -> None:
    """The conversation is over: no stage's time runs, nothing is silenced."""
    spending.leave_stage(d)
    private.over(d)
