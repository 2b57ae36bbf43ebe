# SPDX-License-Identifier: MIT
"""What holds for all dynamics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from .dynamics_signals import Audio, Link, bursts, frames, largest_step, silence, steady, tone

VARIANTS: list[tuple[str, dict[str, object]]] = [
    ("compressor", {}),
    ("compressor", {"detector": "rms", "knee_db": 12.0, "auto_gain": True}),
    ("compressor", {"look_ahead_ms": 5.0, "key_low_hz": 100.0, "mix": 0.7}),
    ("compressor", {"key": "k", "key_high_hz": 5000.0}),
    ("de_esser", {"threshold_db": -40.0}),
    ("de_esser", {"threshold_db": -40.0, "mode": "wide"}),
    ("duck", {"key": ["k"]}),
    ("duck", {"key": ["k"], "look_ahead_ms": 3.0, "hold_ms": 0.0, "attack_ms": 5.0}),
    ("expander", {}),
    ("expander", {"detector": "peak", "key": "k"}),
    ("gate", {}),
    ("gate", {"look_ahead_ms": 2.0, "range_db": -20.0, "hold_ms": 5.0, "key_low_hz": 300.0}),
    ("gate", {"key": "k"}),
    ("upward_compressor", {}),
]


def keys_of(values: dict[str, object], key: Audio) -> list[Audio]:
    return [key] if "key" in values else []


@pytest.mark.parametrize(("kind", "values"), VARIANTS)
def test_blocks_of_any_length_give_the_same_bits(kind, values):
    audio, key = bursts(1, 400), bursts(2, 400)

    def heard(max_frames: int) -> Audio:
        link = Link(kind, max_frames, 2, **values)
        return link(audio, keys_of(values, key))

    whole = heard(4800)
    assert not np.array_equal(whole, audio)
    for max_frames in (1, 7, 64, 480):
        assert np.array_equal(heard(max_frames), whole), max_frames


@pytest.mark.parametrize(("kind", "values"), VARIANTS)
def test_silence_stays_silence_also_after_sound(kind, values):
    link = Link(kind, channels=2, **values)
    link(bursts(3, 300), keys_of(values, bursts(4, 300)))
    latency = link.chain.latency_frames
    quiet = silence(300, 2)
    rings = frames(20) if kind == "de_esser" else 0
    assert not link(quiet, keys_of(values, quiet))[latency + rings :].any()


@pytest.mark.parametrize("rotten", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.parametrize(("kind", "values"), VARIANTS)
def test_what_is_no_number_is_forgotten_within_a_block(kind, values, rotten):
    audio, key = bursts(5, 200), bursts(6, 200)
    link = Link(kind, channels=2, **values)
    for spoiled in (audio, key):
        bad = spoiled.copy()
        bad[100:103, 0] = rotten
        heard = (
            link(bad, keys_of(values, key))
            if spoiled is audio
            else link(audio, keys_of(values, bad))
        )
        assert np.isfinite(heard).all()
    fresh = Link(kind, channels=2, **values)
    for _ in range(20):
        settled = link(audio, keys_of(values, key))
        expected = fresh(audio, keys_of(values, key))
    assert np.abs(settled - expected).max() < 1e-3


@pytest.mark.parametrize(("kind", "values"), VARIANTS)
def test_one_gain_goes_for_all_channels(kind, values):
    mono = bursts(7, 400, 1)
    if kind == "de_esser" and "mode" not in values:
        return
    audio = np.concatenate([mono, -0.25 * mono], axis=1).astype(np.float32)
    heard = Link(kind, channels=2, **values)(audio, keys_of(values, bursts(8, 400)))
    assert np.abs(heard[:, 0] * -0.25 - heard[:, 1]).max() < 1e-6


@pytest.mark.parametrize("kind", ["compressor", "expander", "gate", "upward_compressor"])
def test_the_loudest_of_eight_channels_steers_all(kind):
    levels = np.array([-60, -50, -40, -30, -20, -10, -3, -70])
    audio = (10 ** (levels / 20) * np.ones((frames(500), 1))).astype(np.float32)
    heard = Link(kind, channels=8)(audio)
    alone = Link(kind)(np.ascontiguousarray(audio[:, 6:7]))
    assert np.allclose(heard / audio, alone / audio[:, 6:7], rtol=1e-6)


LOUD: dict[str, object] = {"threshold_db": -40.0, "ratio": 64.0}
HISS: dict[str, object] = {"threshold_db": -60.0, "mode": "wide"}
CHANGES: list[tuple[str, dict[str, object], str, object, object]] = [
    ("compressor", LOUD, "threshold_db", -40.0, 0.0),
    ("compressor", LOUD, "ratio", 64.0, 1.0),
    ("compressor", LOUD, "range_db", -60.0, 0.0),
    ("compressor", LOUD, "mix", 1.0, 0.0),
    ("compressor", {"threshold_db": -20.0}, "knee_db", 0.0, 24.0),
    ("compressor", LOUD, "auto_gain", False, True),
    ("compressor", LOUD, "output_gain_db", 0.0, 30.0),
    ("compressor", LOUD, "detector", "peak", "rms"),
    ("compressor", LOUD, "attack_ms", 6.0, 0.1),
    ("compressor", LOUD, "release_ms", 60.0, 2000.0),
    ("compressor", LOUD, "key_high_hz", 20000.0, 50.0),
    ("de_esser", HISS, "mode", "wide", "split"),
    ("de_esser", HISS, "range_db", -6.0, 0.0),
    ("de_esser", HISS, "threshold_db", -60.0, 0.0),
    ("de_esser", HISS, "frequency_hz", 6000.0, 2000.0),
    ("duck", {"key": "k"}, "range_db", -40.0, 0.0),
    ("duck", {"key": "k"}, "threshold_db", -45.0, 0.0),
    ("expander", {"ratio": 5.0}, "threshold_db", 0.0, -60.0),
    ("expander", {"threshold_db": 0.0, "ratio": 5.0}, "range_db", -60.0, -10.0),
    ("expander", {}, "output_gain_db", 0.0, 30.0),
    ("expander", {"threshold_db": -15.0}, "detector", "rms", "peak"),
    ("gate", {"open_db": 0.0}, "range_db", -40.0, 0.0),
    ("gate", {"open_db": 0.0}, "range_db", -96.0, -10.0),
    ("gate", {"range_db": -40.0, "close_db": -10.0}, "open_db", -26.0, 0.0),
    ("upward_compressor", {"threshold_db": 0.0}, "ratio", 0.0, 1.0),
    ("upward_compressor", {}, "threshold_db", 0.0, -60.0),
    ("upward_compressor", {}, "output_gain_db", 0.0, 30.0),
]


@pytest.mark.parametrize(("kind", "values", "param", "before", "after"), CHANGES)
def test_a_change_of_a_parameter_and_back_does_not_click(kind, values, param, before, after):
    second = tone(-10, 100, 1000)
    keys = keys_of(values, second)
    link = Link(kind, **{**values, param: before})
    link(second, keys)
    parts = [link(second, keys)]
    for value in (after, before):
        link.set(**{param: value})
        parts.append(link(second, keys))
    own = max(largest_step(part[-frames(400) :]) for part in parts)
    assert not np.array_equal(parts[0], parts[1]) or param.endswith("_ms")
    assert largest_step(np.concatenate(parts)) <= 1.05 * own


def test_changes_that_follow_each_other_glide_to_the_last():
    link = Link("compressor", threshold_db=-40, ratio=64)
    block = steady(0, 10)
    parts = [link(block) for _ in range(100)]
    for threshold in (-35.0, -10.0, -50.0, -20.0):
        link.set(threshold_db=threshold)
        parts.append(link(block))
    parts += [link(block) for _ in range(20)]
    heard = np.concatenate(parts)[frames(900) :, 0]
    assert heard[-1] == pytest.approx(10 ** (-20 * (63 / 64) / 20), rel=1e-3)
    ratios = [abs(np.log(b / a)) for a, b in itertools.pairwise(heard.astype(float))]
    assert max(ratios) < 0.005


@pytest.mark.parametrize(("kind", "values"), VARIANTS)
def test_the_reduction_is_that_of_the_last_block(kind, values):
    audio = bursts(9, 400)
    audio[frames(100) : frames(200)] *= 1e-3
    audio[frames(200) :] *= 3
    link = Link(kind, channels=2, **values)
    assert link.reduction_db == 0
    seen = []
    for begin in range(0, len(audio), 480):
        block = audio[begin : begin + 480]
        link(block, keys_of(values, block))
        seen.append(link.reduction_db)
    assert min(seen) >= 0
    assert (max(seen) > 1) == (kind != "upward_compressor")
