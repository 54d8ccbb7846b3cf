from __future__ import annotations

from mediacore.wire.sip.deadlines import Deadlines


def due(deadlines: Deadlines, now_ms: int) -> int:
    count = 0
    while (action := deadlines.pop_due(now_ms)) is not None:
        action()
        count += 1
    return count


def test_actions_come_due_in_order_and_once() -> None:
    seen: list[str] = []
    deadlines = Deadlines()
    deadlines.set((1, "late"), 30, lambda: seen.append("late"))
    deadlines.set((1, "early"), 10, lambda: seen.append("early"))
    assert deadlines.next_ms == 10
    assert due(deadlines, 9) == 0
    assert due(deadlines, 30) == 2
    assert seen == ["early", "late"]
    assert deadlines.next_ms is None


def test_setting_again_moves_and_dropping_forgets() -> None:
    seen: list[int] = []
    deadlines = Deadlines()
    deadlines.set((1, "x"), 10, lambda: seen.append(1))
    deadlines.set((1, "x"), 20, lambda: seen.append(2))
    deadlines.set((1, "y"), 5, lambda: seen.append(3))
    deadlines.set((2, "x"), 5, lambda: seen.append(4))
    deadlines.drop((1, "y"))
    deadlines.drop((1, "y"))
    assert deadlines.has((1, "x")) and not deadlines.has((1, "y"))
    assert deadlines.next_ms == 5
    deadlines.drop_owner(2)
    assert due(deadlines, 100) == 1
    assert seen == [2]
    assert len(deadlines) == 0


def test_a_timer_that_is_moved_for_ever_takes_no_memory() -> None:
    deadlines = Deadlines()
    for at in range(10_000):
        deadlines.set((1, "x"), at, lambda: None)
    assert len(deadlines._heap) < 200
    assert deadlines.next_ms == 9_999
