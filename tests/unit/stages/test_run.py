import pytest

from mediacore.stages import load_dialogue, reply_to

CALLER = [
    "Hi, I'd like to check on an order, please.",
    "Sure. It's 471925.",
    "Yes, that's right.",
    "Sorry, wait. When does it arrive?",
    "Actually, can I book an appointment for a fitting?",
    "Tuesday morning would be great.",
    "No, that's all. Thank you, bye.",
]
STAGES = ["number", "confirm", "status", "arrival", "day", "booked", "closing"]


@pytest.fixture(scope="module")
def script():
    return load_dialogue()


def test_the_whole_order_line(script):
    for i, stage in enumerate(STAGES, 1):
        reply = reply_to(script, CALLER[:i])
        assert reply.stage == stage
        assert reply.text
        assert reply.hangup is (stage == "closing")
    assert "4, 7, 1, 9, 2, 5" in reply_to(script, CALLER[:2]).text
    assert "Tuesday" in reply_to(script, CALLER[:6]).text


def test_an_unknown_number_is_not_invented(script):
    reply = reply_to(script, ["my order", "one two three four five six", "yes"])
    assert reply.stage == "unknown"
    assert "1, 2, 3, 4, 5, 6" in reply.text


def test_a_wrong_read_back_is_corrected(script):
    said = ["my order", "4 7 1 9 2 6", "no, 4 7 1 9 2 5"]
    assert reply_to(script, said).stage == "confirm"
    assert reply_to(script, [*said[:2], "no"]).stage == "number"


def test_misunderstandings_do_not_repeat_one_line(script):
    lines = [reply_to(script, ["blah"] * n).text for n in (1, 2, 3)]
    assert lines[0] != lines[1] and lines[0] == lines[2]


def test_silence_keeps_the_stage(script):
    assert reply_to(script, ["my order", ""]).stage == "number"


def test_repeat_says_the_same_again(script):
    once = reply_to(script, ["my order"])
    assert reply_to(script, ["my order", "Sorry, say that again?"]) == once


def test_an_early_goodbye_ends_the_call(script):
    reply = reply_to(script, ["my order", "oh, goodbye"])
    assert reply.hangup and "Goodbye" in reply.text


def test_the_reply_depends_on_nothing_else(script):
    assert reply_to(script, CALLER[:4]) == reply_to(script, CALLER[:4])
