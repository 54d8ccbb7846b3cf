"""A phone by pjsua2, driven by lines on stdin: one process, since its threads are its own.

Prints one JSON object per event. Commands: call URI · answer CODE · hangup · hold · resume ·
codec NAME (offers only it from now on, by re-INVITE) · update · dtmf DIGITS · transfer URI ·
attended (the first call's far side takes the place of this phone in the second) · quit
"""

from __future__ import annotations

import argparse
import json
import os
import select
from typing import Any

import pjsua2 as pj


def tell(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


class Call(pj.Call):
    def __init__(self, phone: Phone, number: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, number)
        self.phone = phone

    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        tell("state", call=info.id, state=info.stateText, code=info.lastStatusCode)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            tell("closed", call=info.id, code=info.lastStatusCode, dump=self.dump(True, " "))
            self.phone.gone(self)

    def onCallMediaState(self, prm: Any) -> None:
        info = self.getInfo()  # owns what is read from it
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status in (
                pj.PJSUA_CALL_MEDIA_ACTIVE,
                pj.PJSUA_CALL_MEDIA_REMOTE_HOLD,
            ):
                audio = self.getAudioMedia(index)
                self.phone.player.startTransmit(audio)
                audio.startTransmit(self.phone.recorder)
                tell("media", status=media.status, codec=self.getStreamInfo(index).codecName)

    def onCallReplaced(self, prm: Any) -> None:
        prm.newCall = new = Call(self.phone, prm.newCallId)
        self.phone.calls.append(new)
        tell("replaced", call=prm.newCallId)

    def onDtmfDigit(self, prm: Any) -> None:
        tell("digit", digit=prm.digit)

    def onCallTransferStatus(self, prm: Any) -> None:
        tell("transfer", code=prm.statusCode, final=prm.finalNotify)
        if prm.finalNotify and prm.statusCode // 100 == 2:
            self.hangup(pj.CallOpParam())
            prm.cont = False


class Account(pj.Account):
    phone: Phone

    def onIncomingCall(self, prm: Any) -> None:
        call = Call(self.phone, prm.callId)
        self.phone.calls.append(call)
        tell("incoming", call=prm.callId)
        if self.phone.auto:
            operation = pj.CallOpParam()
            operation.statusCode = self.phone.auto
            call.answer(operation)


class Phone:
    def __init__(self, options: argparse.Namespace) -> None:
        self.auto = options.answer
        self.calls: list[Call] = []
        self._later: list[Call] = []
        self.endpoint = endpoint = pj.Endpoint()
        endpoint.libCreate()
        config = pj.EpConfig()
        config.logConfig.level = options.verbose
        config.logConfig.consoleLevel = options.verbose
        config.uaConfig.threadCnt = 0
        config.medConfig.noVad = not options.dtx
        config.medConfig.clockRate = 16000 if "G722" in options.codec else 8000
        endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.boundAddress = transport.publicAddress = "127.0.0.1"
        transport.port = options.port
        endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        endpoint.libStart()
        endpoint.audDevManager().setNullDev()
        self.only(options.codec)
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(options.microphone, pj.PJMEDIA_FILE_NO_LOOP)
        self.recorder = pj.AudioMediaRecorder()
        self.recorder.createRecorder(options.recording)
        self.account = Account()
        self.account.phone = self
        account = pj.AccountConfig()
        account.idUri = f"sip:pjsua@127.0.0.1:{options.port}"
        account.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
        account.mediaConfig.transportConfig.publicAddress = "127.0.0.1"
        account.mediaConfig.transportConfig.port = options.rtp_port
        account.callConfig.prackUse = (
            pj.PJSUA_100REL_MANDATORY if options.prack else pj.PJSUA_100REL_OPTIONAL
        )
        account.callConfig.timerUse = (
            pj.PJSUA_SIP_TIMER_ALWAYS if options.timer else pj.PJSUA_SIP_TIMER_OPTIONAL
        )
        if options.timer:
            account.callConfig.timerSessExpiresSec = account.callConfig.timerMinSESec = 90
        self.account.create(account)

    def only(self, name: str) -> None:
        """Have no other codec."""
        for codec in self.endpoint.codecEnum2():
            priority = 255 if name in codec.codecId else 0
            self.endpoint.codecSetPriority(codec.codecId, priority)

    def gone(self, call: Call) -> None:
        """Its Python object must outlive the callback."""
        if call in self.calls:
            self.calls.remove(call)
            self._later.append(call)

    def do(self, command: str, argument: str) -> bool:
        operation = pj.CallOpParam(True)
        call = self.calls[0] if self.calls else None
        match command:
            case "call":
                made = Call(self)
                self.calls.append(made)
                made.makeCall(argument, operation)
            case "quit":
                return False
            case _ if call is None:
                tell("error", text=f"{command}: no call")
            case "answer":
                operation.statusCode = int(argument)
                call.answer(operation)
            case "hangup":
                call.hangup(operation)
            case "hold":
                call.setHold(operation)
            case "resume":
                operation.opt.flag = pj.PJSUA_CALL_UNHOLD
                call.reinvite(operation)
            case "codec":
                self.only(argument)
                call.reinvite(operation)
            case "update":
                call.update(operation)
            case "dtmf":
                call.dialDtmf(argument)
            case "transfer":
                call.xfer(argument, operation)
            case "attended":
                call.xferReplaces(self.calls[1], operation)
        return True

    def obey(self, line: str) -> bool:
        """Whether to go on."""
        command, _, argument = line.strip().partition(" ")
        try:
            return self.do(command, argument)
        except pj.Error as error:
            tell("error", text=error.info())
            return True

    def run(self) -> None:
        tell("ready")
        running, waiting = True, b""
        while running:
            self.endpoint.libHandleEvents(10)
            if select.select([0], [], [], 0)[0]:
                more = os.read(0, 4096)
                running = bool(more)
                *lines, waiting = (waiting + more).split(b"\n")
                for line in lines:
                    running = running and self.obey(line.decode())
        if self.calls:
            self.endpoint.hangupAllCalls()
            for _ in range(50):
                self.endpoint.libHandleEvents(10)
        self.calls.clear()
        self._later.clear()
        del self.player, self.recorder
        self.account.shutdown()
        self.endpoint.libDestroy()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("microphone")
    parser.add_argument("recording")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rtp-port", type=int, required=True)
    parser.add_argument("--codec", default="PCMU")
    parser.add_argument("--answer", type=int, default=200)
    parser.add_argument("--dtx", action="store_true")
    parser.add_argument("--prack", action="store_true")
    parser.add_argument("--timer", action="store_true")
    parser.add_argument("--verbose", type=int, default=0)
    Phone(parser.parse_args()).run()


if __name__ == "__main__":
    main()
