"""Documents that come from inside the call: lists of statements, objects, addresses."""

from __future__ import annotations

from mediacore.flow.document import Document, load_document
from mediacore.flow.source import from_value


def go_on_with(dest: object, sorry: str, name: str) -> Document:
    """A document that goes on with another one; when that cannot be had, the caller is told.

    Raises DocumentError.
    """
    statements = [{"transfer": {"dest": dest}}, {"play": f"say:{sorry}"}, {"hangup": {}}]
    return inline_document(statements, name)


def inline_document(value: object, name: str) -> Document:
    """A document from statements, an object, its text, or an address. Raises DocumentError."""
    if isinstance(value, str):
        value = [{"transfer": {"dest": value}}]
    if isinstance(value, list | tuple):
        value = {"sections": {"main": list(value)}}
    return load_document(from_value(value, name))
