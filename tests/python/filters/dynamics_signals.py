# SPDX-License-Identifier: MIT
"""Signals for dynamics, and gains read off what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pypac_obs import _core

RATE = 48000

Audio = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]


def linear(db: float | Numbers) -> Any:
    return 10 ** (np.asarray(db, float) / 20)


def decibels(ratio: Any) -> Any:
    return 20 * np.log10(np.maximum(np.abs(ratio), 1e-12))


def frames(ms: float) -> int:
    return round(ms * RATE / 1000)


def steady(level_db: float, ms: float, channels: int = 1) -> Audio:
    """Direct current: its level is the same at each frame."""
    return np.full((frames(ms), channels), linear(level_db), np.float32)


def silence(ms: float, channels: int = 1) -> Audio:
    return np.zeros((frames(ms), channels), np.float32)


def tone(level_db: float, hz: float, ms: float, channels: int = 1) -> Audio:
    """A sine whose crests have that level."""
    wave = linear(level_db) * np.sin(2 * np.pi * hz * np.arange(frames(ms)) / RATE)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def bursts(seed: int, ms: float = 2000, channels: int = 2) -> Audio:
    """Noise that is loud and quiet in turn, as speech is."""
    random = np.random.default_rng(seed)
    noise = random.uniform(-1, 1, (frames(ms), channels))
    loud = np.repeat(10 ** random.uniform(-3, -0.1, len(noise) // 2400 + 1), 2400)[: len(noise)]
    return (noise * loud[:, None]).astype(np.float32)


def in_turn(*parts: Audio) -> Audio:
    return np.concatenate(parts)


class Link:
    """One filter over audio that is there already."""

    def __init__(self, kind: str, max_frames: int = 480, channels: int = 1, **values: object):
        self.chain = _core.OfflineChain(
            [(kind, values, False)], channels=channels, max_frames=max_frames
        )

    def __call__(self, audio: Audio, keys: Sequence[Audio] = ()) -> Audio:
        return self.chain.process(audio, list(keys))

    def set(self, **values: object) -> None:
        for param, value in values.items():
            self.chain.set(0, param, value)

    @property
    def reduction_db(self) -> float:
        return self.chain.reduction_db(0)


def apply(kind: str, audio: Audio, keys: Sequence[Audio] = (), **values: object) -> Audio:
    return Link(kind, channels=audio.shape[1], **values)(audio, keys)


def gain_db(heard: Audio, audio: Audio) -> Any:
    """Frame by frame, of the first channel."""
    return decibels(heard[:, 0] / audio[:, 0])


def first(condition: Any) -> int:
    assert np.any(condition)
    return int(np.argmax(condition))


def largest_step(audio: Audio) -> float:
    return float(np.abs(np.diff(audio[:, 0])).max())
