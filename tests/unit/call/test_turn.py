import pytest

from mediacore.call.settings import TurnSettings
from mediacore.call.turn import (
    Completeness,
    Intent,
    endpoint_wait,
    judge_completeness,
    judge_intent,
)

SETTINGS = TurnSettings()


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("Where is my order?", "complete"),
        ("I want to talk to somebody.", "complete"),
        ("I think so.", "complete"),
        ("What is that for?", "complete"),
        ("yes", "complete"),
        ("no thanks", "complete"),
        ("I would like a table", "unsure"),
        ("I want to book a", "incomplete"),
        ("I want to book a.", "incomplete"),
        ("Yes, and", "incomplete"),
        ("Well, because.", "incomplete"),
        ("I'd like to", "incomplete"),
        ("It is about, um.", "incomplete"),
        ("My number is.", "incomplete"),
        ("My name is", "incomplete"),
        ("Let me see...", "incomplete"),
        ("First,", "incomplete"),
        ("", "incomplete"),
        ("...", "incomplete"),
        ("My number is 5 5 5.", "incomplete"),
        ("five five five", "incomplete"),
        ("five five five one two one two", "complete"),
        ("My order number is 471925.", "unsure"),
        ("My number is 555-123-4567.", "complete"),
        ("A table for 2.", "complete"),
        ("At 10 30.", "complete"),
    ],
)
def test_completeness(text, looks):
    assert judge_completeness(text) == Completeness(looks)


@pytest.mark.parametrize(
    ("text", "looks"),
    [("4 7 1 9 2 5", "complete"), ("471925.", "complete"), ("4719", "incomplete")],
)
def test_an_expected_number_is_complete_with_its_last_digit(text, looks):
    assert judge_completeness(text, expected_digits=6) == Completeness(looks)


@pytest.mark.parametrize(
    ("text", "probability", "wait_ms", "shortened"),
    [
        ("Hello there.", None, 400, False),
        ("Hello there my friend", None, 700, False),
        ("Hello and", None, 1200, False),
        ("Hello and", 0.95, 400, True),
        ("Hello and", 0.5, 1200, False),
        ("Hello there.", 0.0, 400, False),
        ("Hello there.", 1.0, 400, False),
    ],
)
def test_the_detector_can_only_shorten(text, probability, wait_ms, shortened):
    wait = endpoint_wait(text, probability, SETTINGS)
    assert (wait.wait_ms, wait.shortened) == (wait_ms, shortened)


@pytest.mark.parametrize(
    ("text", "final", "intent"),
    [
        ("", True, "nothing"),
        (" ... ", True, "nothing"),
        ("Uh-huh.", True, "backchannel"),
        ("Okay, yeah.", False, "backchannel"),
        ("mm", True, "backchannel"),
        ("I see. Right.", True, "backchannel"),
        ("That’s right", True, "backchannel"),
        ("Tuesday", False, "unclear"),
        ("Tuesday.", True, "floor"),
        ("Okay but Tuesday", False, "floor"),
        ("stop", False, "floor"),
        ("No.", False, "floor"),
        ("Can I ask", False, "floor"),
    ],
)
def test_intent_over_the_agents_speech(text, final, intent):
    assert judge_intent(text, final, SETTINGS) == Intent(intent)


@pytest.mark.parametrize("text", ["Bye!", "Thanks, you too, bye-bye.", "Have a nice day."])
def test_a_farewell_over_the_goodbye_is_no_wish_for_the_floor(text):
    assert judge_intent(text, True, SETTINGS, closing=True) is Intent.BACKCHANNEL
    assert judge_intent(text, True, SETTINGS) is Intent.FLOOR
