# SPDX-License-Identifier: MIT
"""What every built-in filter keeps to, whatever it does: a new kind is tested by being there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pypac_obs import _core

RATE = 48_000
TONE_HZ = 100
PEAK = 0.5
OWN_STEP = 2 * np.pi * TONE_HZ / RATE
# Of a filter: its largest gain (40 dB) times what its resonance adds.
MOST_DB = 75.0

Audio = NDArray[np.float32]
Values = dict[str, Any]

INFOS = {info.kind: info for info in _core.filter_infos()}
KINDS = sorted(INFOS)

# Settings with which each does something, where its defaults don't.
ENGAGED: dict[str, Values] = {
    "delay": {"delay_ms": 20.0},
    "eq": {"band1_type": "peak", "band1_db": 6.0, "band8_type": "high_shelf", "band8_db": -6.0},
    "gain": {"gain_db": -6.0},
    "pan": {"pan": 0.5},
    "width": {"width": 0.5},
}


def required(info: Any) -> Values:
    """What has to be given: the middle of a range, the first choice, one key."""
    values: Values = {}
    for param in info.params:
        if param.type in ("number", "integer") and param.default is None:
            values[param.id] = min(max(0.0, param.min), param.max)
        elif param.type == "choice" and param.default is None:
            values[param.id] = param.choices[0]
        elif param.type == "tracks" and param.default is None:
            values[param.id] = ["key"]
        elif param.type == "track" and param.default is None:
            values[param.id] = "key"
    return values


def engaged(kind: str) -> Values:
    return required(INFOS[kind]) | ENGAGED.get(kind, {})


def at(param: Any, place: float) -> float:
    """The value at a place of a control's travel, from 0 to 1."""
    if param.logarithmic and param.min > 0:
        value = param.min * (param.max / param.min) ** place
    else:
        value = param.min + (param.max - param.min) * place
    value = min(max(value, param.min), param.max)
    return float(round(value)) if param.type == "integer" else float(value)


def value_of(param: Any) -> st.SearchStrategy[Any]:
    if param.type in ("number", "integer"):
        place = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
        return place.map(lambda found: at(param, found))
    if param.type == "boolean":
        return st.booleans()
    if param.type == "choice":
        return st.sampled_from(list(param.choices))
    names = st.sampled_from([[], ["key"], ["key", "other"]])
    return names if param.type == "tracks" else st.sampled_from(["", "key"])


def drawn(kind: str, seed: int) -> Values:
    """Values anywhere, the same for the same seed."""
    random = np.random.default_rng([seed, *kind.encode()])
    values: Values = {}
    for param in INFOS[kind].params:
        if param.type in ("number", "integer"):
            values[param.id] = at(param, random.random())
        elif param.type == "boolean":
            values[param.id] = bool(random.integers(2))
        elif param.type == "choice":
            values[param.id] = str(random.choice(param.choices))
        elif param.type == "tracks":
            values[param.id] = ["key"]
        else:
            values[param.id] = "key"
    return values


class Chain:
    """A chain, and what its keys hear: the first other channel of what goes in, bursts of it."""

    def __init__(
        self, links: list[tuple[str, Values, bool]], *, rate: int = RATE, **options: int
    ) -> None:
        self.native = _core.OfflineChain(links, sample_rate=rate, **options)
        self.latency = self.native.latency_frames
        self._at = 0

    def __call__(self, audio: Audio, key: Audio | None = None) -> Audio:
        if key is None:
            key = bursts(self._at, len(audio))
        self._at += len(audio)
        heard: Audio = self.native.process(audio, [key] * self.native.key_count)
        assert heard.shape == audio.shape
        return heard


def one(kind: str, values: Values, bypassed: bool = False, **options: Any) -> Chain:
    return Chain([(kind, values, bypassed)], **options)


def bursts(begin: int, frames: int) -> Audio:
    """A tone of 1 kHz, half of each 400 ms."""
    time = np.arange(begin, begin + frames)
    tone = 0.5 * np.sin(2 * np.pi * 1000 / RATE * time) * (time % 19_200 < 9_600)
    return np.column_stack([tone, tone]).astype(np.float32)


