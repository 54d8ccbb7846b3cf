"""A small program around SipAgent for tools/sip_probe.py and for other people's phones.

    python tests/support/sip_target.py serve --port 5060 [--ring-user ring] [--auth user:password]
    python tests/support/sip_target.py call sip:probe@127.0.0.1:5090 [--auth user:password]

`serve` answers every call at once, those to --ring-user after five seconds.
`call` dials and stays until SIGINT. Prints one line for each thing.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys

from mediacore import _core
from mediacore.media import LegConfig, RtcpMode
from mediacore.session.hub import MediaHub
from mediacore.slots.gateway import DialOut, FarLine, LineEnd, LineFailedError
from mediacore.transports.sip.agent import SipAgent
from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig, Transfers

RING_S = 5.0


def say(*words: object) -> None:
    print(*words, flush=True)


class Target:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.stop = asyncio.Event()
        self.group = asyncio.TaskGroup()
        user, colon, password = args.auth.partition(":")
        self.auth = (user, password) if colon else ("", "")
        port = getattr(args, "port", 0)
        self.config = SipConfig(
            binds=(SipBind("UDP", port=port), SipBind("TCP", port=port)),
            transfers=Transfers.ANY,
            rtcp=RtcpMode.MUX,
            session_expires_s=args.session_expires,
            early_media=args.early_media,
        )
        self.hub = MediaHub(_core.Engine(max_legs=256))
        self.agent = SipAgent(
            self.config,
            self.hub.engine,
            LegConfig(),
            on_incoming=lambda line: self._spawn(line),
            seed=lambda: secrets.randbits(63),
        )

    def _spawn(self, line: FarLine) -> None:
        self.group.create_task(self.answer(line))

    async def answer(self, line: FarLine) -> None:
        say("call", line.party.from_number, line.party.to_number)
        try:
            ring = self.args.ring_user
            if ring and ring in line.party.to_number:
                async with asyncio.timeout(RING_S):
                    say("gone", await line.wait_gone())
                    return
        except TimeoutError:
            pass
        try:
            await self._talk(line)
        except LineFailedError as error:
            say("failed", error.reason, error)

    async def _talk(self, line: FarLine) -> None:
        leg = await line.connect(lambda: say("ringing"))
        self.hub.attach(leg, lambda event: say(type(event).__name__))
        say("connected", line.transport.codec)
        gone = asyncio.ensure_future(line.wait_gone())
        stop = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait([gone, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        await line.hangup(LineEnd.HANGUP)
        say("gone", await gone)
        leg.close()

    async def call(self) -> None:
        line = self.agent.dial(
            DialOut("sip", self.args.uri, username=self.auth[0], password=self.auth[1])
        )
        talk = asyncio.ensure_future(self._talk(line))
        stop = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait([talk, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not talk.done():
            await line.hangup(LineEnd.CANCEL)
        try:
            await talk
        except LineFailedError as error:
            say("failed", error.reason, error)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop.set)
        self.hub.start()
        try:
            await self.agent.start()
            say("listening", self.agent.addresses)
            async with self.group:
                if self.args.command == "call":
                    await self.call()
                await self.stop.wait()  # what is repeated after a call is answered too
            say(self.agent.snapshot())
            await self.agent.aclose()
        finally:
            self.hub.stop()
            self.hub.engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--auth", default="")
    parser.add_argument("--session-expires", type=int, default=1800)
    parser.add_argument("--early-media", action="store_true")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--port", type=int, default=5060)
    serve.add_argument("--ring-user", default="ring")
    call = commands.add_parser("call")
    call.add_argument("uri")
    call.add_argument("--ring-user", default="")
    asyncio.run(Target(parser.parse_args()).run())


if __name__ == "__main__":
    sys.exit(main())
