import pytest

from mediacore.policy.readback import Answer, AnswerKind, ReadBack, matches, polarity, read_back


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ("5550101234", ReadBack.PHONE, "five five five, zero one zero, one two three four"),
        ("+15550101", ReadBack.PHONE, "plus one five five five, zero one zero one"),
        ("5551234", ReadBack.PHONE, "five five five, one two three four"),
        ("12345", ReadBack.PHONE, "one two three, four five"),
        ("12345678", ReadBack.ACCOUNT, "one two three four, five six seven eight"),
        ("1234567", ReadBack.ACCOUNT, "one two three, four five six seven"),
        ("$1,250.50", ReadBack.AMOUNT, "one two five zero point five zero"),
        ("12.", ReadBack.AMOUNT, "one two"),
        ("B2-x", ReadBack.CODE, "B as in Bravo, two, dash, X as in X-ray"),
        ("", ReadBack.PHONE, ""),
        ("abc", ReadBack.ACCOUNT, ""),
    ],
)  # fmt: skip
def test_read_back(value: str, kind: ReadBack, said: str) -> None:
    assert read_back(value, kind) == said


YES, NO = Answer(AnswerKind.YES), Answer(AnswerKind.NO)
UNCLEAR = Answer(AnswerKind.UNCLEAR)


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("yes", YES),
        ("Yeah, that's right.", YES),
        ("yes that's the one", YES),
        ("oh yes", YES),
        ("Five five five one two three four.", YES),
        ("no", NO),
        ("That's not right", UNCLEAR),
        ("nope, wrong one", NO),
        ("No, it's 555 1235", Answer(AnswerKind.CORRECTION, "5551235")),
        ("five five five, one two three five", Answer(AnswerKind.CORRECTION, "5551235")),
        ("no, it ends in 35", Answer(AnswerKind.CORRECTION)),
        ("yes, it ends in 35", UNCLEAR),
        ("no, 555 1234", UNCLEAR),
        ("yes but", UNCLEAR),
        ("I think so, yes", UNCLEAR),
        ("yeah no", UNCLEAR),
        ("is that right?", UNCLEAR),
        ("what?", UNCLEAR),
        ("", UNCLEAR),
        ("banana", UNCLEAR),
    ],
)
def test_answers(answer: str, meant: Answer) -> None:
    assert matches("555-1234", answer) == meant


def test_polarity() -> None:
    assert polarity("yes please") is True
    assert polarity("no thanks") is False
    assert polarity("well") is None
