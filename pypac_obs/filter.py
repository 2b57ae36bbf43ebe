# SPDX-License-Identifier: MIT
"""The contract of a filter that is written in Python."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Filter", "Parameter"]


@dataclass(frozen=True)
class Parameter:
    """A value that a profile can give a filter, and that can be set while it runs.

    A number from ``min`` to ``max``, in ``unit``; a switch where ``default`` is True or False; one
    of ``choices`` where there are any. Without a ``default`` the profile has to give it.

    >>> Parameter("gain_db", unit="dB", min=-60, max=20, default=0, help="How much louder.").type
    'number'
    """

    name: str
    unit: str = ""
    min: float = 0.0
    max: float = 1.0
    default: float | bool | str | None = None
    choices: tuple[str, ...] = ()
    help: str = ""

    @property
    def type(self) -> str:
        """One of number, boolean and choice."""
        if self.choices:
            return "choice"
        return "boolean" if isinstance(self.default, bool) else "number"


class Filter(ABC):
    """One link of a track's chain. Derive from it to change a track's sound.

    It runs in a process of its own, 30 ms or a little more behind the mixer, so a crash or a hang
    costs it a moment: what is not in time goes by it, and is listed in the ledger. All methods are
    called on one thread of that process: ``activate`` once, then the others. After a crash another
    process takes over, and ``restore`` gets what ``state`` gave last.

    >>> class Louder(Filter):
    ...     parameters = (Parameter("gain", min=0, max=10, default=2.0),)
    ...     def activate(self, sample_rate, channels, max_frames):
    ...         self.gain = 2.0
    ...     def set(self, param, value):
    ...         self.gain = value
    ...     def process(self, audio):
    ...         return audio * np.float32(self.gain)
    """

    parameters: ClassVar[tuple[Parameter, ...]] = ()
    """What a profile can set, beside `name` and `bypass`."""

    latency_ms: ClassVar[float] = 0.0
    """How much later a sound comes out of `process` than it went in, as in a limiter that looks
    ahead: that many frames, rounded. All tracks are delayed by it, so that nothing moves."""

    def activate(self, sample_rate: int, channels: int, max_frames: int) -> None:  # noqa: B027
        """Gets ready for blocks of at most ``max_frames``; `set` follows with every parameter."""

    @abstractmethod
    def process(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gives as many frames as it gets: float32, shape (frames, channels)."""

    def reset(self) -> None:  # noqa: B027 - optional
        """Forgets the past: the next block follows a break."""

    def set(self, param: str, value: float | bool | str) -> None:  # noqa: B027 - optional
        """Takes a parameter's value, before the next block."""

    def state(self) -> object:
        """Gives what is worth keeping for after a crash, as JSON knows it. Asked once a second."""
        return None

    def restore(self, state: object) -> None:  # noqa: B027 - optional
        """Goes on from what `state` gave, after `activate`."""
