import json
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.policy.ending import FieldType, is_blank
from mediacore.postcall.extract import FieldSpec, Proposal, accept, parse_proposals

WORDS = st.sampled_from(
    ["my", "name", "is", "Ann", "ann", "not", "five", "5", "5551234", "yes", "no", "uh", "twenty",
     "ＡＮＮ", "Straße", "don't", "x@y.zz", "…", ",", "."]
)  # fmt: skip
TEXTS = st.one_of(st.lists(WORDS, max_size=8).map(" ".join), st.text(max_size=12))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
KEYS = "abcd"
MOST = [*[FieldType.TEXT] * 8, *FieldType]
NEEDED = st.sampled_from([True, True, True, False])
FIELDS = st.tuples(
    *(st.builds(FieldSpec, st.just(key), st.sampled_from(MOST), NEEDED) for key in KEYS)
)
PROPOSALS = st.dictionaries(
    st.sampled_from([*KEYS, "other"]), st.builds(Proposal, JSON, st.one_of(TEXTS, JSON))
)


def plain(text: str) -> str:
    """An own reading of the comparison: letters and figures only, and spaces where there was none
    or where letters meet figures."""
    out = []
    for char in text:
        kind = "d" if char.isdecimal() else "w" if char.isalnum() else " "
        if out and (kind == " " or kind != out[-1][0]):
            out.append((" ", " "))
        out.append((kind, char if kind != " " else " "))
    words = "".join(char for _, char in out).split()
    return " " + " ".join(unicodedata.normalize("NFKC", w).casefold() for w in words) + " "


@st.composite
def near_proposals(draw: st.DrawFn) -> tuple[list[str], dict[str, Proposal]]:
    """Utterances, and proposals that are often right: a piece of one, and a piece of that."""
    said = draw(st.lists(TEXTS, min_size=1, max_size=3))
    out = draw(PROPOSALS)
    for key in draw(st.sets(st.sampled_from(KEYS), min_size=2)):
        words = draw(st.sampled_from(said)).split()
        first = draw(st.integers(0, max(len(words) - 1, 0)))
        quote = words[first : first + draw(st.integers(1, 4))]
        at = draw(st.integers(0, max(len(quote) - 1, 0)))
        value = " ".join(quote[at : at + draw(st.integers(1, 3))])
        out[key] = Proposal(
            value, " ".join(draw(st.sampled_from([quote, quote, [*quote[:-1], "x"]])))
        )
    return said, out


@settings(max_examples=300)
@given(
    fields=FIELDS,
    data=st.dictionaries(
        st.sampled_from([*KEYS, "own"]),
        st.one_of(st.sampled_from(["", None, "kept", 0]), JSON),
        min_size=2,
    ),
    case=near_proposals(),
)
def test_no_quote_no_write(
    fields: tuple[FieldSpec, ...],
    data: dict[str, object],
    case: tuple[list[str], dict[str, Proposal]],
) -> None:
    said, proposals = case
    before = dict(data)
    out, decisions = accept(fields, data, proposals, said)
    assert data == before or data != data  # NaN is not equal to itself
    required = {f.key for f in fields if f.required}
    for key in out:
        if key in before and out[key] is before[key]:
            continue
        assert key in required and is_blank(before.get(key))
        quote = proposals[key].quote
        assert out[key] is proposals[key].value
        assert isinstance(quote, str) and plain(quote).strip()
        assert any(plain(quote) in plain(utterance) for utterance in said)
    assert set(before) <= set(out)
    written = {d.key: d for d in decisions if d.written}
    assert {k for k in out if k not in before or out[k] is not before[k]} == set(written)
    for decision in written.values():
        assert decision.utterance is not None
        place = said[decision.utterance][decision.start : decision.end]
        assert plain(place) == plain(str(proposals[decision.key].quote))
    again, _ = accept(fields, out, proposals, said)
    assert all(again[k] is out[k] for k in out) and set(again) == set(out)


@given(said=st.lists(WORDS, min_size=1, max_size=8).map(" ".join), value=TEXTS)
def test_text_values_are_the_callers_words(said: str, value: str) -> None:
    out, _ = accept((FieldSpec("a"),), {}, {"a": Proposal(value, said)}, [said])
    if "a" in out:
        digits = [c for c in value if c.isdecimal()]
        letters = [c for c in plain(value) if c.isalpha()]
        assert digits or letters
        for word in plain(value).split():
            if word.isalpha() and word not in ("five", "twenty", "uh"):
                assert f" {word} " in plain(said)


@given(text=st.one_of(st.text(), JSON.map(lambda v: json.dumps(v, default=str))))
def test_any_answer_can_be_parsed(text: str) -> None:
    for proposal in parse_proposals(text).values():
        assert isinstance(proposal, Proposal)
