"""`mediacore talk`."""

from __future__ import annotations

from pathlib import Path

import click

from mediacore.app_options import CallResult
from mediacore.cli.output import finish_call, need
from mediacore.observe.live import open_view

EPILOG = """\b
Examples:
  mediacore talk
  mediacore talk --headset --agent my-agent.yaml
  mediacore talk --document flow.yaml --llm openai:my-model@http://127.0.0.1:8080/v1
  mediacore talk --list-devices
"""


@click.command("talk", epilog=EPILOG)
@click.option(
    "--agent",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The agent's file.  [default: the built-in order line]",
)
@click.option("--document", metavar="FILE|URL", help="Run this document instead of an agent.")
@click.option("--llm", "llms", multiple=True, metavar="SPEC", help="Model of the document.")
@click.option("--allow", multiple=True, metavar="HOST", help="Address the document may reach.")
@click.option("--headset", is_flag=True, help="The microphone does not hear the loudspeaker.")
@click.option("--input", "source", default="", metavar="DEVICE", help="Number or part of a name.")
@click.option("--output", "sink", default="", metavar="DEVICE", help="Number or part of a name.")
@click.option("--list-devices", is_flag=True, help="Print the sound devices and end.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("call"),
    show_default=True,
    help="Directory for call.wav, call.json, report.html and timeline.png.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; no live view.")
def command(
    agent: Path | None,
    document: str | None,
    llms: tuple[str, ...],
    allow: tuple[str, ...],
    headset: bool,
    source: str,
    sink: str,
    list_devices: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Talk to an agent through this machine's microphone and loudspeaker.

    Needs the extra `mic` and a sound device. Without --headset the microphone is off while the
    agent speaks: nothing here cancels echo.
    """
    sound = need("mediacore.transports.soundcard", "mic")
    if list_devices:
        for device in sound.list_devices():
            click.echo(f"{device.index:3}  in {device.ins:2}  out {device.outs:2}  {device.name}")
        return
    sound.check_devices(source, sink)  # what is missing is told before models are loaded
    app = need("mediacore.app_talk", "local")
    microphone = need("mediacore.transports.microphone", "mic")
    config = microphone.MicrophoneConfig(source=source, sink=sink, headset=headset)

    def talk(**more: object) -> CallResult:
        options = app.TalkOptions(out, agent, document, llms, allow, microphone=config, **more)
        result: CallResult = app.run_talk(options)
        return result

    if not headset:
        click.echo(app.HALF_DUPLEX, err=True)
    if as_json:
        result = talk()
    else:
        with open_view() as view:
            result = talk(watch=view.show)
    finish_call(result, as_json)
