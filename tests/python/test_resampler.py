# SPDX-License-Identifier: MIT
"""The drift corrector's kernel against python-soxr at its highest quality."""

import numpy as np
import pytest
import soxr

from pypac_obs import _core

RATE = 48_000


@pytest.mark.parametrize("ratio", [1 + 500e-6, 1 - 500e-6, 48_000 / 44_100, 44_100 / 48_000])
def test_agrees_with_soxr_on_music_like_noise(ratio: float) -> None:
    # Band-limited to 15 kHz, so that what both do near the edge of the band plays no part.
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(RATE))
    spectrum[15_000:] = 0
    signal = np.fft.irfft(spectrum, RATE)
    signal = (0.5 * signal / np.abs(signal).max()).astype(np.float32)
    ours = _core.resample(signal, ratio)
    oracle = soxr.resample(signal.astype(np.float64), RATE, RATE * ratio, quality="VHQ")
    length = min(len(ours), len(oracle))
    inside = slice(2000, length - 2000)
    difference = ours[:length][inside] - oracle[:length][inside]
    error_db = 10 * np.log10(np.mean(difference**2) / np.mean(oracle[:length][inside] ** 2))
    assert error_db < -90


def test_ratio_one_is_the_identity() -> None:
    signal = np.random.default_rng(2).uniform(-1, 1, 5000).astype(np.float32)
    np.testing.assert_array_equal(_core.resample(signal, 1.0)[:5000], signal)