def tone(frames: int, begin: int = 0, channels: int = 2) -> Audio:
    """100 Hz; each channel at a phase and a level of its own, as what is panned has."""
    time = np.arange(begin, begin + frames)[:, None]
    phases = 0.4 * np.arange(channels)
    levels = PEAK * 0.9 ** np.arange(channels)
    sine: Audio = (levels * np.sin(OWN_STEP * time + phases)).astype(np.float32)
    return sine


def speech(frames: int, channels: int = 2, seed: int = 1) -> Audio:
    """Noise and tones that come and go between silence and full scale."""
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None]
    envelope = np.interp(time[:, 0], np.arange(0, frames + 2400, 2400), _levels(random, frames))
    carrier = 0.4 * random.uniform(-1, 1, (frames, channels)) + 0.6 * np.sin(
        2 * np.pi * np.array([220.0, 330, 440, 550, 660, 770])[:channels] / RATE * time
    )
    made: Audio = (envelope[:, None] * carrier).astype(np.float32)
    return made


def _levels(random: np.random.Generator, frames: int) -> NDArray[np.float64]:
    levels: NDArray[np.float64] = random.choice(
        [0.0, 0.001, 0.03, 0.3, 1.0], len(range(0, frames + 2400, 2400))
    )
    return levels


def level(audio: Audio) -> float:
    return float(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))


SETTINGS = [pytest.param(None, id="engaged"), *(pytest.param(n, id=f"drawn {n}") for n in range(3))]


def chosen(kind: str, setting: int | None) -> Values:
    return engaged(kind) if setting is None else drawn(kind, setting)


