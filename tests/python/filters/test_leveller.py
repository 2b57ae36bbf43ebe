# SPDX-License-Identifier: MIT
"""The leveller: where it ends, how fast it goes there, and when it stands still."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pypac_obs import _core

RATE = 48000
Audio = NDArray[np.float32]


def noise(lufs: float, seconds: float, seed: int = 1) -> Audio:
    """Pink noise of that loudness, the same in both channels."""
    random = np.random.default_rng(seed)
    frames = round(seconds * RATE)
    spectrum = np.fft.rfft(random.standard_normal(frames))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    mono = np.fft.irfft(spectrum, frames)
    audio = np.repeat(mono[:, None] / np.abs(mono).max() / 4, 2, axis=1).astype(np.float32)
    audio *= 10 ** ((lufs - loudness(audio)) / 20)
    return audio


def loudness(audio: Audio) -> float:
    meter = _core.LoudnessMeter(channels=audio.shape[1])
    meter.process(np.ascontiguousarray(audio))
    return meter.values.integrated


def leveller(*, max_frames: int = 480, **values: float) -> _core.OfflineChain:
    return _core.OfflineChain([("leveller", values, False)], max_frames=max_frames)


def gain_db(heard: Audio, audio: Audio) -> NDArray[np.float64]:
    """The gain at each frame that is not near zero."""
    loud = np.abs(audio[:, 0]) > 1e-6
    return 20 * np.log10(np.abs(heard[loud, 0] / audio[loud, 0]).astype(np.float64))


@pytest.mark.parametrize("lufs", [-30.0, -25.0, -12.0])
def test_it_reaches_its_target_by_its_speed(lufs: float) -> None:
    audio = noise(lufs, 14)
    wanted = -20 - lufs
    chain = leveller(target_lufs=-20, speed_db_s=2)
    heard = chain.process(audio)
    assert loudness(heard[10 * RATE :]) == pytest.approx(-20, abs=0.5)
    # 400 ms of sound come before the first step, and the speed is never more than it may be.
    gains = gain_db(heard, audio)
    times = np.flatnonzero(np.abs(audio[:, 0]) > 1e-6) / RATE
    assert np.abs(gains[times < 0.4]).max() < 1e-4
    halfway = np.searchsorted(times, 0.4 + abs(wanted) / 2 / 2)
    assert gains[halfway] == pytest.approx(wanted / 2, abs=0.1)
    for begin in np.arange(0, 13, 0.5):
        a, b = np.searchsorted(times, [begin, begin + 1])
        assert abs(gains[b - 1] - gains[a]) <= 2 * 1.02
    expected = max(0.0, -gains[-1])
    assert chain.reduction_db(0) == pytest.approx(expected, abs=0.05)


def test_it_stands_still_below_the_gate() -> None:
    loud, quiet = noise(-26, 8), noise(-60, 10)
    chain = leveller(target_lufs=-20, speed_db_s=5)
    chain.process(loud)
    before = gain_db(chain.process(loud[:RATE]), loud[:RATE])[-1]
    assert before == pytest.approx(6, abs=0.5)
    chain.process(np.zeros((RATE, 2), np.float32))
    heard = chain.process(quiet)
    gains = gain_db(heard, quiet)
    assert np.abs(gains - gains[0]).max() < 1e-3
    # The last steps above the gate, while the sound leaves the 400 ms, change nothing audible.
    assert gains[0] == pytest.approx(before, abs=0.2)
    # It does not begin anew afterwards either.
    again = gain_db(chain.process(loud[:RATE]), loud[:RATE])
    assert np.abs(again - before).max() < 0.7


def test_speech_with_pauses_is_brought_to_the_target_too() -> None:
    """Pauses do not count, or the gain would rise in them."""
    audio = noise(-30, 30)
    at = np.arange(len(audio)) / RATE
    audio[(at % 1.5) > 0.9] = 0
    heard = leveller(target_lufs=-20, speed_db_s=4).process(audio)
    meter = _core.LoudnessMeter()
    meter.process(audio)
    # While it sounds it has the loudness of the noise, and then that of the target.
    gains = gain_db(heard, audio)
    assert gains[-1] == pytest.approx(10, abs=0.5)
    assert gains[len(gains) // 2 :].std() < 0.2


@pytest.mark.parametrize(("lufs", "limit"), [(-45.0, 10.0), (-3.0, -8.0)])
def test_it_goes_no_further_than_up_and_down(lufs: float, limit: float) -> None:
    audio = noise(lufs, 10)
    heard = leveller(target_lufs=-18, up_db=10, down_db=8, speed_db_s=20).process(audio)
    gains = gain_db(heard, audio)
    assert gains[-1] == pytest.approx(limit, abs=0.01)
    assert gains.max() <= 10.001
    assert gains.min() >= -8.001


def test_blocks_of_any_length_give_the_same_and_what_is_set_is_heard() -> None:
    audio = noise(-30, 3)
    values = {"target_lufs": -18.0, "speed_db_s": 20.0}
    whole = leveller(**values).process(audio)
    assert not np.array_equal(whole, audio)
    for max_frames in (1, 7, 64, 4800):
        part = audio[: 48 * 1000] if max_frames == 1 else audio
        heard = leveller(max_frames=max_frames, **values).process(part)
        assert np.array_equal(heard, whole[: len(part)])
    chain = leveller(**values)
    chain.process(audio)
    chain.set(0, "target_lufs", -30)
    assert gain_db(chain.process(audio), audio)[-1] == pytest.approx(0, abs=0.5)
    with pytest.raises(ValueError, match="window_ms"):
        chain.set(0, "window_ms", 1000)


def test_a_step_between_two_samples_is_that_of_the_tone() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 100 * np.arange(4 * RATE) / RATE)
    audio = np.repeat(tone[:, None], 2, axis=1).astype(np.float32)
    heard = leveller(target_lufs=-40, speed_db_s=20).process(audio)
    own = np.abs(np.diff(audio[:, 0])).max()
    assert np.abs(np.diff(heard[:, 0])).max() <= 1.05 * own


def test_what_is_no_number_is_over_when_it_is_over() -> None:
    chain = leveller(target_lufs=-20, speed_db_s=20)
    audio = noise(-26, 4)
    chain.process(np.full((960, 2), np.nan, np.float32))
    chain.process(np.full((960, 2), np.inf, np.float32))
    heard = chain.process(audio)
    assert np.isfinite(heard).all()
    assert loudness(heard[2 * RATE :]) == pytest.approx(-20, abs=0.5)
    assert not chain.process(np.zeros((480, 2), np.float32)).any()
