"""What docs/asterisk.md shows can be read, also where there is no Asterisk to try it."""

from __future__ import annotations

import re
from pathlib import Path

from mediacore.serving.config import read_config
from support.peers.asterisk import Ports, guide


def test_the_configuration_of_the_guide_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "mediacore.toml"
    file.write_text(guide()["mediacore.toml"])
    ways = read_config(file, {}).gateways
    assert ways.sip is not None and ways.sip.trunk is not None and ways.sip.binds[0].port == 5070
    assert ways.audiosocket is not None and ways.audiosocket.port == 9092
    assert ways.streams is not None and ways.streams.endpoint[0].path == "/asterisk"
    assert ways.rtp is not None and ways.rtp.ports == (40000,)


def test_every_port_of_the_guide_is_replaced_in_tests() -> None:
    ports = Ports(1, 2, 3, 4, 5, 6)
    for text in guide().values():
        assert not re.search(r"\b(?:5060|8088|5070|9092|8765|40000)\b", ports.into(text))
    assert "127.0.0.2:3" in ports.into(guide()["pjsip.conf"])
