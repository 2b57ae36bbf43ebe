# SPDX-License-Identifier: MIT
"""The limiter, against sixteenfold oversampling and its own definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly

from pypac_obs import _core

RATE = 48000
CEILING_DB = -1.0
TRUE_PEAK_DELAY = 8  # frames that the detector takes

Audio = NDArray[np.float32]


def chain(
    *, channels: int = 1, max_frames: int = 480, sample_rate: int = RATE, **params: Any
) -> _core.OfflineChain:
    return _core.OfflineChain(
        [("limiter", params, False)],
        channels=channels,
        max_frames=max_frames,
        sample_rate=sample_rate,
    )


def limited(signal: NDArray[Any], **params: Any) -> Audio:
    """What becomes of a signal of one channel, in time with it."""
    limiter = chain(**params)
    padded = np.concatenate([signal, np.zeros(limiter.latency_frames)])
    heard = limiter.process(padded.astype(np.float32)[:, None])
    return heard[limiter.latency_frames :, 0]


def db(value: float) -> float:
    return 20 * np.log10(max(value, 1e-12))


def true_peak_db(signal: Audio) -> float:
    oversampled = resample_poly(signal.astype(float), 16, 1, window=("kaiser", 12.0))
    return db(np.abs(oversampled).max())


def sine(hz: float, *, degrees: float = 0, peak: float = 1.0, frames: int = 24000) -> NDArray[Any]:
    return peak * np.sin(2 * np.pi * hz / RATE * np.arange(frames) + np.deg2rad(degrees))


def faded(signal: NDArray[Any], frames: int = 4800) -> NDArray[Any]:
    ramp = np.minimum(1, np.arange(len(signal)) / frames)
    return signal * ramp * ramp[::-1]


def bursts(signal: NDArray[Any]) -> NDArray[Any]:
    return signal * (np.arange(len(signal)) % 3000 < 1200)


def impulses(*shape: float) -> NDArray[Any]:
    signal = np.zeros(24000)
    for at in range(1000, 23000, 1777):
        signal[at : at + len(shape)] = shape
    return signal


def worst_between_two() -> NDArray[Any]:
    """Full-scale samples whose signs make the value in the middle as large as can be."""
    return impulses(*np.sign(np.sinc(np.arange(-12, 12) + 0.5)))


def noise(seed: int = 1) -> NDArray[Any]:
    return np.random.default_rng(seed).normal(0, 0.7, 24000)


SIGNALS = {
    "a quarter of the rate, 45 degrees": faded(sine(RATE / 4, degrees=45, peak=1.41)),
    "a quarter of the rate, 0 degrees": faded(sine(RATE / 4, peak=1.41)),
    "a sixth of the rate, 60 degrees": faded(sine(RATE / 6, degrees=60, peak=1.41)),
    "an eighth of the rate, 67.5 degrees": faded(sine(RATE / 8, degrees=67.5, peak=1.41)),
    "997 Hz": faded(sine(997, peak=2)),
    "15 kHz": faded(sine(15000, degrees=3, peak=1.41)),
    "17 kHz": faded(sine(17000, degrees=20, peak=1.41)),
    "18 kHz": faded(sine(18000, degrees=40, peak=1.41)),
    "bursts of a quarter of the rate": bursts(sine(RATE / 4, degrees=45, peak=1.41)),
    "bursts of 997 Hz": bursts(sine(997, peak=4)),
    "bursts of 17 kHz": bursts(sine(17000, degrees=20, peak=1.41)),
    "a square of 1 kHz in bursts": bursts(np.sign(sine(1000, degrees=17))),
    "a square of 5 kHz in bursts": bursts(np.sign(sine(5000, degrees=17))),
    "white noise": noise(),
    "noise up to 18 kHz": np.convolve(noise(2) * 1.5, firwin(255, 17500, fs=RATE), "same"),
    "noise of two values": np.sign(noise(3)),
    "clicks": impulses(1),
    "a click of two frames": impulses(1, 1),
    "clicks that alternate": impulses(*[1, -1] * 50),
    "clicks that alternate and turn over": impulses(*[1, -1] * 10, *[-1, 1] * 10),
    "the worst between two samples": worst_between_two(),
    "music-like": faded(sum(sine(hz, degrees=hz, peak=0.4) for hz in (55, 220, 443, 3111, 9001))),
}


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("params", [{}, {"look_ahead_ms": 0.5, "release_ms": 1.0}])
def test_no_true_peak_is_more_than_a_tenth_of_a_decibel_over_the_ceiling(
    name: str, params: dict[str, float]
):
    heard = limited(SIGNALS[name], ceiling_db=CEILING_DB, **params)
    assert true_peak_db(heard) <= CEILING_DB + 0.1
    # It limits, it does not silence.
    assert true_peak_db(heard) >= CEILING_DB - 1.5


@pytest.mark.parametrize("rate", [8000, 44100, 96000, 192000])
def test_other_rates_have_the_same_ceiling(rate: int):
    angle = 2 * np.pi * min(18000, 0.4 * rate) / rate * np.arange(24000) + 0.7
    for signal in (noise(7) * 10, np.sign(noise(8)), bursts(2 * np.sin(angle))):
        heard = limited(signal, sample_rate=rate, look_ahead_ms=0.5, release_ms=1.0)
        assert CEILING_DB - 1 < true_peak_db(heard) <= CEILING_DB + 0.1


@pytest.mark.parametrize("name", SIGNALS)
def test_with_true_peaks_off_no_sample_is_over_the_ceiling_at_all(name: str):
    for params in ({}, {"look_ahead_ms": 0.5, "release_ms": 1.0}, {"ceiling_db": -60.0}):
        limit = {"ceiling_db": CEILING_DB, "true_peak": False, **params}
        heard = limited(SIGNALS[name] * 2, **limit)
        ceiling = np.float32(10 ** (limit["ceiling_db"] / 20))
        assert np.abs(heard).max() <= ceiling
        assert np.abs(heard).max() >= 0.97 * ceiling


def without_look_ahead(signal: NDArray[Any], ceiling_db: float, release_ms: float) -> Audio:
    """OBS's limiter: its envelope rises with the peak, and the gain with it falls in the wave."""
    ceiling, decay = 10 ** (ceiling_db / 20), np.exp(-1000 / (RATE * release_ms))
    heard, envelope = np.empty(len(signal), np.float32), ceiling
    for i, sample in enumerate(signal):
        envelope = max(abs(sample), envelope * decay, ceiling)
        heard[i] = sample * ceiling / envelope
    return heard


