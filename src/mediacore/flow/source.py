"""A document's text becomes plain values, with the place of each.

JSON keeps its exact meaning. YAML is read so that nothing surprising happens: `+15551234567`,
`010`, `no`, `12:30:45` and dates stay what was written. Duplicate keys, anchors, aliases and tags
are refused, size and depth are bounded. Nothing in a text is ever executed.
"""

from __future__ import annotations

from typing import Final

from mediacore.flow.findings import Code
from mediacore.flow.json_text import json_source
from mediacore.flow.parsed import MAX_BYTES, DocumentError, Source, check_limits
from mediacore.flow.place import NOWHERE, Path, Place
from mediacore.flow.yaml_text import yaml_source

__all__ = ["MAX_BYTES", "DocumentError", "Path", "Place", "Source", "from_value", "read_source"]

_JSON_ENDING: Final = ".json"
_YAML_ENDINGS: Final = (".yaml", ".yml")


def read_source(data: bytes | str, name: str, *, max_bytes: int = MAX_BYTES) -> Source:
    """Read JSON or YAML (UTF-8). A text that begins with { or [ is JSON unless `name` says YAML.

    name: file or URL, for messages and its ending. Raises DocumentError: too large, malformed,
    duplicate keys, anchors, too deep, too many values.
    """
    text = _decode(data, name, max_bytes)
    lowered = name.lower()
    is_json = text.lstrip(" \t\r\n")[:1] in ("{", "[") and not lowered.endswith(_YAML_ENDINGS)
    if is_json or lowered.endswith(_JSON_ENDING):
        return json_source(text, name)
    return yaml_source(text, name)


def from_value(value: object, name: str) -> Source:
    """A document that is already decoded: a webhook's reply, an inline document.

    Raises DocumentError: too deep (cyclic included), too many values, something JSON cannot hold.
    """
    source = Source(name, value)
    check_limits(source)
    return source


def _decode(data: bytes | str, name: str, max_bytes: int) -> str:
    try:
        raw = data if isinstance(data, bytes) or len(data) > max_bytes else data.encode()
        if len(raw) > max_bytes:
            why = f"the text has more than {max_bytes} bytes"
            raise DocumentError(name, NOWHERE, (), Code.DOCUMENT_TOO_LARGE, why)
        text = data.decode() if isinstance(data, bytes) else data
    except UnicodeError:
        raise DocumentError(name, NOWHERE, (), Code.PARSE_ERROR, "the text is not UTF-8") from None
    return text.removeprefix("\ufeff")
