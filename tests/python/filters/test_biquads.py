# SPDX-License-Identifier: MIT
"""high_pass, low_pass and eq next to scipy's responses of the Audio EQ Cookbook's formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import signal

from pypac_obs import _core

_RATES = (44100, 48000, 96000)
_WITHIN_DB = 0.05
_FLOOR_DB = -75.0  # below, an impulse of float32 is rounded too coarsely to tell

Sos = list[list[float]]


def _cookbook(shape: str, hz: float, gain_db: float, q: float, rate: int) -> list[float]:
    w = 2 * math.pi * min(hz / rate, 0.49)
    c, alpha, a = math.cos(w), math.sin(w) / (2 * q), 10 ** (gain_db / 40)
    root = 2 * math.sqrt(a) * alpha
    plain = [1 + alpha, -2 * c, 1 - alpha]
    coefficients = {
        "low_pass": [(1 - c) / 2, 1 - c, (1 - c) / 2, *plain],
        "high_pass": [(1 + c) / 2, -1 - c, (1 + c) / 2, *plain],
        "band_pass": [alpha, 0, -alpha, *plain],
        "notch": [1, -2 * c, 1, *plain],
        "peak": [1 + alpha * a, -2 * c, 1 - alpha * a, 1 + alpha / a, -2 * c, 1 - alpha / a],
        "low_shelf": [
            a * ((a + 1) - (a - 1) * c + root),
            2 * a * ((a - 1) - (a + 1) * c),
            a * ((a + 1) - (a - 1) * c - root),
            (a + 1) + (a - 1) * c + root,
            -2 * ((a - 1) + (a + 1) * c),
            (a + 1) + (a - 1) * c - root,
        ],
        "high_shelf": [
            a * ((a + 1) + (a - 1) * c + root),
            -2 * a * ((a - 1) + (a + 1) * c),
            a * ((a + 1) + (a - 1) * c - root),
            (a + 1) - (a - 1) * c + root,
            2 * ((a - 1) - (a + 1) * c),
            (a + 1) - (a - 1) * c - root,
        ],
    }[shape]
    return [one / coefficients[3] for one in coefficients]


def _check_response(kind: str, values: dict[str, object], sos: Sos, rate: int) -> None:
    """Measures the response with an impulse that is long enough for 10 Hz, whole in doubles."""
    frames = 2**18
    impulse = np.zeros((frames, 2), np.float32)
    impulse[0] = 1, 0.5
    chain = _core.OfflineChain([(kind, values, False)], sample_rate=rate)
    heard = chain.process(impulse).astype(np.float64)
    assert np.allclose(heard[:, 0], 2 * heard[:, 1], rtol=0, atol=1e-25)
    bins = np.round(np.geomspace(10, min(20000, 0.45 * rate), 60) * frames / rate).astype(int)
    hz = bins * rate / frames
    found = np.fft.rfft(heard[:, 0])[bins]
    wanted = signal.sosfreqz(np.array(sos), worN=hz, fs=rate)[1]
    with np.errstate(divide="ignore"):
        wanted_db = 20 * np.log10(np.abs(wanted))
        found_db = 20 * np.log10(np.abs(found))
    told = wanted_db > _FLOOR_DB
    assert told.any()
    assert np.abs(found_db - wanted_db)[told].max() < _WITHIN_DB
    assert (found_db[~told] < _FLOOR_DB + 1).all()


@pytest.mark.parametrize("rate", _RATES)
@pytest.mark.parametrize("slope_db", ["12", "24", "36", "48"])
@pytest.mark.parametrize(
    ("kind", "hz"), [("high_pass", 10), ("high_pass", 80), ("low_pass", 3000), ("low_pass", 18000)]
)
def test_passes_are_butterworth_filters(kind: str, hz: float, slope_db: str, rate: int) -> None:
    sos = signal.butter(
        int(slope_db) // 6, hz, kind.removesuffix("_pass"), fs=rate, output="sos"
    ).tolist()
    _check_response(kind, {"frequency_hz": float(hz), "slope_db": slope_db}, sos, rate)


@pytest.mark.parametrize("rate", _RATES)
@pytest.mark.parametrize(
    "shape",
    ["peak", "low_shelf", "high_shelf", "notch", "band_pass", "high_pass", "low_pass"],
)
def test_each_band_is_the_cookbooks(shape: str, rate: int) -> None:
    for hz, gain_db, q in [(10, 24, 0.71), (60, -24, 4), (1000, 12, 40), (20000, -6, 0.1)]:
        values = {
            "band3_type": shape,
            "band3_hz": float(hz),
            "band3_db": float(gain_db),
            "band3_q": float(q),
        }
        _check_response("eq", values, [_cookbook(shape, hz, gain_db, q, rate)], rate)


def test_bands_add_up_and_those_that_are_off_do_nothing() -> None:
    bands: Sequence[tuple[str, float, float, float]] = [
        ("low_shelf", 100, 6, 0.71),
        ("peak", 400, -9, 2),
        ("notch", 1000, 0, 8),
        ("peak", 3000, 5, 1),
        ("high_shelf", 8000, -12, 0.71),
        ("low_pass", 15000, 0, 0.71),
    ]
    values: dict[str, object] = {"band2_db": 24.0, "band8_hz": 50.0}
    for i, (shape, hz, gain_db, q) in zip((1, 3, 4, 5, 6, 7), bands, strict=True):
        values |= {f"band{i}_type": shape, f"band{i}_hz": float(hz)}
        values |= {f"band{i}_db": float(gain_db), f"band{i}_q": float(q)}
    _check_response("eq", values, [_cookbook(*band, 48000) for band in bands], 48000)
    audio = np.random.default_rng(1).uniform(-1, 1, (5000, 2)).astype(np.float32)
    assert np.array_equal(_core.OfflineChain([("eq", {}, False)]).process(audio), audio)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("high_pass", {"slope_db": "48"}),
        ("low_pass", {"frequency_hz": 500.0}),
        ("eq", {"band1_type": "peak", "band1_db": 9.0, "band8_type": "high_shelf"}),
    ],
)
def test_blocks_of_any_length_give_the_same_samples(kind: str, values: dict[str, object]) -> None:
    audio = np.random.default_rng(2).uniform(-1, 1, (9600, 3)).astype(np.float32)

    def run(max_frames: int) -> bytes:
        chain = _core.OfflineChain([(kind, values, False)], channels=3, max_frames=max_frames)
        return chain.process(audio).tobytes()

    whole = run(4800)
    assert all(run(frames) == whole for frames in (1, 7, 64, 480))


@pytest.mark.parametrize(
    ("kind", "values", "param", "value"),
    [
        ("eq", {"band1_type": "peak", "band1_hz": 100.0, "band1_db": -20.0}, "band1_db", 20.0),
        ("eq", {"band1_type": "low_shelf", "band1_hz": 500.0}, "band1_type", "high_pass"),
        ("eq", {}, "band4_type", "notch"),
        ("high_pass", {"slope_db": "48"}, "frequency_hz", 20000.0),
        ("low_pass", {"slope_db": "24"}, "frequency_hz", 10.0),
    ],
)
def test_a_change_while_playing_does_not_click(
    kind: str, values: dict[str, object], param: str, value: object
) -> None:
    t = np.arange(48000)
    audio = np.sin(2 * np.pi * 100 / 48000 * t).astype(np.float32)[:, None]
    chain = _core.OfflineChain([(kind, values, False)], channels=1)
    before = chain.process(audio[:24000])
    chain.set(0, param, value)
    heard = np.concatenate([before, chain.process(audio[24000:])])[4800:, 0]
    own_step = 2 * np.sin(np.pi * 100 / 48000) * max(1, np.abs(heard).max())
    assert np.abs(np.diff(heard)).max() < 1.05 * own_step
    assert chain.faults == 0


def test_a_band_above_the_rate_is_limited_and_stays_whole() -> None:
    audio = np.random.default_rng(3).uniform(-1, 1, (32000, 1)).astype(np.float32)
    values = {"band1_type": "peak", "band1_hz": 20000.0, "band1_db": 24.0, "band1_q": 40.0}
    chain = _core.OfflineChain([("eq", values, False)], sample_rate=32000, channels=1)
    heard = chain.process(audio)
    assert np.isfinite(heard).all()
    assert np.median(np.abs(heard - audio)) < 0.1
    assert chain.faults == 0
