"""Whole conversations: when is the caller's turn over, and what becomes of it?"""

import pytest

from mediacore.call import (
    AskTurnDetector,
    CallSettings,
    CancelReply,
    ConversationOver,
    CutPlayout,
    Phase,
    Role,
    StartReply,
    SttFailed,
    TranscriptFinal,
    TranscriptPartial,
    TurnProbability,
    TurnSettings,
)
from mediacore.call.settings import BargeProfiles
from mediacore.errors import ErrorClass
from mediacore.events import DigitReceived, DigitSource, PlayoutStarted
from support.call_sim import LEG, Delay, Sim

PLAIN = CallSettings(turn=TurnSettings(speculative=False))


def replies_at(sim: Sim) -> list[int]:
    return sim.times(StartReply)


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [("Where is it?", 400), ("I want a table", 700), ("I want to book a", 1200)],
)
def test_the_wait_depends_on_the_text(text, wait_ms):
    sim = Sim(PLAIN).caller_says(text, 1000, 1000).run(4500)
    assert replies_at(sim) == [2000 + wait_ms]
    assert sim.contexts == [(("user", text),)]
    assert sim.heard()[0] == ("caller", text)


def test_a_speculative_reply_starts_with_the_final_and_is_not_spoken_before_the_decision():
    sim = Sim(llm_ms=0, replies=[["All good, thank you for asking."]])
    sim.caller_says("I want a table", 1000, 1000).run(2690)
    assert replies_at(sim) == [2350]
    assert sim.spoken() == []
    assert sim.state.phase is Phase.ENDPOINTING
    sim.run(2710)
    assert sim.spoken() == ["All good, thank you for asking."]
    assert replies_at(sim) == [2350]


def test_speech_that_goes_on_voids_the_speculative_reply():
    sim = Sim(replies=[["Wrong."], ["Right, a table for two then."]])
    sim.caller_says("I want a table", 1000, 1000).caller_says("for two.", 2500, 600).run(5000)
    assert sim.of(CancelReply)[0].generation == 1
    assert sim.spoken() == ["Right, a table for two then."]
    assert sim.contexts[-1] == (("user", "I want a table for two."),)
    assert sim.state.counts.speculations_lost == 1


def test_an_incomplete_text_is_not_worth_a_speculation():
    sim = Sim().caller_says("I want to book a", 1000, 1000).run(4000)
    assert replies_at(sim) == [3200]


def test_speech_before_the_reply_is_heard_joins_the_turn():
    sim = Sim(PLAIN, replies=[[Delay(600), "Wrong."], ["Right, a table for two then."]])
    sim.caller_says("I want a table.", 1000, 1000).caller_says("For two.", 2700, 600).run(6000)
    assert sim.spoken() == ["Right, a table for two then."]
    assert sim.contexts[-1] == (("user", "I want a table. For two."),)
    assert [t for t in sim.heard() if t[0] == "caller"] == [("caller", "I want a table. For two.")]
    assert sim.verdicts("barge_in") == ["withdraw"]


def test_a_reply_in_synthesis_is_withdrawn_as_well():
    sim = Sim(PLAIN, tts_ms=800, replies=[["Wrong answer here."], ["Right, for two."]])
    sim.caller_says("I want a table.", 1000, 1000).caller_says("For two.", 3000, 600).run(8000)
    assert sim.contexts[-1] == (("user", "I want a table. For two."),)
    assert ("agent", "Right, for two.") in sim.heard()
    assert ("agent", "Wrong answer here.") not in sim.heard()
    assert sim.state.counts.refused == 0


def test_a_cough_before_the_reply_only_delays_it():
    sim = Sim(PLAIN, replies=[[Delay(500), "First."], ["The answer to it is this."]])
    sim.caller_says("Where is it?", 1000, 1000).caller_says("", 2600, 200).run(6000)
    assert sim.contexts == [(("user", "Where is it?"),)] * 2
    assert sim.heard() == [("caller", "Where is it?"), ("agent", "The answer to it is this.")]


def test_noise_is_not_a_turn():
    sim = Sim(PLAIN).caller_says("", 1000, 300).run(3000)
    assert sim.state.phase is Phase.LISTENING
    assert sim.spoken() == []
    assert sim.verdicts("endpoint") == ["noise"]


