# SPDX-License-Identifier: MIT
import math
import threading
from typing import Any

import pytest

from pypac_obs.errors import InvalidValue, UnknownAddress
from pypac_obs.model.ranges import Range
from pypac_obs.session.fades import Fades, FadeThread

FADER = "voice.gain_db"


class Values:
    """What was set, in order; the clock stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.set: list[tuple[str, float]] = []
        self.fades = Fades(self.take, lambda: self.now)

    def take(self, address: str, value: float) -> None:
        self.set.append((address, value))

    def step(self, seconds: float) -> bool:
        self.now += seconds
        return self.fades.step(self.now)


@pytest.fixture
def values() -> Values:
    return Values()


def test_a_fade_is_linear_in_decibels_and_ends_exactly(values: Values):
    values.fades.start(FADER, -3.3, -30.1, 2)
    assert values.step(0)
    assert all(values.step(0.5) for _ in range(3))
    assert not values.step(0.5)
    heard = [value for _, value in values.set]
    assert heard[:4] == pytest.approx([-3.3, -10.0, -16.7, -23.4])
    assert heard[4] == -30.1
    assert not values.step(1)
    assert len(values.set) == 5


def test_a_late_step_ends_it_exactly_too(values: Values):
    values.fades.start(FADER, 0.0, 0.1 + 0.2, 0.7)
    assert not values.step(100)
    assert values.set == [(FADER, 0.1 + 0.2)]


def test_a_logarithmic_scale_is_gone_in_ratios(values: Values):
    hertz = Range("Hz", 20, 20_000, logarithmic=True)
    values.fades.start("voice.filter.high_pass.frequency_hz", 100.0, 1600.0, 4, hertz)
    for _ in range(4):
        values.step(1)
    assert [value for _, value in values.set] == pytest.approx([200, 400, 800, 1600])


def test_whole_numbers_stay_whole(values: Values):
    values.fades.start("x", 1, 4, 2, Range("", 0, 10, whole=True))
    while values.step(0.25):
        pass
    assert [value for _, value in values.set] == [1, 2, 2, 2, 3, 3, 4, 4]
    assert all(isinstance(value, int) for _, value in values.set)


def test_no_time_at_all_is_one_step(values: Values):
    values.fades.start(FADER, 0.0, -20.0, 0)
    assert not values.step(0)
    assert values.set == [(FADER, -20.0)]


def test_a_fade_that_is_cancelled_sets_nothing_more(values: Values):
    values.fades.start(FADER, 0.0, -20.0, 1)
    values.fades.start("game.gain_db", 0.0, -10.0, 1)
    assert values.fades.cancel(FADER)
    assert not values.fades.cancel(FADER)
    assert not values.step(1)
    assert values.set == [("game.gain_db", -10.0)]


def test_a_new_fade_takes_the_place_of_the_old_one(values: Values):
    values.fades.start(FADER, 0.0, -20.0, 1)
    values.step(0.5)
    values.fades.start(FADER, -10.0, 0.0, 1)
    values.step(0.5)
    assert not values.step(0.5)
    assert [value for _, value in values.set] == [-10, -5, 0]


def test_one_that_fails_ends_alone(values: Values, caplog: pytest.LogCaptureFixture):
    def take(address: str, value: float) -> None:
        if address == "gone.gain_db":
            raise UnknownAddress("there is nothing")
        if address == "odd.gain_db":
            raise ZeroDivisionError
        values.take(address, value)

    fades = Fades(take, lambda: values.now)
    for address in ("gone.gain_db", "odd.gain_db", FADER):
        fades.start(address, 0.0, -2.0, 2)
    assert fades.step(values.now + 1)
    assert [fades.is_fading(one) for one in ("gone.gain_db", "odd.gain_db", FADER)] == [
        False,
        False,
        True,
    ]
    assert values.set == [(FADER, -1.0)]
    assert [one.message for one in caplog.records] == ["the fade of odd.gain_db failed"]


def test_whoever_sets_a_value_in_the_middle_of_a_step_wins(values: Values):
    """The pattern that the class asks for: to look again under the lock of the values."""
    setting = threading.RLock()
    heard: list[tuple[str, float]] = []

    def user_sets() -> None:
        with setting:
            fades.cancel(FADER)
            heard.append(("user", 0.0))

    def take(address: str, value: float) -> None:
        user_sets()  # just before this step's turn
        with setting:
            if fades.is_fading(address):
                heard.append((address, value))

    fades = Fades(take, lambda: values.now)
    fades.start(FADER, 0.0, -20.0, 1)
    assert not fades.step(values.now + 0.5)
    assert heard == [("user", 0.0)]


@pytest.mark.parametrize("seconds", [-1, 3601, math.nan, math.inf, "2", None, True])
def test_other_times_are_refused(values: Values, seconds: Any):
    with pytest.raises(InvalidValue, match="seconds must be a number from 0 to 3600, not "):
        values.fades.start(FADER, 0.0, -20.0, seconds)
    assert not values.fades


def test_the_thread_lives_only_while_something_fades():
    steps: list[float] = []
    done = threading.Event()

    def take(address: str, value: float) -> None:
        steps.append(value)
        if value == -20:
            done.set()

    fades = Fades(take)
    thread = FadeThread(fades)
    assert not thread.running
    for _ in range(2):
        done.clear()
        fades.start(FADER, 0.0, -20.0, 0.1)
        thread.wake()
        thread.wake()
        assert done.wait(10)
        while thread.running:
            pass
    assert steps[-1] == -20
    assert len(steps) >= 4
    assert not fades
    thread.close()


def test_closing_stops_a_long_fade_at_once():
    first = threading.Event()
    fades = Fades(lambda address, value: first.set())
    thread = FadeThread(fades)
    fades.start(FADER, 0.0, -20.0, 3600)
    thread.wake()
    assert first.wait(10)
    thread.close()
    assert not thread.running
    assert not fades
    thread.close()
    fades.start(FADER, 0.0, -20.0, 1)
    thread.wake()
    assert not thread.running
