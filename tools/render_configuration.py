"""Write docs/configuration.md from the sections of the configuration file. --check: fail when it
is not current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from mediacore.serving.config import SECTIONS, Section
from mediacore.serving.manual import MANUAL
from mediacore.serving.tables import KeyInfo, keys_of

ROOT = Path(__file__).resolve().parents[1]
DOC = ROOT / "docs" / "configuration.md"
SAMPLE = ROOT / "examples" / "mediacore.toml"

HEAD = """\
# Configuration of `mediacore serve`

Rendered from the dataclasses that read it by `tools/render_configuration.py`; do not edit.

`mediacore serve --config mediacore.toml` reads a TOML file. Options of the command line override
it. Every section may be left out; a listener is opened only when its section is there. Errors name
file, line and key; a key that does not exist is an error.

- **Secrets.** A key marked *secret* may be written as `KEY_env = "NAME"` (an environment variable)
  or `KEY_file = "path"` (a file whose text it is) instead. In every text, `${NAME}` stands for an
  environment variable and `$${` for `${`. Secrets are never printed or logged.
- **Paths** count from the folder of the file.
- **Who may reach it.** Listeners are on 127.0.0.1 until told otherwise. One that other machines
  reach and that takes anybody is refused at the start, unless its section says `open = true`.
- **Stopping.** SIGTERM or Ctrl+C drains: new calls are refused (SIP 503, HTTP 503 with
  Retry-After), running ones go on for at most `drain_s`; a second signal ends them at once. With
  `Type=notify` systemd is told READY and STOPPING.

`mediacore doctor --config mediacore.toml` says which listeners a file would open, and whether their
ports are free.

A file that shows every section:

```toml
"""
OPEN = "Take calls from anybody on the network. Without it a listener that does is refused."


def main() -> int:
    text = render()
    if "--check" in sys.argv[1:]:
        return 0 if DOC.exists() and DOC.read_text(encoding="utf-8") == text else 1
    DOC.write_text(text, encoding="utf-8")
    return 0


def render() -> str:
    parts = [HEAD + SAMPLE.read_text(encoding="utf-8") + "```\n"]
    for section in SECTIONS:
        parts += _section(section)
    return "\n".join(parts)


def _section(section: Section) -> Iterator[str]:
    yield f"## [{section.name}]\n"
    yield f"{section.title}\n"
    keys = keys_of(section.kind)
    if section.opens:
        keys = (*keys, KeyInfo("open", "bool", "false", OPEN))
    yield _table(section.name, keys)
    yield from _below(section.name, section.kind)


def _below(path: str, kind: type) -> Iterator[str]:
    """The tables inside a table."""
    for key in keys_of(kind):
        if key.table is None:
            continue
        named = not key.listed and key.form != "table"  # tables by names that the file chooses
        inner = f"{path}.{key.name}.NAME" if named else f"{path}.{key.name}"
        yield f"### [[{inner}]]\n" if key.listed else f"### [{inner}]\n"
        yield _table(f"{path}.{key.name}", keys_of(key.table))
        yield from _below(inner, key.table)


def _table(path: str, keys: tuple[KeyInfo, ...]) -> str:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key in keys:
        form = f"{key.form}, secret" if key.secret else key.form
        default = f"`{key.default}`" if key.default and key.default != "(needed)" else key.default
        text = _sentence(MANUAL.get(f"{path}.{key.name}", key.text))
        rows.append(f"| `{key.name}` | {form} | {default} | {text} |")
    return "\n".join(rows) + "\n"


def _sentence(text: str) -> str:
    text = text.replace("|", "\\|").strip()
    if not text:
        return ""
    return text[0].upper() + text[1:].rstrip(".") + "."


if __name__ == "__main__":
    sys.exit(main())
