"""Conversations with the built-in order line."""

from dataclasses import dataclass

import pytest

from mediacore.dialogue import Exchange, load_dialogue, replay
from mediacore.dialogue.machine import unheard


@dataclass
class Cut:
    """The caller heard this much of the last reply before speaking."""

    words: int
    said: str


class Talk:
    def __init__(self):
        self.dialogue = load_dialogue()
        self.exchanges = []
        self.replies = [self.dialogue.greeting]
        self.hangup = ""

    def say(self, *turns):
        for turn in turns:
            heard, said = self.replies[-1], turn
            if isinstance(turn, Cut):
                heard, said = " ".join(heard.split()[: turn.words]), turn.said
            self.exchanges.append(Exchange(heard, said))
            _, reply = replay(self.dialogue, self.exchanges)
            self.replies.append(reply.text)
            self.hangup = reply.hangup
        return self.replies[-1]


ORDER = ("Hi, I'd like to check on an order, please.", "Sure. It's four seven one nine two five.")
FOUND = (*ORDER, "Yes, that's right.")


def test_the_demo():
    talk = Talk()
    assert talk.replies[0] == "Hello, this is Harbor Tailors. How can I help you today?"
    assert "order number?" in talk.say(ORDER[0])
    assert talk.say(ORDER[1]) == "I have 4, 7, 1, 9, 2, 5. Is that right?"
    status = talk.say("Yes, that's right.")
    assert len(status) > 200
    assert not talk.hangup
    arrival = talk.say(Cut(14, "Sorry, wait. When does it arrive?"))
    assert arrival.startswith("You will have it on Thursday, before noon.")
    assert "grey wool" not in arrival
    assert "Which day" in talk.say("Actually, can I book an appointment for a fitting?")
    booked = talk.say("Tuesday morning would be great.")
    assert booked.startswith("Good, I have booked your fitting for Tuesday morning.")
    assert talk.say("No, that's all. Thank you, bye.") == (
        "Thank you for calling Harbor Tailors. Goodbye!"
    )
    assert talk.hangup == "completed"
    assert len(set(talk.replies)) == len(talk.replies)


@pytest.mark.parametrize(
    "lines",
    [
        ("Hi, I'd like to check on a border please.", "Sure, it's 471-925.", "Yes that's write."),
        ("I'd like to check on in order, please.", "4719-25", "Yeah, that's right."),
        ("Hi, I'd like to check an order", "It's 4 7 1 9 2 5.", "Yes, that's right"),
        ("Check on my orders.", "$4,719.25.", "Yes. That's right."),
    ],
)
def test_misrecognised_openings(lines):
    talk = Talk()
    assert "grey wool suit" in talk.say(*lines)


@pytest.mark.parametrize(
    "question",
    ["When does it arrive?", "Sorry. Wait. When does it arrived?", "Wait, wendy's it arrive."],
)
def test_interruption_heard_in_many_ways(question):
    talk = Talk()
    talk.say(*FOUND)
    assert "on Thursday" in talk.say(Cut(9, question))


@pytest.mark.parametrize(
    "said", ["Tuesday morning would be great.", "Tuesdey morning.", "On Tuesday, in the mornings"]
)
def test_days_heard_in_many_ways(said):
    talk = Talk()
    assert "for Tuesday morning" in talk.say("Can I book an appointment?", said)


def test_day_and_part_one_after_the_other():
    talk = Talk()
    assert "Thursday it is" in talk.say("Book a fitting please", "Thursday")
    assert "for Thursday afternoon" in talk.say("in the afternoon")
    assert "Which day" in talk.say("I'd like another appointment")


def test_day_said_at_once_and_closed_on_sunday():
    talk = Talk()
    assert "closed on Sundays" in talk.say("Can I book a fitting for Sunday morning?")
    assert "for Friday morning" in talk.say("Friday then")


def test_number_in_two_parts():
    talk = Talk()
    assert talk.say(ORDER[0], "It's four seven one") == "I have 4, 7, 1 so far. What comes next?"
    assert talk.say("nine two") == "I have 4, 7, 1, 9, 2 so far. What comes next?"
    assert talk.say("five") == "I have 4, 7, 1, 9, 2, 5. Is that right?"


def test_number_started_over():
    talk = Talk()
    talk.say(ORDER[0], "four seven one")
    assert "4, 7, 1, 9, 2, 5." in talk.say("sorry again 471925")
    talk = Talk()
    talk.say(ORDER[0], "four seven one nine")
    assert "6, 3, 0, 0 so far" in talk.say("six three zero zero")