def test_long_speech_without_text_is_asked_for_again_and_not_with_the_same_line():
    sim = Sim(PLAIN)
    for i in range(3):
        sim.caller_says("", 1000 + i * 5000, 1500)
    sim.run(16000)
    assert sim.spoken() == list(PLAIN.lines.reprompts)
    sim.caller_says("", 17000, 1500).run(30000)
    assert sim.spoken()[-1] == PLAIN.lines.not_understood_goodbye
    assert [a.reason for a in sim.of(ConversationOver)] == ["not_understood"]


def test_a_missing_final_is_replaced_by_the_partial():
    sim = Sim(PLAIN).caller_says("I want a table now", 1000, 1000, no_final=True).run(6000)
    assert replies_at(sim) == [4500]
    assert sim.contexts == [(("user", "I want a table"),)]


def test_a_late_final_for_a_decided_turn_is_refused():
    sim = Sim(PLAIN).caller_says("I want a table now", 1000, 1000, stt_ms=3000).run(9000)
    assert len(sim.contexts) == 1
    assert "late_final" in sim.verdicts("stale")


def test_without_any_text_the_agent_asks_again():
    sim = Sim(PLAIN).caller_says("x", 1000, 1000, partials=False, no_final=True).run(5000)
    assert sim.spoken() == [PLAIN.lines.reprompts[0]]


def test_a_failed_recogniser_is_not_waited_for():
    sim = Sim(PLAIN).caller_says("hi there you", 1000, 1000, no_final=True).run(2300)
    sim.send(SttFailed(ErrorClass.TIMEOUT))
    sim.run(3500)
    assert sim.contexts == [(("user", "hi there"),)]
    sim = Sim(PLAIN).caller_says("hi", 1000, 1000, no_final=True).run(2300)
    sim.send(SttFailed(ErrorClass.TIMEOUT))
    assert sim.spoken() == [PLAIN.lines.reprompts[0]]


def test_a_final_in_two_parts_is_one_turn():
    sim = Sim(PLAIN)
    sim.later(1700, lambda: sim.send(TranscriptFinal("I want", 12000)))
    sim.caller_says("a table.", 1000, 1000).run(4000)
    assert sim.contexts == [(("user", "I want a table."),)]


def test_text_without_detected_speech_is_a_turn():
    sim = Sim(PLAIN)
    sim.later(2000, lambda: sim.send(TranscriptFinal("Hello?", 15000)))
    sim.run(4000)
    assert sim.contexts == [(("user", "Hello?"),)]


def test_a_second_final_before_the_reply_is_heard_restarts_it():
    sim = Sim(PLAIN, replies=[[Delay(500), "Wrong."], ["Right now."]])
    sim.caller_says("I want a table.", 1000, 1000)
    sim.later(2600, lambda: sim.send(TranscriptFinal("For two.", 20000)))
    sim.run(5000)
    assert sim.contexts[-1] == (("user", "I want a table. For two."),)
    assert sim.spoken() == ["Right now."]


def test_the_detector_is_asked_and_shortens_the_wait():
    settings = CallSettings(turn=TurnSettings(speculative=False, detector=True))
    sim = Sim(settings).caller_says("I want to book a", 1000, 1000).run(2400)
    (ask,) = sim.of(AskTurnDetector)
    sim.send(TurnProbability(ask.segment, 0.9))
    assert replies_at(sim) == [2400]
    sim.send(TurnProbability(ask.segment, 0.9))
    assert sim.verdicts("stale") == ["refused"]


def test_an_endless_turn_is_answered_at_last():
    settings = CallSettings(turn=TurnSettings(speculative=False, caller_limit_ms=3000))
    sim = Sim(settings).caller_says("on and on and on it goes here", 1000, 9000).run(7000)
    assert "limit" in sim.verdicts("endpoint")
    assert len(sim.contexts) == 1