def distortion_db(heard: Audio, hz: int) -> float:
    """Of a second of a tone: all that is not the tone."""
    spectrum = np.abs(np.fft.rfft(heard * np.blackman(len(heard)) ** 2)) ** 2
    near = np.abs(np.arange(len(spectrum)) - round(hz * len(heard) / RATE)) <= 8
    return float(10 * np.log10(spectrum[~near].sum() / spectrum[near].sum()))


@pytest.mark.parametrize(("hz", "most_db", "better_db"), [(100, -40, 8), (997, -80, 30)])
def test_a_sine_of_twice_the_ceiling_keeps_its_shape(hz: int, most_db: float, better_db: float):
    signal = faded(sine(hz, peak=2.0, frames=72000))
    middle = slice(12000, 60000)
    ours = distortion_db(limited(signal, ceiling_db=CEILING_DB)[middle], hz)
    assert ours < most_db
    obs = distortion_db(without_look_ahead(signal, CEILING_DB, 60)[middle], hz)
    assert ours < obs - better_db


def test_what_is_under_the_ceiling_passes_bit_for_bit_and_late_by_the_latency():
    for true_peak, frames in ((True, 96 + TRUE_PEAK_DELAY), (False, 96)):
        limiter = chain(channels=2, true_peak=true_peak)
        assert limiter.latency_frames == frames
        audio = (0.2 * np.random.default_rng(4).uniform(-1, 1, (5000, 2))).astype(np.float32)
        heard = limiter.process(audio)
        assert np.array_equal(heard[frames:], audio[:-frames])
        assert not heard[:frames].any()
        assert limiter.reduction_db(0) == 0
    assert chain(look_ahead_ms=10.0, true_peak=False).latency_frames == 480


def test_the_gain_falls_over_the_look_ahead_and_comes_back_by_its_time_constant():
    # Direct current tells the gain of each frame.
    signal = np.full(48000, 0.25)
    signal[10000:20000] = 1.0
    heard = limited(signal, ceiling_db=-6.0206, release_ms=100.0, true_peak=False)
    gain = heard / signal
    assert gain[10000 - 97] == 1
    assert np.all(np.diff(gain[: 10000 + 1]) <= 0)
    assert gain[10000:20000] == pytest.approx(0.5, rel=1e-4)
    # A step is smooth: it takes most of the look-ahead, and no frame has much of it.
    assert np.abs(np.diff(gain[:10001])).max() < 0.5 / 48
    reduction = 1 - gain[20096:]
    left = reduction / reduction[0]
    assert np.argmax(left < np.exp(-1)) == pytest.approx(4800, rel=0.05)
    assert np.argmax(left < np.exp(-3)) == pytest.approx(14400, rel=0.05)


