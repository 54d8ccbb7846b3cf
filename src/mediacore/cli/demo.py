"""`mediacore demo`."""

from __future__ import annotations

from pathlib import Path

import click

from mediacore.app_options import CallResult, DemoOptions
from mediacore.cli.output import finish_call, need
from mediacore.observe.live import open_view

EXAMPLE = """\b
Example:
  mediacore demo --out demo-call
  xdg-open demo-call/report.html
"""


@click.command("demo", epilog=EXAMPLE)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-call"),
    show_default=True,
    help="Directory for call.wav, call.json, report.html and timeline.png.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; no live view.")
def command(out: Path, as_json: bool) -> None:
    """Hold a complete phone conversation on this machine, offline.

    A recorded caller (synthetic voice) speaks over real RTP on loopback. Speech recognition hears
    it, a dialogue answers, speech synthesis speaks; the caller interrupts. Takes under a minute
    of real time and needs the extra `demo`.
    """
    run = need("mediacore.app", "demo").run_demo
    if as_json:
        result: CallResult = run(DemoOptions(out))
    else:
        with open_view() as view:
            result = run(DemoOptions(out, watch=view.show))
    finish_call(result, as_json)
