import asyncio

from mediacore.errors import ErrorClass
from mediacore.slots.audio import PcmBlock
from mediacore.slots.driver import TurnDriver
from mediacore.slots.report import Outcome
from mediacore.slots.turn import TurnContext
from virtual import now_us, run_virtual

CONTEXT = TurnContext("I would like to", PcmBlock(b"", 16000, 0), 200)


class Detector:
    def __init__(self, *answers):
        self.answers = list(answers)
        self.closed = False

    async def predict(self, context):
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        if answer == "hang":
            await asyncio.sleep(100)
        return answer

    async def aclose(self):
        self.closed = True


def votes(*answers):
    async def main():
        reports = []
        driver = TurnDriver(Detector(*answers), now_us)
        given = [await driver.predict(CONTEXT, reports.append) for _ in answers]
        return given, reports

    return run_virtual(main())


def test_votes_and_clamps():
    given, reports = votes(0.4, 7.0, -1.0)
    assert given == [0.4, 1.0, 0.0]
    assert {r.outcome for r in reports} == {Outcome.OK}


def test_failures_are_no_vote_and_then_it_rests():
    given, reports = votes("hang", asyncio.CancelledError(), ValueError(), 0.9)
    assert given == [0.0] * 4
    assert [r.error for r in reports] == [
        ErrorClass.TIMEOUT,
        ErrorClass.CRASHED,
        ErrorClass.INTERNAL,
        None,
    ]
    assert reports[-1].outcome is Outcome.SKIPPED
    assert reports[0].timing.total_ms == 150


def test_cancel_passes():
    async def main():
        driver = TurnDriver(Detector("hang"), now_us)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(driver.predict(CONTEXT))
            await asyncio.sleep(0.05)
            task.cancel()
        return task

    assert run_virtual(main()).cancelled()


def test_aclose():
    detector = Detector()
    run_virtual(TurnDriver(detector, now_us).aclose())
    assert detector.closed
