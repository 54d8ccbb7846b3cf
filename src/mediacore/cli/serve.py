"""`mediacore serve`."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from mediacore.app_options import CallResult
from mediacore.cli.call import ManyValues
from mediacore.cli.output import finish_call, need
from mediacore.errors import ConfigError
from mediacore.observe.decisions import log_file

EPILOG = """\b
Examples:
  mediacore serve --document flow.yaml --call hello.wav order.wav
  mediacore serve --document examples/ivr.yaml --call 01_check_order
  mediacore serve --document http://user:pass@127.0.0.1:3000/ --allow 127.0.0.1 \\
      --llm openai:my-model@http://127.0.0.1:8080/v1 --call hello.wav
  mediacore serve --control 7443 --call hello.wav
  mediacore serve --config mediacore.toml
"""


_FIELDS: Final[Mapping[str, str]] = {
    "llms": "llm",
    "calls": "call",
    "barge_in_after": "barge_in_after_s",
    "day_cap": "day_cap_micros",
    "log_path": "log",
    "drain": "drain_s",
}
"""Parameters that are called otherwise in ServeOptions."""


class Recording(click.Path):
    """A file, or the name of a recording that comes with the package."""

    name = "recording"

    def convert(
        self, value: str | PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | PathLike[str]:
        """Files come first."""
        packaged = Path(str(files("mediacore"))) / "demo" / "caller" / f"{value}.wav"
        here = packaged if not Path(str(value)).exists() and packaged.exists() else value
        return super().convert(str(here), param, ctx)


_RECORDING = Recording(path_type=Path, exists=True, dir_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_NEW_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("serve", cls=ManyValues, many="--call", epilog=EPILOG)
@click.option("--config", type=_FILE, help="Everything in a file; see docs/configuration.md.")
@click.option("--document", metavar="FILE|URL", help="What calls get: a file, or a server's URL.")
@click.option(
    "--llm",
    "llms",
    multiple=True,
    metavar="SPEC",
    help="openai:MODEL[@URL], tiny, or scripted:FILE; more than one: fallbacks, in order.",
)
@click.option("--stt", type=click.Choice(["local", "none"]), default="local", show_default=True)
@click.option("--tts", type=click.Choice(["local", "tones"]), default="local", show_default=True)
@click.option("--control", metavar="[HOST:]PORT", help="Let controllers connect here (TLS).")
@click.option("--project", default="local", show_default=True, help="The controllers' project.")
@click.option("--context", default="office", show_default=True, help="Context of incoming calls.")
@click.option("--tls", type=_FOLDER, help="Folder with cert.pem and key.pem.  [default: made]")
@click.option(
    "--allow",
    multiple=True,
    metavar="HOST",
    help="Address, network or host:port inside that documents and tools may reach.",
)
@click.option("--records", type=_FOLDER, default=Path("calls"), show_default=True)
@click.option("--sounds", type=_FOLDER, help="Folder of sounds that documents name without URL.")
@click.option(
    "--call",
    "calls",
    type=_RECORDING,
    multiple=True,
    metavar="FILE...",
    help="Place one call with these recordings as the caller, then end. Names of the demo's "
    "recordings count as well: 01_check_order …",
)
@click.option(
    "--barge-in-after",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="The caller speaks so long after the agent began.",
)
@click.option("--from", "from_number", default="+15550100", show_default=True)
@click.option("--to", "to_number", default="+15550199", show_default=True)
@click.option(
    "--phone",
    "phones",
    multiple=True,
    metavar="NUMBER=FILE[,FILE]",
    help="A phone that can be dialled, and what it says.",
)
@click.option("--strict", is_flag=True, help="Refuse documents with unsupported methods.")
@click.option("--budget", metavar="KEY=N,…", help="Caps per call: seconds, turns, tokens, money.")
@click.option("--prices", type=_FILE, help="Price table (JSON).")
@click.option("--campaign", default="", help="Whose money a call spends.")
@click.option("--day-cap", metavar="MONEY", help="Most that the campaign spends on a day.")
@click.option("--spend", metavar="FILE|URL", help="Spend counters: SQLite file or postgresql://.")
@click.option("--queue", type=_NEW_FILE, help="Keep work after calls in this file.")
@click.option("--log", "log_path", type=_NEW_FILE, help="Decision log, one line per decision.")
@click.option("--log-content", is_flag=True, help="Also log what was said.")
@click.option("--drain", type=click.FloatRange(min=0), help="Seconds for calls after SIGTERM.")
@click.option("--document-secret", envvar="MEDIACORE_DOCUMENT_SECRET", hidden=True)
@click.pass_context
def command(ctx: click.Context, /, config: Path | None, **values: Any) -> None:
    """Run calls by a document in the published SWML format, by an agent's server that gives one,
    or by controllers that speak RELAY. Options override the file of --config."""
    app = need("mediacore.app_serve", "local")
    base = app.ServeOptions()
    if config is not None:
        base = need("mediacore.serving.options", "local").options_of(config)
    given = {
        name: value
        for name, value in values.items()
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    options = dataclasses.replace(base, **_fields(given))
    if options.log is not None:
        decisions = logging.getLogger("mediacore.decisions")
        decisions.addHandler(log_file(options.log))
        decisions.setLevel(logging.INFO)
        decisions.propagate = False
    record = app.run_serve(options, click.echo)
    if record is not None and options.call:
        for turn in record.turns:
            click.echo(f"{turn.speaker.value:>6}: {turn.heard_text}")
        finish_call(CallResult(record, options.records / record.call_id), False)


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the command line as fields of ServeOptions."""
    policy = need("mediacore.policy.budget", "local")
    read: Mapping[str, Callable[[Any], Any]] = {
        "control": _address,
        "phones": lambda phones: dict(_phone(p) for p in phones),
        "budget": lambda text: policy.parse_budget(_pairs(text), "--budget"),
        "day_cap": _money,
    }
    return {
        _FIELDS.get(name, name): read[name](value) if name in read else value
        for name, value in given.items()
    }


def _address(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise ConfigError("--control: expected [HOST:]PORT")
    return host or "127.0.0.1", int(port)


def _phone(value: str) -> tuple[str, tuple[Path, ...]]:
    number, found, files = value.partition("=")
    paths = tuple(Path(f) for f in files.split(",") if f)
    missing = [str(p) for p in paths if not p.is_file()]
    if not found or not number or missing:
        raise ConfigError(f"--phone: expected NUMBER=FILE; {missing[0] if missing else value!r}")
    return number, paths


def _pairs(value: str) -> dict[str, object]:
    pairs = (part.partition("=") for part in value.split(","))
    return {k.strip(): int(v) if v.strip().isdigit() else v.strip() for k, _, v in pairs}


def _money(value: str) -> int:
    money: int = need("mediacore.app_serve", "local").micros(value, "--day-cap")
    return money
