from mediacore.call.clock import MediaClock


def test_unknown_until_the_leg_opens():
    clock = MediaClock().seen(7, 1000)
    assert clock.us(8000, 5) == 5
    assert clock.at(5) == 0


def test_samples_become_monotonic_time():
    clock = MediaClock(8000).opened(tick=100, at=0, now=2_000_000)
    assert clock.us(8000, 9_000_000) == 3_000_000
    assert clock.us(8000, 2_500_000) == 2_500_000  # never later than now
    assert clock.at(2_500_000) == 4000
    late = MediaClock(8000).opened(tick=100, at=160, now=2_000_000)
    assert late.us(160, 9_000_000) == 2_000_000


def test_a_late_event_does_not_move_the_clock():
    clock = MediaClock(8000).opened(tick=0, at=0, now=1_000_000)
    blocked = clock.seen(50, 1_000_000 + 2_000_000)  # tick 50 handled a second late
    assert abs(blocked.us(8000, 10_000_000) - 2_000_000) <= 20_000


def test_an_early_event_corrects_it():
    clock = MediaClock(8000).opened(tick=0, at=0, now=1_000_000)
    better = clock.seen(1, 1_015_000)
    assert better.us(0, 10_000_000) == 995_000


def test_ticks_given_up_are_learnt_slowly():
    clock = MediaClock(8000).opened(tick=0, at=0, now=0)
    for n in range(1, 2000):
        clock = clock.seen(n, n * 20_000 + 200_000)  # 200 ms behind from now on
    assert clock.us(0, 10**9) == 200_000
