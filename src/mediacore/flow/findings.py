"""What reading a document brings to light, and the codes by which it is named."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from mediacore.flow.place import NOWHERE, Path, Place, format_path, shown


class Severity(StrEnum):
    """How much a finding matters. Only ERROR keeps a document from running."""

    ERROR = "error"
    WARNING = "warning"  # a key that means nothing here, a value that cannot work
    IGNORED = "ignored"  # known, accepted and not acted upon
    UNSUPPORTED = "unsupported"  # a method that sets its result to "failed" and goes on
    SUPPORTED = "supported"


class Code(StrEnum):
    """Names of what can be wrong with a document, at load and at run time."""

    PARSE_ERROR = "relay_script_parse_error"
    PARSE_INTERNAL_ERROR = "relay_script_parse_internal_error"
    VERSION_INVALID = "relay_script_version_invalid"
    SECTIONS_MISSING = "relay_script_sections_missing"
    MAIN_SECTION_MISSING = "relay_script_main_section_missing"
    SECTION_CODE_MISSING = "relay_script_section_code_missing"
    SECTION_UNDEFINED = "relay_script_section_parameter_undefined"
    ELEMENT_UNDEFINED = "relay_script_element_undefined"
    ELEMENT_WRONG_TYPE = "relay_script_element_wrong_type"
    ELEMENT_INVALID_VALUE = "relay_script_element_invalid_value"
    ELEMENT_DUPLICATED = "relay_script_element_duplicated"
    METHOD_MISSING_NAME = "relay_script_method_missing_name"
    METHOD_UNDEFINED = "relay_script_method_undefined"
    PARAMETER_MISSING = "relay_script_method_parameter_missing"
    PARAMETER_INVALID_VALUE = "relay_script_method_parameter_invalid_value"
    PARAMETER_UNDEFINED = "relay_script_method_parameter_undefined"
    PARAMETER_CONFLICT = "relay_script_method_parameter_conflict"
    NO_MATCHING_CONDITION = "relay_script_method_no_matching_condition"
    EXECUTE_FAILED = "relay_script_method_execute_failed"
    VOICE_UNRESOLVED = "relay_script_voice_unresolved"
    JS_EVAL_ERROR = "relay_script_js_eval_error"
    NESTED_TOO_DEEP = "relay_script_nested_too_deep"
    TOO_MANY_TRANSFERS = "relay_script_too_many_transfers"
    INTERNAL_ERROR = "relay_script_internal_error"
    # Ours, in the same style.
    DOCUMENT_TOO_LARGE = "relay_script_document_too_large"
    ALIAS_REFUSED = "relay_script_alias_refused"
    TOO_MANY_STATEMENTS = "relay_script_too_many_statements"
    LABEL_UNDEFINED = "relay_script_label_undefined"
    METHOD_UNSUPPORTED = "relay_script_method_unsupported"
    PARAMETER_IGNORED = "relay_script_method_parameter_ignored"
    MODEL_MISSING = "relay_script_model_missing"


CODES: Final[Mapping[Code, str]] = MappingProxyType(
    {
        Code.PARSE_ERROR: "The text is neither JSON nor YAML, or a destination is malformed.",
        Code.PARSE_INTERNAL_ERROR: "The reader itself failed.",
        Code.VERSION_INVALID: "The version is not one that this engine knows.",
        Code.SECTIONS_MISSING: "There is no `sections`.",
        Code.MAIN_SECTION_MISSING: "`sections` has no `main`.",
        Code.SECTION_CODE_MISSING: "A section holds no statement.",
        Code.SECTION_UNDEFINED: "A destination names a section that is not there.",
        Code.ELEMENT_UNDEFINED: "A key at the top of the document means nothing.",
        Code.ELEMENT_WRONG_TYPE: "A value has a type that cannot stand there.",
        Code.ELEMENT_INVALID_VALUE: "A value is not among those allowed.",
        Code.ELEMENT_DUPLICATED: "Something that may stand once stands twice.",
        Code.METHOD_MISSING_NAME: "A statement does not name exactly one method.",
        Code.METHOD_UNDEFINED: "A statement names a method that does not exist.",
        Code.PARAMETER_MISSING: "A parameter that the method needs is not given.",
        Code.PARAMETER_INVALID_VALUE: "A parameter's value cannot be used.",
        Code.PARAMETER_UNDEFINED: "The method has no such parameter.",
        Code.PARAMETER_CONFLICT: "Two parameters exclude each other.",
        Code.NO_MATCHING_CONDITION: "No case of a switch matched, and it has no default.",
        Code.EXECUTE_FAILED: "A method failed while it ran.",
        Code.VOICE_UNRESOLVED: "The voice is not known; another one speaks.",
        Code.JS_EVAL_ERROR: "An expression could not be evaluated.",
        Code.NESTED_TOO_DEEP: "The document or a block of statements is nested too deep.",
        Code.TOO_MANY_TRANSFERS: "One call went through too many transfers.",
        Code.INTERNAL_ERROR: "The engine failed.",
        Code.DOCUMENT_TOO_LARGE: "The text or the number of its values is over the limit.",
        Code.ALIAS_REFUSED: "YAML anchors, aliases and tags are not taken.",
        Code.TOO_MANY_STATEMENTS: "The document has more statements than allowed.",
        Code.LABEL_UNDEFINED: "A goto names a label that its section does not have.",
        Code.METHOD_UNSUPPORTED: "A known method that this engine does not run.",
        Code.PARAMETER_IGNORED: "A known parameter that is not acted upon.",
        Code.MODEL_MISSING: "`ai` needs a language model, and none is configured.",
    }
)
"""Every code and what it says. The first 24 are public names of the format; the rest is ours."""

PUBLIC_CODES: Final = frozenset(tuple(Code)[:24])


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about a document. `code` is a `Code`, `text` a sentence for people."""

    severity: Severity
    place: Place
    path: Path
    code: str
    text: str

    def __str__(self) -> str:
        where = f"{self.place.line}:{self.place.column}: " if self.place != NOWHERE else ""
        return f"{where}{format_path(self.path)}: {self.text}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word[:80], list(known), n=1, cutoff=0.65)
    return f" (did you mean '{shown(near[0])}'?)" if near else ""
