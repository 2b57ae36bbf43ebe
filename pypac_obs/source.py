# SPDX-License-Identifier: MIT
"""The contract of a source that is written in Python."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Source", "SourceInfo"]


@dataclass(frozen=True)
class SourceInfo:
    """What a source is told before its first frame.

    ``name`` is the profile's; ``settings`` are what the profile has for it, which its class was
    called with, too.
    """

    name: str
    sample_rate: int
    channels: int
    settings: Mapping[str, object]


class Source(ABC):
    """Where audio comes from. Derive from it to bring anything into a session.

    All methods are called on the source's own thread: ``open`` once, ``read`` until it gives None
    or the session ends, then ``close`` once, also after a failure.

    The frames lie one behind the other on the session's timeline, from the moment at which the
    source was opened. What waits for its audio, such as a network, lies where it came; what
    computes it is asked as fast as it is heard. Where ``read`` was too slow, the frames between are
    silence, listed in the ledger.

    An exception, or what is no audio, is silence with its reason in the status; after a second
    ``read`` is asked again.

    >>> class Hum(Source):
    ...     def open(self, info):
    ...         self.info, self.at = info, 0
    ...     def read(self, frames):
    ...         t = (self.at + np.arange(frames)) / self.info.sample_rate
    ...         self.at += frames
    ...         tone = 0.1 * np.sin(2 * np.pi * 50 * t, dtype=np.float32)
    ...         return np.column_stack([tone] * self.info.channels)
    """

    def __init__(self, **settings: object) -> None:  # noqa: B027 - optional
        """Is called with the profile's settings. By default leaves them to `open`."""

    def open(self, info: SourceInfo) -> None:  # noqa: B027 - optional
        """Gets ready, within ten seconds. Raise any error to refuse: the session says so."""

    @abstractmethod
    def read(self, frames: int) -> NDArray[np.float32] | None:
        """Gives the next frames: float32, shape (n, channels), n at most ``frames``.

        May wait for them. Without any for now (n is 0) it is asked again; None: it has ended.
        """

    def close(self) -> None:  # noqa: B027 - optional
        """Lets go of everything. By default does nothing."""
