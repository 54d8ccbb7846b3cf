from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest

from mediacore.control.selfsigned import make_self_signed
from mediacore.errors import ConfigError, MissingDependencyError


def shake_hands(cert: Path, key: Path, hostname: str) -> ssl.SSLObject:
    """A TLS handshake in memory; the client trusts only `cert`, as strictly as it can."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(cert, key)
    client_context = ssl.create_default_context(cafile=str(cert))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=hostname)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    client.do_handshake()
    return client


@pytest.mark.parametrize("hostname", ["localhost", "127.0.0.1"])
def test_trusted_by_itself(tmp_path: Path, hostname: str) -> None:
    files = make_self_signed(tmp_path / "tls")
    client = shake_hands(files.cert, files.key, hostname)
    certificate = client.getpeercert()
    assert certificate is not None
    names = certificate["subjectAltName"]
    assert names == (("DNS", "localhost"), ("IP Address", "127.0.0.1"))
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_another_name_is_not_trusted(tmp_path: Path) -> None:
    files = make_self_signed(tmp_path, names=("a.test",))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(files.cert, files.key, "localhost")


def test_a_new_one_replaces_the_old(tmp_path: Path) -> None:
    first = make_self_signed(tmp_path).key.read_bytes()
    assert make_self_signed(tmp_path).key.read_bytes() != first


@pytest.mark.parametrize("names", [(), ("a,DNS:b",), ("a\nb = c",), ("$x",)])
def test_names_that_are_none(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        make_self_signed(tmp_path, names=names)


def test_without_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependencyError, match="openssl"):
        make_self_signed(tmp_path)


def test_what_openssl_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "openssl"
    program.write_text("#!/bin/sh\necho no curve >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ConfigError, match="openssl ecparam failed: no curve"):
        make_self_signed(tmp_path / "tls")
