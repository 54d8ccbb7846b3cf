"""Questions asked one by one: the model puts each and hands in the answer with `gather_submit`.

While a question is open the model sees that question only, and every other tool is locked except
those that the question names. Answers are checked by type and go to global_data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mediacore.assistant.notes import (
    Notes,
    as_bool,
    as_list,
    as_map,
    as_names,
    as_text,
    join,
    read_bool,
    read_float,
    read_int,
)

AnswerType = Literal["string", "integer", "number", "boolean"]
LONGEST_ANSWER = 2000
NEXT_STEP = "next_step"
_TYPES: Mapping[str, AnswerType] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
_QUESTION_KEYS = frozenset(
    {"key", "question", "type", "confirm", "prompt", "functions", "isolated"}
)
_GATHER_KEYS = frozenset({"questions", "output_key", "completion_action", "prompt", "isolated"})


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `functions` are the tools open while it is asked."""

    key: str
    question: str
    type: AnswerType = "string"
    confirm: bool = False
    prompt: str = ""
    functions: tuple[str, ...] = ()
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class GatherInfo:
    """The questions of a step. `completion_action` is "", "next_step" or the name of a step."""

    questions: tuple[Question, ...]
    output_key: str = ""
    completion_action: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class GatherState:
    """Which question is open, and the keys answered so far."""

    index: int = 0
    answered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked answer: `value` when `problem` is empty, otherwise what to tell the model."""

    value: object = None
    problem: str = ""
    reason: str = field(default="")


def read_gather(raw: object, path: str, notes: Notes) -> GatherInfo | None:
    """The `gather_info` of a step, or None when it has no usable question."""
    if raw is None:
        return None
    fields = as_map(raw, path, notes)
    notes.unknown(path, fields, _GATHER_KEYS)
    isolated = as_bool(fields.get("isolated"), join(path, "isolated"), notes)
    found: dict[str, Question] = {}
    for at, item in enumerate(as_list(fields.get("questions"), join(path, "questions"), notes)):
        where = f"{path}.questions[{at}]"
        question = _question(as_map(item, where, notes), where, isolated, notes)
        if question is None:
            continue
        if question.key in found:
            notes.add(where, "duplicate", f"{question.key} is asked already; not used")
        found.setdefault(question.key, question)
    if not found:
        notes.add(path, "missing", "has no questions; not used")
        return None
    return GatherInfo(
        tuple(found.values()),
        as_text(fields.get("output_key"), join(path, "output_key"), notes),
        as_text(fields.get("completion_action"), join(path, "completion_action"), notes),
        as_text(fields.get("prompt"), join(path, "prompt"), notes),
    )


def _question(
    fields: Mapping[str, object], path: str, isolated: bool, notes: Notes
) -> Question | None:
    key = as_text(fields.get("key"), join(path, "key"), notes)
    text = as_text(fields.get("question"), join(path, "question"), notes)
    if not key or not text:
        notes.add(path, "missing", "needs key and question; not used")
        return None
    notes.unknown(path, fields, _QUESTION_KEYS)
    kind = as_text(fields.get("type"), join(path, "type"), notes, "string")
    if kind not in _TYPES:
        notes.add(join(path, "type"), "unknown", "is not a known type; text is taken")
    return Question(
        key,
        text,
        _TYPES.get(kind, "string"),
        as_bool(fields.get("confirm"), join(path, "confirm"), notes),
        as_text(fields.get("prompt"), join(path, "prompt"), notes),
        as_names(fields.get("functions"), join(path, "functions"), notes),
        as_bool(fields.get("isolated"), join(path, "isolated"), notes, isolated),
    )


def instruction(question: Question) -> str:
    """What the model is told while the question is open."""
    lines = [f'Ask the caller this one question: "{question.question}"']
    if question.type != "string":
        lines.append(f"The answer must be of type {question.type}.")
    if question.confirm:
        lines.append("Read the answer back and hand it in only after the caller agreed to it.")
    if question.prompt:
        lines.append(question.prompt)
    lines.append("Hand the answer in with gather_submit. Ask nothing else meanwhile.")
    return "\n".join(lines)


def submit_schema(question: Question) -> Mapping[str, object]:
    """The JSON schema of `gather_submit` for the open question."""
    properties: dict[str, object] = {
        "answer": {"type": question.type, "description": "the caller's answer"}
    }
    required = ["answer"]
    if question.confirm:
        properties["confirmed_by_user"] = {
            "type": "string",
            "enum": ["true", "false"],
            "description": "true only after the caller agreed to the answer read back",
        }
        required.append("confirmed_by_user")
    return {"type": "object", "properties": properties, "required": required}


def check_answer(question: Question, arguments: Mapping[str, object]) -> Answer:
    """An answer in the type of the question, or why it is not taken. Never raises."""
    if "answer" not in arguments or arguments["answer"] is None:
        return Answer(problem="The answer is missing.", reason="missing")
    value = _typed(question.type, arguments["answer"])
    if value is None:
        return Answer(problem=f"The answer must be of type {question.type}.", reason="type")
    if question.confirm and read_bool(arguments.get("confirmed_by_user")) is not True:
        text = "Read the answer back to the caller first and hand it in once the caller agrees."
        return Answer(problem=text, reason="not_confirmed")
    return Answer(value)


def _typed(kind: AnswerType, raw: object) -> object:
    if kind == "integer":
        return read_int(raw)
    if kind == "number":
        number = read_float(raw)
        whole = read_int(raw)
        return whole if number is not None and whole == number else number
    if kind == "boolean":
        return read_bool(raw)
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return None
    text = str(raw).strip()
    return text if 0 < len(text) <= LONGEST_ANSWER else None


def stored(
    global_data: Mapping[str, object], output_key: str, key: str, value: object
) -> Mapping[str, object]:
    """global_data with one answer: below `output_key`, or at the top when that is empty."""
    if not output_key:
        return {**global_data, key: value}
    before = global_data.get(output_key)
    group = before if isinstance(before, Mapping) else {}
    return {**global_data, output_key: {**group, key: value}}