def test_number_too_long_is_asked_for_again():
    talk = Talk()
    assert "six digits" in talk.say(ORDER[0], "4719255")


def test_one_word_is_not_a_number():
    talk = Talk()
    assert talk.say(ORDER[0], "One moment please") == "Sure, take your time."


def test_number_corrected():
    talk = Talk()
    assert talk.say(*ORDER, "No, it's 471926.").endswith("I have 4, 7, 1, 9, 2, 6. Is that right?")
    assert "can't find an order with the number 4, 7, 1, 9, 2, 6" in talk.say("Yes")
    assert "4, 7, 1, 9, 2, 5" in talk.say("471925")
    assert "grey wool" in talk.say("yes 471925")


def test_number_denied():
    talk = Talk()
    assert talk.say(*ORDER, "No, that's wrong.").startswith("Sorry about that. What is your order")


def test_arrival_before_an_order_is_known_is_not_answered():
    talk = Talk()
    assert "on Thursday" not in talk.say("When does it arrive?")


def test_several_orders():
    talk = Talk()
    talk.say(*FOUND, "No thanks.")
    assert "order number" in talk.say("I have another order")
    assert "navy linen" in talk.say("two zero four eight one six", "correct")


def test_status_answers():
    talk = Talk()
    assert "on Thursday" in talk.say(*FOUND, "Yes please.")
    talk = Talk()
    assert talk.say(*FOUND, "No.") == "Is there anything else I can do for you?"
    assert "order, or book" in talk.say("Yes.")
    talk.say("No.")
    assert talk.hangup


def test_nothing_understood_never_twice_the_same():
    talk = Talk()
    talk.say("Purple elephants", "Purple elephants")
    assert len(set(talk.replies)) == 3
    assert "call you back" in talk.say("Purple elephants")
    assert talk.hangup == "completed"


def test_a_hit_makes_misses_forgotten():
    talk = Talk()
    first = talk.say("Purple elephants")
    talk.say("Hold on a second")
    assert talk.say("Purple elephants") == first


def test_silence():
    talk = Talk()
    assert talk.say("", " ... ") != talk.replies[1]
    assert talk.replies[1] == "Are you still there?"
    assert "order number" in talk.say("Sorry, I want to check an order")
    talk.say("", "")
    assert not talk.hangup
    talk.say("")
    assert talk.hangup


def test_repeat_says_the_content_again():
    talk = Talk()
    status = talk.say(*FOUND)
    assert talk.say("Can you say that again?") == f"Of course. {status}"
    assert talk.say("Hold on.") == "Sure, take your time."
    assert talk.say("Sorry, can you repeat that?") == f"Of course. {status}"


def test_go_on_continues_where_it_was_cut():
    talk = Talk()
    status = talk.say(*FOUND)
    assert talk.say(Cut(20, "Hold on a second")) == "Sure, take your time."
    rest = talk.say("Okay, go on.")
    assert status.endswith(rest)
    assert rest.startswith("It was cut last Friday")
    rest = talk.say(Cut(24, "wait"), "go ahead")
    assert rest.startswith("It is packed now")
    assert talk.say("continue") == "Would you like to know when you will have it?"


@pytest.mark.parametrize("before", [(), ORDER[:1], ORDER, FOUND, ("Book a fitting",)])
def test_goodbye_and_colleague_everywhere(before):
    talk = Talk()
    talk.say(*before, "I have to go, goodbye.")
    assert talk.hangup == "completed"
    talk = Talk()
    assert "call you back" in talk.say(*before, "Can I speak to an agent please")


def test_goodbye_interrupted():
    talk = Talk()
    talk.say(*FOUND, "Bye.")
    assert "on Thursday" in talk.say(Cut(3, "Oh, when does it arrive?"))
    assert not talk.hangup
    talk.say("bye")
    assert talk.say(Cut(2, "purple")) == "Goodbye!"
    assert talk.hangup


def test_same_conversation_same_reply():
    a, b = Talk(), Talk()
    a.say(*FOUND)
    b.say(*FOUND)
    assert a.replies == b.replies


@pytest.mark.parametrize(
    ("heard", "rest"),
    [
        ("", "One two. Three four! Five?"),
        ("One", "One two. Three four! Five?"),
        ("One two.", "Three four! Five?"),
        ("one two. three", "Three four! Five?"),
        ("One two. Three four! Five?", ""),
    ],
)
def test_unheard(heard, rest):
    assert unheard("One two. Three four! Five?", heard) == rest
