"""A certificate for local use, so that unmodified clients can be pointed at this machine.

Made with the `openssl` program: nothing to install in Python, and it is present wherever
ca-certificates is (Debian, Ubuntu, macOS, the python container images).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from mediacore.control.config import TlsFiles
from mediacore.errors import ConfigError, MissingDependencyError

LOCAL_NAMES = ("localhost", "127.0.0.1")
_TIMEOUT_S = 20

# A CA certificate, so that it can be its own trust anchor; strict verifiers (Python 3.13) also
# want the key usages and identifiers. RFC 5280 §4.2.1.
_TEMPLATE = """[req]
prompt = no
distinguished_name = name
x509_extensions = local
[name]
CN = {common_name}
[local]
basicConstraints = critical,CA:TRUE
keyUsage = critical,digitalSignature,keyCertSign
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {alternative_names}
"""


def make_self_signed(
    directory: Path, names: tuple[str, ...] = LOCAL_NAMES, days: int = 365
) -> TlsFiles:
    """Write `cert.pem` and `key.pem` (P-256, readable by the owner only) into `directory`.

    names: host names and addresses. Files that are there are replaced. Clients trust it through
    SIGNALWIRE_RELAY_CA_FILE (signalwire-sdk), SSL_CERT_FILE (signalwire-agents) or
    NODE_EXTRA_CA_CERTS (Node). Raises MissingDependencyError without the openssl program.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise MissingDependencyError(
            "the program openssl", "install openssl, or give a certificate and key of your own"
        )
    if not names or any(set(name) & set(",\n\\$") for name in names):
        raise ConfigError("names must be host names or addresses")
    directory.mkdir(parents=True, exist_ok=True)
    files = TlsFiles(directory / "cert.pem", directory / "key.pem")
    key = _run([openssl, "ecparam", "-name", "prime256v1", "-genkey", "-noout"])
    _write_private(files.key, key)
    with TemporaryDirectory() as scratch:
        request = Path(scratch) / "request.cnf"
        request.write_text(
            _TEMPLATE.format(
                common_name=names[0], alternative_names=",".join(_alternative(x) for x in names)
            )
        )
        command = [openssl, "req", "-new", "-x509", "-sha256", "-days", str(days)]
        command += ["-key", str(files.key), "-config", str(request)]
        files.cert.write_bytes(_run(command))
    return files


def _alternative(name: str) -> str:
    try:
        return f"IP:{ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _run(command: list[str]) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-300:]
        raise ConfigError(f"openssl {command[1]} failed: {said}")
    return done.stdout
