# SPDX-License-Identifier: MIT
"""Delay, and what mixes left and right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pypac_obs import _core

RATE = 48000
Audio = NDArray[np.float32]

KINDS: dict[str, dict[str, Any]] = {
    "delay": {"delay_ms": 12.0},
    "pan": {"pan": -0.3},
    "width": {"width": 1.4},
    "mono": {"channel": "mix"},
    "invert": {"channels": "left"},
    "channel_map": {"left": "mix", "right": "left"},
}


def chain(
    kind: str, params: dict[str, Any], *, channels: int = 2, max_frames: int = 480
) -> _core.OfflineChain:
    return _core.OfflineChain([(kind, params, False)], channels=channels, max_frames=max_frames)


def noise(channels: int = 2, frames: int = 5000) -> Audio:
    shape = (frames, channels)
    return np.random.default_rng(1).uniform(-0.5, 0.5, shape).astype(np.float32)


def through(kind: str, params: dict[str, Any], audio: Audio) -> Audio:
    return chain(kind, params, channels=audio.shape[1]).process(audio)


def test_a_delay_is_as_long_as_said_and_no_latency():
    audio = noise()
    for milliseconds, frames in ((0.0, 0), (1.0, 48), (12.34, 592), (100.0, 4800)):
        late = chain("delay", {"delay_ms": milliseconds})
        assert late.latency_frames == 0
        heard = late.process(audio)
        assert not heard[:frames].any()
        assert np.array_equal(heard[frames:], audio[: len(audio) - frames])


def test_a_delay_of_seconds_keeps_every_frame():
    audio = noise(1, 300000)
    heard = through("delay", {"delay_ms": 5000.0}, audio)
    assert not heard[:240000].any()
    assert np.array_equal(heard[240000:], audio[:60000])


def test_a_track_becomes_earlier_by_a_latency_that_the_others_wait_for():
    early = chain("delay", {"delay_ms": -20.0})
    assert early.latency_frames == 960
    audio = noise()
    assert np.array_equal(early.process(audio), audio)
    # Bypassed, it waits as the others do.
    bypassed = _core.OfflineChain([("delay", {"delay_ms": -20.0}, True)])
    assert np.array_equal(bypassed.process(audio)[960:], audio[:-960])


def test_a_delay_that_was_bypassed_does_not_give_what_came_before():
    late = chain("delay", {"delay_ms": 50.0}, channels=1)
    late.process(np.full((4800, 1), 0.5, np.float32))
    late.set_bypassed(0, True)
    late.process(np.zeros((4800, 1), np.float32))
    late.set_bypassed(0, False)
    assert not late.process(np.zeros((4800, 1), np.float32)).any()


def test_a_delay_needs_a_value_and_has_limits():
    with pytest.raises(ValueError, match="needs a value for delay_ms"):
        chain("delay", {})
    with pytest.raises(ValueError, match="from -500 to 5000 ms"):
        chain("delay", {"delay_ms": 5001.0})


@pytest.mark.parametrize(
    ("pan", "left", "right"),
    [(0.0, 1, 1), (1.0, 0, 1), (-1.0, 1, 0), (0.5, 0.5**0.5, 1), (-0.5, 1, 0.5**0.5)],
)
def test_pan_turns_the_far_side_down_and_leaves_the_near_one(pan: float, left: float, right: float):
    audio = noise()
    heard = through("pan", {"pan": pan}, audio)
    assert np.allclose(heard, audio * [left, right], atol=1e-6)
    if left == 1:
        assert np.array_equal(heard[:, 0], audio[:, 0])
    if right == 1:
        assert np.array_equal(heard[:, 1], audio[:, 1])


def test_width_scales_the_sides_and_keeps_the_middle():
    audio = noise()
    middle, side = audio.sum(1) / 2, (audio[:, 0] - audio[:, 1]) / 2
    for width in (0.0, 0.5, 2.0):
        heard = through("width", {"width": width}, audio)
        expected = np.stack([middle + width * side, middle - width * side], 1)
        assert np.allclose(heard, expected, atol=1e-6)
    assert np.array_equal(through("width", {"width": 1.0}, audio), audio)


@pytest.mark.parametrize("channel", ["mix", "left", "right"])
def test_mono_puts_the_same_on_both_sides(channel: str):
    audio = noise()
    expected = {"mix": audio.mean(1), "left": audio[:, 0], "right": audio[:, 1]}[channel]
    heard = through("mono", {"channel": channel}, audio)
    assert np.array_equal(heard[:, 0], heard[:, 1])
    assert np.allclose(heard[:, 0], expected, atol=1e-7)


def test_invert_turns_the_polarity_over():
    audio = noise(6)
    for channels, signs in (
        ("both", [-1] * 6),
        ("left", [-1, 1, 1, 1, 1, 1]),
        ("right", [1, -1, 1, 1, 1, 1]),
    ):
        heard = through("invert", {"channels": channels}, audio)
        assert np.array_equal(heard, audio * np.array(signs, np.float32))
    assert np.array_equal(through("invert", {"channels": "both"}, audio[:, :1]), -audio[:, :1])


def test_a_channel_map_chooses_each_side():
    audio = noise()
    sides = {
        "left": audio[:, 0],
        "right": audio[:, 1],
        "mix": audio.mean(1),
        "none": np.zeros(len(audio)),
    }
    for left, first in sides.items():
        for right, second in sides.items():
            heard = through("channel_map", {"left": left, "right": right}, audio)
            assert np.allclose(heard, np.stack([first, second], 1), atol=1e-7)
    assert np.array_equal(through("channel_map", {}, audio), audio)


def test_a_track_of_one_channel_is_left_and_right_alike():
    audio = noise(1)
    for kind, params in (
        ("pan", {"pan": 1.0}),
        ("width", {"width": 0.3}),
        ("mono", {"channel": "mix"}),
        ("mono", {"channel": "right"}),
        ("channel_map", {"left": "right"}),
        ("invert", {"channels": "right"}),
    ):
        assert np.allclose(through(kind, params, audio), audio, atol=1e-7)
    assert not through("channel_map", {"left": "none"}, audio).any()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("delay", "invert")])
def test_channels_behind_the_second_pass(kind: str):
    audio = noise(6)
    heard = through(kind, KINDS[kind], audio)
    assert np.array_equal(heard[:, 2:], audio[:, 2:])
    assert not np.array_equal(heard[:, :2], audio[:, :2])


LIVE: list[tuple[str, str, Any, Any]] = [
    ("pan", "pan", 0.0, 1.0),
    ("pan", "pan", -1.0, 1.0),
    ("width", "width", 0.0, 2.0),
    ("mono", "channel", "left", "right"),
    ("invert", "channels", "left", "right"),
    ("channel_map", "left", "left", "none"),
    ("channel_map", "right", "none", "mix"),
]


@pytest.mark.parametrize(("kind", "param", "before", "after"), LIVE)
def test_changes_glide_without_a_click_in_blocks_of_any_length(
    kind: str, param: str, before: Any, after: Any
):
    angle = 2 * np.pi * 100 / RATE * np.arange(9600)
    tone = np.outer(np.sin(angle), [0.5, 0.3]).astype(np.float32)
    own = 2 * np.pi * 100 / RATE * 0.5 * (2 if kind == "width" else 1)
    expected: Audio | None = None
    for max_frames in (4800, 1, 7, 64, 480):
        live = chain(kind, {param: before}, max_frames=max_frames)
        first = live.process(tone[:4800])
        live.set(0, param, after)
        heard = np.concatenate([first, live.process(tone[4800:])])
        if expected is None:
            expected = heard
        assert np.array_equal(heard, expected)
    assert expected is not None
    assert np.abs(np.diff(expected, axis=0)).max() < 1.05 * own
    settled = through(kind, {param: after}, tone)
    assert np.array_equal(expected[4800 + 480 :], settled[4800 + 480 :])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_silence_stays_silence_what_is_no_number_goes_and_blocks_do_not_matter(
    kind: str, channels: int
):
    one = chain(kind, KINDS[kind], channels=channels)
    assert not one.process(np.zeros((960, channels), np.float32)).any()
    audio = noise(channels)
    audio[700] = np.nan
    assert np.isfinite(one.process(audio)).all()
    audio = noise(channels)
    blocks = [
        chain(kind, KINDS[kind], channels=channels, max_frames=frames).process(audio)
        for frames in (1, 7, 64, 480, 4800)
    ]
    assert all(np.array_equal(blocks[0], other) for other in blocks[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_a_bypassed_filter_passes_bit_for_bit(kind: str):
    audio = noise()
    bypassed = _core.OfflineChain([(kind, KINDS[kind], True)])
    assert np.array_equal(bypassed.process(audio), audio)
