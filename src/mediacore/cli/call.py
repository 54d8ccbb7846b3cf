"""`mediacore call`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mediacore.app_options import CallResult, WavCallOptions
from mediacore.cli.output import finish_call, need
from mediacore.observe.live import open_view

EXAMPLE = """\b
Examples:
  mediacore call --wav hello.wav order.wav bye.wav
  mediacore call --wav question.mp3 --agent my-agent.yaml --barge-in-after 1.5
"""


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
@click.option(
    "--wav",
    "wavs",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    required=True,
    metavar="FILE...",
    help="Recordings of the caller, one turn each (WAV, and with the extra `av` FLAC, MP3 …).",
)
@click.option(
    "--agent",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The agent's file.  [default: the built-in order line]",
)
@click.option(
    "--barge-in-after",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Speak so long after the agent began, instead of when it has finished.",
)
@click.option(
    "--codec",
    type=click.Choice(["PCMU", "PCMA", "G722", "L16", "opus"], case_sensitive=False),
    default="PCMU",
    show_default=True,
    help="Codec of the RTP leg.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("call"),
    show_default=True,
    help="Directory for call.wav, call.json, report.html and timeline.png.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; no live view.")
def command(
    wavs: tuple[Path, ...],
    agent: Path | None,
    barge_in_after: float | None,
    codec: str,
    out: Path,
    as_json: bool,
) -> None:
    """Call an agent over real RTP on loopback, with recordings as the caller."""
    run = need("mediacore.app", "demo").run_wav_call
    if as_json:
        result: CallResult = run(WavCallOptions(out, wavs, agent, barge_in_after, codec))
    else:
        with open_view() as view:
            result = run(WavCallOptions(out, wavs, agent, barge_in_after, codec, view.show))
    finish_call(result, as_json)