def press(sim: Sim, digit: str, at_ms: int) -> None:
    sim.later(
        at_ms - sim.ms,
        lambda: sim.send(DigitReceived(LEG, sim.ms // 20, sim.at, digit, 80, DigitSource.EVENT)),
    )


def test_keys_are_a_turn_after_a_pause_or_the_hash():
    sim = Sim()
    press(sim, "4", 1000)
    press(sim, "2", 1500)
    sim.run(5000)
    assert replies_at(sim) == [3500]
    assert sim.contexts == [(("user", "4 2"),)]
    sim = Sim()
    press(sim, "7", 1000)
    press(sim, "#", 1400)
    sim.run(1500)
    assert sim.contexts == [(("user", "7"),)]


def test_a_key_cuts_the_agent():
    sim = Sim(CallSettings(greeting="Welcome to the line, please listen to all of this."))
    press(sim, "1", 1500)
    sim.run(4000)
    assert sim.contexts[0][-1] == ("user", "1")
    assert sim.contexts[0][0][0] == "assistant"
    assert sim.contexts[0][0][1].startswith("Welcome")
    assert not sim.contexts[0][0][1].endswith("this.")


def test_a_key_before_the_reply_joins_the_turn():
    sim = Sim(PLAIN, replies=[[Delay(1000), "Wrong."], ["Fine."]])
    sim.caller_says("My pin is 1 2 3 4 5 6 7.", 1000, 1000)
    press(sim, "5", 2600)
    sim.run(6000)
    assert sim.contexts[-1] == (("user", "My pin is 1 2 3 4 5 6 7. 5"),)


def test_speech_over_a_protected_line_is_the_next_turn():
    settings = CallSettings(
        greeting="This call is recorded, as the law demands.",
        turn=TurnSettings(speculative=False),
        barge=BargeProfiles(greeting=BargeProfiles().script),
    )
    sim = Sim(settings).caller_says("I want to talk to somebody.", 1000, 900).run(6000)
    assert sim.heard()[0] == ("agent", settings.greeting)
    assert sim.contexts == [
        (("assistant", settings.greeting), ("user", "I want to talk to somebody."))
    ]
    assert "protected" in sim.verdicts("barge_in")


def test_a_short_answer_over_the_end_of_a_question_counts():
    settings = CallSettings(
        greeting="Would you like the Tuesday appointment?", turn=TurnSettings(speculative=False)
    )
    sim = Sim(settings).caller_says("Yes.", 2200, 350).run(6000)
    assert sim.heard()[0] == ("agent", settings.greeting)
    assert sim.contexts[0][-1] == ("user", "Yes.")


def test_latency_stamps_are_in_order():
    sim = Sim(PLAIN).caller_says("Where is it?", 1000, 1000).run(4000)
    turn = sim.state.turns[-1]
    stamps = turn.latency
    assert stamps is not None
    assert stamps.caller_end == 16000
    stages = [
        stamps.stt_final_us,
        stamps.endpoint_us,
        stamps.reply_first_token_us,
        stamps.first_phrase_us,
        stamps.tts_first_audio_us,
        stamps.first_frame_out_us,
    ]
    assert stages == sorted(stages)
    assert stamps.endpoint_us == 400_000
    started = next(e for e in sim.events if isinstance(e, PlayoutStarted))
    assert turn.start == started.at
    assert stamps.first_frame_out_us == (started.at - 16000) * 125


def test_an_interrupted_greeting_leaves_only_what_was_heard():
    sim = Sim(CallSettings(greeting="Welcome to our little line, how may I help you?"))
    sim.caller_says("Stop, I want to talk to somebody.", 1400, 1500).run(6000)
    role, text = sim.state.context[0].role, sim.state.context[0].text
    assert role is Role.ASSISTANT
    assert text == "Welcome to our little"


def test_a_partial_of_what_is_final_already_is_old():
    sim = Sim(PLAIN).caller_says("Where is it?", 1000, 1000).run(2355)
    sim.send(TranscriptPartial("Where", 15000))
    sim.run(3000)
    assert sim.contexts == [(("user", "Where is it?"),)]


def test_words_after_the_cut_was_ordered_change_nothing():
    sim = Sim(CallSettings(greeting="Welcome to the line, please listen to all of this."))
    sim.caller_says("No wait stop.", 1500, 300, partials=False, stt_ms=0).run(2005)
    assert sim.state.interruption is not None
    assert sim.state.interruption.committed
    sim.send(TranscriptPartial("No wait stop it now", 17000))
    assert len(sim.of(CutPlayout)) == 1


def test_speech_that_changes_the_text_renews_the_speculation():
    sim = Sim(replies=[["Wrong one."], ["The right one for you."]])
    sim.caller_says("I want a table", 1000, 1000)
    sim.later(2500, lambda: sim.send(TranscriptFinal("for two", 17000)))
    sim.run(4000)
    assert sim.spoken() == ["The right one for you."]
    assert sim.state.counts.speculations_lost == 1


def test_a_failed_recogniser_lets_the_agent_go_on():
    sim = Sim(CallSettings(greeting="Welcome to the line, please listen to all of this."))
    sim.caller_says("x", 1500, 300, partials=False, no_final=True).run(2050)
    assert sim.state.phase is Phase.PAUSED
    sim.send(SttFailed(ErrorClass.CRASHED))
    assert sim.state.phase is Phase.SPEAKING
