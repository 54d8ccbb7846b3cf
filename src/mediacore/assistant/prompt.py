"""Prompts: plain text or a structured prompt (POM), and the numbers that go with them.

A structured prompt is a list of sections {title, body, bullets, numbered, numberedBullets,
subsections}. It is written as markdown (`##` at the top level, one more `#` per level) or XML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from xml.sax.saxutils import escape

from mediacore.assistant.notes import (
    Notes,
    as_bool,
    as_list,
    as_map,
    as_text,
    is_list,
    join,
)
from mediacore.assistant.params import ParamSpec, read_value

DEEPEST = 16
TOP_LEVEL = 2

KNOBS: Mapping[str, ParamSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            ParamSpec("temperature", "float", 1.0, 0, 1.5, note="randomness"),
            ParamSpec("top_p", "float", 1.0, 0, 1, note="randomness"),
            ParamSpec("confidence", "float", 0.6, 0, 1, note="least confidence of speech"),
            ParamSpec("barge_confidence", "float", 0.0, 0, 1, note="the same for interrupting"),
            ParamSpec("presence_penalty", "float", 0.0, -2, 2, note="towards new topics"),
            ParamSpec("frequency_penalty", "float", 0.0, -2, 2, note="against repetition"),
            ParamSpec("max_tokens", "int", 256, 0, 4096, "tokens", note="per answer"),
        )
    }
)
"""Numbers that may stand beside a prompt, with their ranges."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Instructions as text, and the knobs that were given with them."""

    text: str
    knobs: Mapping[str, object] = field(default_factory=dict)

    def knob(self, name: str) -> object:
        """The knob as given, or its default."""
        return self.knobs.get(name, KNOBS[name].default)


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a structured prompt. `numbered` None: as its neighbours are."""

    title: str = ""
    body: str = ""
    bullets: tuple[str, ...] = ()
    numbered_bullets: bool = False
    numbered: bool | None = None
    sections: tuple[Section, ...] = ()


def read_prompt(raw: object, path: str, style: str, notes: Notes, known: frozenset[str]) -> Prompt:
    """A prompt from text or {text, pom, knobs…}; `known` names further keys that may be there."""
    if isinstance(raw, str):
        return Prompt(raw)
    fields = as_map(raw, path, notes)
    text = as_text(fields.get("text"), join(path, "text"), notes)
    pom = render_pom(fields.get("pom"), style, join(path, "pom"), notes)
    notes.unknown(path, fields, known | frozenset(KNOBS) | {"text", "pom"})
    return Prompt(
        "\n\n".join(part for part in (text, pom) if part), read_knobs(fields, path, notes)
    )


def read_knobs(fields: Mapping[str, object], path: str, notes: Notes) -> Mapping[str, object]:
    """The knobs among `fields`, in type and range."""
    found = {
        name: read_value(spec, fields[name], join(path, name), notes)
        for name, spec in KNOBS.items()
        if fields.get(name) is not None
    }
    return {name: value for name, value in found.items() if value is not None}


def render_pom(raw: object, style: str, path: str, notes: Notes) -> str:
    """A structured prompt as text; "" when there is none. `style` is "markdown" or "xml"."""
    sections = read_sections(raw, path, notes)
    if not sections:
        return ""
    return _xml(sections) if style == "xml" else _markdown(sections, TOP_LEVEL, ())


def read_sections(raw: object, path: str, notes: Notes, depth: int = 0) -> tuple[Section, ...]:
    """The sections of a structured prompt. Text stands for a section with that body."""
    if raw is None:
        return ()
    items = raw if is_list(raw) else (raw,)
    if depth >= DEEPEST:
        notes.add(path, "refused", f"nests more than {DEEPEST} deep; the rest is not used")
        return ()
    found = (_section(item, f"{path}[{at}]", notes, depth) for at, item in enumerate(items))
    return tuple(section for section in found if section != Section())


def _section(item: object, path: str, notes: Notes, depth: int) -> Section:
    if isinstance(item, str):
        return Section(body=item)
    fields = as_map(item, path, notes)
    numbered = fields.get("numbered")
    bullets = as_list(fields.get("bullets"), join(path, "bullets"), notes)
    return Section(
        title=as_text(fields.get("title"), join(path, "title"), notes),
        body=as_text(fields.get("body"), join(path, "body"), notes),
        bullets=tuple(
            as_text(bullet, f"{path}.bullets[{at}]", notes) for at, bullet in enumerate(bullets)
        ),
        numbered_bullets=as_bool(fields.get("numberedBullets"), f"{path}.numberedBullets", notes),
        numbered=None if numbered is None else as_bool(numbered, f"{path}.numbered", notes),
        sections=read_sections(
            fields.get("subsections"), join(path, "subsections"), notes, depth + 1
        ),
    )


def _numbers(
    sections: tuple[Section, ...], above: tuple[int, ...], titled: bool
) -> list[tuple[int, ...]]:
    # One numbered section numbers its neighbours too, except those that say false.
    if not any(section.numbered for section in sections) or not titled:
        return [above] * len(sections)
    out: list[tuple[int, ...]] = []
    count = 0
    for section in sections:
        count += bool(section.title)
        out.append((*above, count) if section.title and section.numbered is not False else above)
    return out


def _heading(section: Section, number: tuple[int, ...]) -> str:
    return f"{'.'.join(map(str, number))}. {section.title}" if number else section.title


def _markdown(
    sections: tuple[Section, ...], level: int, above: tuple[int, ...], titled: bool = True
) -> str:
    blocks: list[str] = []
    for section, number in zip(sections, _numbers(sections, above, titled), strict=True):
        if section.title:
            blocks.append(f"{'#' * level} {_heading(section, number)}")
        if section.body:
            blocks.append(section.body)
        if section.bullets:
            marks = (
                f"{at}." if section.numbered_bullets else "-"
                for at in range(1, len(section.bullets) + 1)
            )
            lines = (f"{mark} {text}" for mark, text in zip(marks, section.bullets, strict=True))
            blocks.append("\n".join(lines))
        if section.sections:
            deeper = level + bool(section.title)
            inner = _markdown(section.sections, deeper, number, bool(section.title or number))
            blocks.append(inner)
    return "\n\n".join(blocks)


def _xml(sections: tuple[Section, ...]) -> str:
    lines = ["<prompt>", *_xml_sections(sections, (), 1, True), "</prompt>"]
    return "\n".join(lines)


def _xml_sections(
    sections: tuple[Section, ...], above: tuple[int, ...], depth: int, titled: bool
) -> list[str]:
    pad = "  " * depth
    lines: list[str] = []
    for section, number in zip(sections, _numbers(sections, above, titled), strict=True):
        lines.append(f"{pad}<section>")
        if section.title:
            lines.append(f"{pad}  <title>{escape(_heading(section, number))}</title>")
        if section.body:
            lines.append(f"{pad}  <body>{escape(section.body)}</body>")
        if section.bullets:
            lines.append(f"{pad}  <bullets>")
            for at, bullet in enumerate(section.bullets, 1):
                mark = f' id="{at}"' if section.numbered_bullets else ""
                lines.append(f"{pad}    <bullet{mark}>{escape(bullet)}</bullet>")
            lines.append(f"{pad}  </bullets>")
        if section.sections:
            lines.append(f"{pad}  <subsections>")
            inner = bool(section.title or number)
            lines.extend(_xml_sections(section.sections, number, depth + 2, inner))
            lines.append(f"{pad}  </subsections>")
        lines.append(f"{pad}</section>")
    return lines