# Each by itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_any_length_give_the_same_bits(kind: str, setting: int | None):
    audio = speech(24_000)
    heard = {
        frames: one(kind, chosen(kind, setting), max_frames=frames)(audio)
        for frames in (480, 1, 7, 64, 4800)
    }
    assert np.abs(heard[480]).max() > 0 or setting is not None
    for frames, other in heard.items():
        differing = np.flatnonzero((other != heard[480]).any(axis=1))
        assert not len(differing), f"blocks of {frames}: from frame {differing[0]} on"


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_bypassed_it_passes_each_bit_behind_its_latency(kind: str, setting: int | None):
    audio = speech(9_600)
    values = chosen(kind, setting)
    chain = one(kind, values, bypassed=True)
    assert chain.latency == one(kind, values).latency
    heard = chain(audio)
    np.testing.assert_array_equal(heard[chain.latency :], audio[: len(audio) - chain.latency])
    assert not heard[: chain.latency].any()
    assert chain.native.reduction_db(0) == 0

    chain = one(kind, values)
    chain(audio)
    chain.native.set_bypassed(0, True)
    chain(audio)  # faded over
    again = chain(audio)
    np.testing.assert_array_equal(again[chain.latency :], audio[: len(audio) - chain.latency])


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_silence_stays_silence(kind: str, setting: int | None):
    chain = one(kind, chosen(kind, setting))
    assert not chain(np.zeros((9_600, 2), np.float32)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_after_its_tail_there_are_zeros(kind: str):
    chain = one(kind, engaged(kind))
    chain(speech(24_000))
    heard = chain(np.zeros((12 * RATE, 2), np.float32))
    assert not heard[-RATE:].any(), f"still {np.abs(heard[-RATE:]).max():.3g}"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_number_neither_comes_out_nor_stays(kind: str, bad: float):
    clean, spoilt = one(kind, engaged(kind)), one(kind, engaged(kind))
    before = speech(9_600)
    np.testing.assert_array_equal(clean(before), spoilt(before))
    some, key = speech(480, seed=2), bursts(0, 480)
    clean(some)
    some[100:110, 0] = bad
    key[200:300] = bad
    assert np.isfinite(spoilt(some, key)).all()
    for channel in (0, 1):
        some[:, channel] = bad
        assert np.isfinite(spoilt(some, key)).all()
        clean(speech(480, seed=2))
    after = tone(10 * RATE)
    wanted, heard = clean(after), spoilt(after)
    assert np.isfinite(heard).all()
    if level(wanted[-RATE:]) > 0:
        assert level(heard[-RATE:]) == pytest.approx(level(wanted[-RATE:]), rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_one_sample_that_is_no_number_is_as_if_it_were_zero(kind: str):
    clean, spoilt = one(kind, engaged(kind)), one(kind, engaged(kind))
    some = speech(9_600)
    some[4_000, 0] = 0
    wanted = clean(some)
    some[4_000, 0] = np.nan
    np.testing.assert_array_equal(spoilt(some), wanted)
    assert spoilt.native.faults == 0


NUMBERS = [
    (kind, param.id)
    for kind in KINDS
    for param in INFOS[kind].params
    if param.type in ("number", "integer")
]


@pytest.mark.parametrize(("kind", "param_id"), NUMBERS)
def test_at_both_ends_of_each_range_it_stays_finite_and_bounded(kind: str, param_id: str):
    [param] = [one for one in INFOS[kind].params if one.id == param_id]
    most = 10 ** (MOST_DB / 20)
    for end in (param.min, param.max):
        for rest in (engaged(kind), drawn(kind, 7)):
            chain = one(kind, rest | {param_id: end})
            heard = chain(speech(24_000))
            assert np.isfinite(heard).all()
            assert np.abs(heard).max() < most
            assert chain.native.faults == 0


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_it_works_at_every_rate_and_with_any_channels(kind: str, channels: int, rate: int):
    audio = speech(rate // 4, channels)
    heard = one(kind, engaged(kind), rate=rate, channels=channels)(audio)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() < 10 ** (MOST_DB / 20)
    assert heard.any(axis=0).all(), "each channel is heard"
    ends = [one(kind, drawn(kind, n), rate=rate, channels=channels)(audio) for n in (1, 2)]
    assert all(np.isfinite(end).all() for end in ends)


# Live changes ------------------------------------------------------------------------------------


def live_params(kind: str) -> Iterator[Any]:
    for param in INFOS[kind].params:
        # The bands of an equaliser are alike.
        alike = param.id.startswith("band") and param.id[4] not in "18"
        if param.live and param.type not in ("track", "tracks") and not alike:
            yield param


SWEPT = [(kind, param.id) for kind in KINDS for param in live_params(kind)]


@pytest.mark.parametrize(("kind", "param_id"), SWEPT)
def test_what_is_set_while_it_is_bypassed_holds_from_the_end_of_the_bypass_on(
    kind: str, param_id: str
):
    [param] = [one for one in INFOS[kind].params if one.id == param_id]
    before, after = (engaged(kind) | {param_id: path_of(param)[end]} for end in (0, -1))
    changed, fresh = one(kind, before), one(kind, after)
    for chain in (changed, fresh):
        chain(speech(9_600))
        chain.native.set_bypassed(0, True)
        chain(speech(9_600, seed=2))
    changed.native.set(0, param_id, after[param_id])
    for chain in (changed, fresh):
        chain.native.set_bypassed(0, False)
    np.testing.assert_array_equal(changed(speech(9_600, seed=3)), fresh(speech(9_600, seed=3)))


def path_of(param: Any) -> list[Any]:
    if param.type == "boolean":
        return [False, True]
    if param.type == "choice":
        return list(param.choices)
    return [at(param, n / 8) for n in range(9)]


@pytest.mark.parametrize(("kind", "param_id"), SWEPT)
def test_a_live_change_makes_no_step_that_the_sound_itself_does_not_make(kind: str, param_id: str):
    """From end to end at once and step by step, while a tone of 100 Hz plays.

    The bound: 1.05 times the tone's own step, at the level that it has then, or the largest step of
    the sound at any setting on the way where the filter itself bends it; and where little of it is
    left, what a tenth is as it comes in.
    """
    [param] = [one for one in INFOS[kind].params if one.id == param_id]
    rest, path = engaged(kind), path_of(param)
    key = np.tile(bursts(0, 480), (50, 1))
    steady = []
    for value in path:
        chain = one(kind, rest | {param_id: value})
        chain(tone(RATE // 2), key[: RATE // 2])
        heard = chain(tone(9_600, RATE // 2), key[:9_600])
        steady.append(np.abs(np.diff(heard, axis=0)).max())
    moves = [*itertools.pairwise([*range(len(path)), *reversed(range(len(path)))])]
    # A band that becomes 400 times as sharp within 20 ms rings: nobody's hand does that.
    if not param_id.endswith("_q"):
        moves += [(0, len(path) - 1), (len(path) - 1, 0)]
    # No multiple of the tone's period: the changes come at any phase.
    chain = one(kind, rest | {param_id: path[0]}, max_frames=333)
    position = 333 * 72
    last = chain(tone(position), key[:position])[-1:]
    for origin, target in [move for move in moves if move[0] != move[1]]:
        chain.native.set(0, param_id, path[target])
        frames = 333 * 29  # 200 ms
        heard = np.concatenate([last, chain(tone(frames, position), key[:frames])])
        position, last = position + frames, heard[-1:]
        on_the_way = steady[min(origin, target) : max(origin, target) + 1]
        own = max(OWN_STEP * float(np.abs(heard).max()), *map(float, on_the_way))
        steps = np.abs(np.diff(heard, axis=0)).max(axis=1)
        assert steps.max() <= 1.05 * own + 0.1 * OWN_STEP * PEAK, (
            f"from {path[origin]} to {path[target]}: {steps.max() / own:.2f} times the tone's own, "
            f"{int(steps.argmax())} frames behind the change"
        )


# Chains ------------------------------------------------------------------------------------------

Event = tuple[int, int, str, Any]


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[tuple[str, Values, bool]], list[Event]]:
    """Two to five filters, and what is changed in which block: (block, link, parameter, value)."""
    links, events = [], []
    for link in range(draw(st.integers(2, 5))):
        kind = draw(st.sampled_from(KINDS))
        params = {one.id: one for one in INFOS[kind].params}
        values = required(INFOS[kind])
        some = draw(st.lists(st.sampled_from(sorted(params)), max_size=6, unique=True))
        for name in some:
            values[name] = draw(value_of(params[name]))
        for name in required(INFOS[kind]):
            if params[name].type in ("track", "tracks") and not values[name]:
                values[name] = ["key"] if params[name].type == "tracks" else "key"
        links.append((kind, values, draw(st.booleans())))
        live = sorted(
            name for name, one in params.items() if one.live and one.type not in ("track", "tracks")
        )
        for _ in range(draw(st.integers(0, 4))):
            name = draw(st.sampled_from([*live, "bypass"]))
            value = draw(st.booleans() if name == "bypass" else value_of(params[name]))
            events.append((draw(st.integers(0, 19)), link, name, value))
    return links, sorted(events, key=lambda event: event[:2])


def play(chain: Chain, audio: Audio, events: list[Event]) -> Audio:
    """Twenty blocks, with what happens at the beginning of each."""
    heard = []
    for number, block in enumerate(np.split(audio, 20)):
        for _, link, name, value in [event for event in events if event[0] == number]:
            if name == "bypass":
                chain.native.set_bypassed(link, value)
            else:
                chain.native.set(link, name, value)
        heard.append(chain(block))
    return np.concatenate(heard)


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(chains(), st.integers(0, 3))
def test_any_chain_stays_finite_bounded_and_in_its_place(
    made: tuple[list[tuple[str, Values, bool]], list[Event]], seed: int
):
    links, events = made
    chain = Chain(links)
    heard = play(chain, speech(9_600, seed=seed), events)
    assert np.isfinite(heard).all()
    assert np.abs(heard.astype(np.float64)).max() < 10 ** (MOST_DB * len(links) / 20)
    assert chain.native.faults == 0
    assert chain.native.latency_frames == chain.latency, "constant"
    # Whatever was done to it: with all of it bypassed only its latency is left.
    for link in range(len(links)):
        chain.native.set_bypassed(link, True)
    chain(np.zeros((4_800 + chain.latency, 2), np.float32))
    impulse = np.zeros((4_800 + chain.latency, 2), np.float32)
    impulse[100] = (0.5, -0.25)
    out = chain(impulse)
    assert np.flatnonzero(out.any(axis=1)).tolist() == [100 + chain.latency]
    assert out[100 + chain.latency].tolist() == [0.5, -0.25]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(chains(), st.sampled_from([1, 7, 64, 333]))
def test_any_chain_gives_the_same_in_blocks_of_any_length(
    made: tuple[list[tuple[str, Values, bool]], list[Event]], frames: int
):
    links, _ = made
    audio = speech(4_800)
    np.testing.assert_array_equal(
        Chain(links, max_frames=frames)(audio), Chain(links, max_frames=480)(audio)
    )


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(chains())
def test_behind_any_chain_a_limiter_holds_its_ceiling(
    made: tuple[list[tuple[str, Values, bool]], list[Event]],
):
    links, events = made
    chain = Chain([*links, ("limiter", {"ceiling_db": -3.0}, False)])
    heard = play(chain, speech(9_600), events)
    assert np.abs(heard).max() <= 10 ** (-2.9 / 20)
