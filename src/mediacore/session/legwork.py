"""Actions for one line that has media: which part of its side does what."""

from __future__ import annotations

from mediacore._core import Leg
from mediacore.runtime import actions as a
from mediacore.session.lineside import LineSide
from mediacore.units import TICK_MS


def execute_on_leg(side: LineSide, leg: Leg, action: a.Action) -> None:
    """Execute an action on a line; others are left alone. Returns at once. Raises MediaError."""
    match action:
        case a.LimitLine(_, limit_ms):
            leg.limit(limit_ms // TICK_MS if limit_ms else 0)
        case a.StartPlay():
            side.player.start(action)
        case a.StopPlay(op, _, generation):
            side.player.stop(op, generation)
        case a.PausePlay():
            side.player.pause()
        case a.ResumePlay():
            side.player.resume()
        case a.SetVolume():
            side.player.volume(action)
        case a.StartBed():
            side.bed.start(action)
        case a.StopBed():
            side.bed.stop()
        case a.HoldLine(_, on):
            leg.hold(on)
        case a.SendDigits(_, digits):
            side.digits.send(digits)
        case a.ReferLine():
            side.refer(action)
        case a.ArmLine(_, stops):
            side.arm(stops=stops)
        case a.StartHearing():
            side.start_hearing()
        case a.StopHearing():
            side.stop_hearing()
        case a.StartRecording():
            side.taping.start(action)
        case a.PauseRecording(op, behavior):
            side.taping.pause(op, behavior)
        case a.ResumeRecording(op):
            side.taping.resume(op)
        case a.MuteRecordings(_, on):
            side.tap.mute(on=on)
        case a.StopRecording(op):
            side.taping.stop(op)
        case a.StartFork():
            side.forks.start(action)
        case a.StopFork(op):
            side.forks.stop(op)