def test_it_tells_by_how_much_it_reduces():
    limiter = chain(ceiling_db=-6.0, true_peak=False)
    loud = np.ones((4800, 1), np.float32)
    limiter.process(loud)
    assert limiter.reduction_db(0) == pytest.approx(6, abs=0.01)
    for _ in range(40):
        limiter.process(np.zeros_like(loud))
    assert limiter.reduction_db(0) == 0


def test_all_channels_are_turned_down_alike():
    for channels in (2, 3, 8):
        audio = np.outer(faded(sine(440, peak=1)), np.arange(1, channels + 1) / 2)
        audio = audio.astype(np.float32)
        limiter = chain(channels=channels)
        late = limiter.latency_frames
        heard = limiter.process(audio)[late:]
        loudest = np.abs(audio[:-late, -1]) > 0.01
        gains = heard[loudest] / audio[:-late][loudest]
        assert np.allclose(gains, gains[:, -1:], rtol=1e-5)
        assert db(np.abs(heard).max()) == pytest.approx(CEILING_DB, abs=0.1)


@pytest.mark.parametrize("true_peak", [True, False])
def test_blocks_of_any_length_give_the_same_bits(true_peak: bool):
    audio = np.stack([noise(5), bursts(sine(700, peak=3))], 1).astype(np.float32)
    audio[9000:] *= 0.02  # so that it comes to rest
    audio = np.concatenate([audio, np.zeros((150000, 2), np.float32), audio])
    expected: Audio | None = None
    for max_frames in (4800, 1, 7, 64, 480):
        # A frame at a time takes long.
        some = audio[:12000] if max_frames == 1 else audio
        limiter = chain(channels=2, max_frames=max_frames, true_peak=true_peak)
        heard = [limiter.process(some[:4800])]
        limiter.set(0, "ceiling_db", -20.0)
        limiter.set(0, "release_ms", 5.0)
        heard.append(limiter.process(some[4800:6900]))
        limiter.set(0, "ceiling_db", -3.0)
        heard.append(limiter.process(some[6900:]))
        whole = np.concatenate(heard)
        if expected is None:
            expected = whole
        assert np.array_equal(whole, expected[: len(whole)])


def test_a_change_of_the_ceiling_does_not_click():
    tone = sine(100, frames=48000).astype(np.float32)[:, None]
    own = 2 * np.pi * 100 / RATE
    for before, after in ((0.0, -40.0), (-40.0, 0.0)):
        limiter = chain(ceiling_db=before, release_ms=1.0)
        heard = [limiter.process(tone[:24000])]
        limiter.set(0, "ceiling_db", after)
        heard.append(limiter.process(tone[24000:]))
        whole = np.concatenate(heard)[:, 0]
        assert np.abs(np.diff(whole[1000:])).max() < 1.05 * own
        assert np.abs(whole[-4800:]).max() == pytest.approx(10 ** (after / 20), rel=0.01)


def test_silence_stays_silence_and_what_is_no_number_harms_nobody():
    limiter = chain(channels=2)
    assert not limiter.process(np.zeros((4800, 2), np.float32)).any()
    audio = np.full((4800, 2), 0.5, np.float32)
    audio[1000, 0] = np.nan
    audio[1001, 1] = np.inf
    audio[2000] = -np.inf
    heard = limiter.process(audio)
    assert np.isfinite(heard).all()
    assert np.array_equal(limiter.process(audio[:900])[200:], audio[:700])


@pytest.mark.parametrize("largest", [10.0, 1e6, 3e38])
def test_however_loud_it_is_the_ceiling_holds(largest: float):
    signal = faded(sine(997)) * largest
    for true_peak in (True, False):
        heard = limited(signal, true_peak=true_peak)
        assert np.isfinite(heard).all()
        assert true_peak_db(heard) <= CEILING_DB + 0.1


def test_bypassed_it_passes_bit_for_bit_behind_its_latency():
    limiter = _core.OfflineChain([("limiter", {"ceiling_db": -20.0}, True)], channels=1)
    audio = noise(6).astype(np.float32)[:, None]
    late = limiter.latency_frames
    assert np.array_equal(limiter.process(audio)[late:], audio[:-late])
