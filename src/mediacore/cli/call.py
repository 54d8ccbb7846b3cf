"""`mediacore call`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import click

from mediacore.app_options import CallResult, WavCallOptions
from mediacore.cli.output import echo_json, finish_call, need
from mediacore.errors import ConfigError
from mediacore.observe.live import open_view

EXAMPLE = """\b
Examples:
  mediacore call --wav hello.wav order.wav bye.wav
  mediacore call --wav question.mp3 --agent my-agent.yaml --barge-in-after 1.5
  mediacore call sip:alice@192.0.2.7 --agent my-agent.yaml
  mediacore call sip:100@127.0.0.1:5060 --wav hello.wav --out heard
  mediacore call +15550100 --config mediacore.toml --document flow.yaml

\b
Exit codes of a call that is placed, beside the usual ones:
  0  answered        10  busy           11  no answer
  12  declined       13  not found      1   anything else
"""
EXIT_OF: Final = {"busy": 10, "noAnswer": 11, "decline": 12, "not_found": 13}
CALL_OUT: Final = Path("call")


class ManyValues(click.Command):
    """Lets `--wav a b c` stand for `--wav a --wav b --wav c`. many: which option."""

    def __init__(self, *args: Any, many: str = "--wav", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._many = many

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each of its values."""
        out: list[str] = []
        values = 0  # that followed the option; -1 outside
        for index, word in enumerate(args):
            if word == "--":
                out += args[index:]
                break
            if word.startswith("-"):
                values = 0 if word == self._many else -1
            else:
                if values > 0:
                    out.append(self._many)
                values += values >= 0
            out.append(word)
        return super().parse_args(ctx, out)


@click.command("call", cls=ManyValues, epilog=EXAMPLE)
@click.argument("target", metavar="[URI]", required=False)
@click.option(
    "--wav",
    "wavs",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE...",
    help="Recordings of the caller, one turn each (WAV, and with the extra `av` FLAC, MP3 …).",
)
@click.option(
    "--agent",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The agent's file.  [default: the built-in order line]",
)
@click.option("--document", metavar="FILE|URL", help="What runs on the call instead of an agent.")
@click.option("--llm", "llms", multiple=True, metavar="SPEC", help="Model of the document.")
@click.option("--allow", multiple=True, metavar="HOST", help="Address the document may reach.")
@click.option(
    "--barge-in-after",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Speak so long after the agent began, instead of when it has finished.",
)
@click.option(
    "--codec",
    type=click.Choice(["PCMU", "PCMA", "G722", "L16", "opus"], case_sensitive=False),
    help="Codec.  [default: PCMU; with URI: what both can]",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Call by the [sip] of this file; needed for numbers.",
)
@click.option("--from", "from_number", default="", metavar="NUMBER|URI", help="Who calls.")
@click.option("--user", default="", help="Name for a far side that asks for credentials.")
@click.option("--password-env", default="", metavar="NAME", help="Variable with the password.")
@click.option("--bind", default="", metavar="HOST", help="Numeric address to call from.")
@click.option(
    "--ring", type=click.FloatRange(min=1), default=60, show_default=True, help="Seconds."
)
@click.option(
    "--stay",
    type=click.FloatRange(min=0),
    default=10,
    show_default=True,
    help="Seconds to listen after the last recording.",
)
@click.option(
    "--limit",
    type=click.FloatRange(min=1),
    default=600,
    show_default=True,
    help="Longest call with URI, in seconds.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=CALL_OUT,
    show_default=True,
    help="Directory for call.wav, call.json, report.html, timeline.png, or heard.wav.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; no live view.")
@click.pass_context
def command(ctx: click.Context, /, target: str | None, **values: Any) -> None:
    """Call an agent over real RTP on loopback, with recordings as the caller.

    With URI: call a SIP address, or a number through the trunk of --config. The agent or document
    talks to whoever answers; with --wav the recordings do, and what was heard is kept. Ctrl+C
    hangs up.
    """
    if target is not None:
        ctx.exit(_place(target, values))
    if not values["wavs"]:
        raise click.UsageError("Missing option '--wav', or a URI to call.")
    out, as_json = values["out"], values["as_json"]
    rest = (values["wavs"], values["agent"], values["barge_in_after"], values["codec"] or "PCMU")
    run = need("mediacore.app", "demo").run_wav_call
    if as_json:
        result: CallResult = run(WavCallOptions(out, *rest))
    else:
        with open_view() as view:
            result = run(WavCallOptions(out, *rest, view.show))
    finish_call(result, as_json)


def _place(target: str, values: dict[str, Any]) -> int:
    """Place a call. Returns the exit code."""
    app = need("mediacore.app_call", "local")
    dial = need("mediacore.app_dial", "local")
    as_json: bool = values["as_json"]
    to = dial.Destination(
        target,
        values["config"],
        values["bind"],
        values["from_number"],
        values["user"],
        _password(values["password_env"]),
        (values["codec"],) if values["codec"] else (),
        values["ring"],
    )
    options = app.PlacedCall(
        to,
        values["out"],
        values["wavs"],
        values["agent"],
        values["document"],
        values["llms"],
        values["allow"],
        values["barge_in_after"],
        values["stay"],
        values["limit"],
    )
    outcome = app.run_call(options, lambda line: click.echo(line, err=as_json))
    if outcome.result is not None:
        finish_call(outcome.result, as_json)
    elif as_json:
        files = [str(outcome.heard)] if outcome.heard else []
        echo_json({"answered": outcome.answered, "end": outcome.end.value, "files": files})
    elif outcome.heard is not None:
        click.echo(f"  {outcome.heard}")
    return 0 if outcome.answered else EXIT_OF.get(outcome.end.value, 1)


def _password(variable: str) -> str:
    if not variable:
        return ""
    found = os.environ.get(variable, "")
    if not found:
        raise ConfigError(f"--password-env: the environment variable {variable} is not set")
    return found
