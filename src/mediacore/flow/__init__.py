"""Documents in the published SWML format: reading, validating and describing them."""

from mediacore.flow.document import Document, Statement, load_document, requires_model
from mediacore.flow.findings import CODES, Code, Finding, Severity
from mediacore.flow.source import (
    DocumentError,
    Path,
    Place,
    Source,
    from_value,
    read_source,
)

__all__ = [
    "CODES",
    "Code",
    "Document",
    "DocumentError",
    "Finding",
    "Path",
    "Place",
    "Severity",
    "Source",
    "Statement",
    "from_value",
    "load_document",
    "read_source",
    "requires_model",
]
