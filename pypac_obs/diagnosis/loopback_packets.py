# SPDX-License-Identifier: MIT
"""What the packets of a capture say of how Windows delivers them: numbers, and those in words."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from pypac_obs.wording import counted

__all__ = ["Packet", "Packets", "Spread", "measure"]

RATE = 48_000  # frames a second that captures ask for


class Packet(Protocol):
    """One packet, as `_core.LoopbackPacket` has it."""

    @property
    def frames(self) -> int:
        """Of each channel."""

    @property
    def stamp_ns(self) -> int:
        """Host time of its first frame, as Windows says; 0: none."""

    @property
    def received_ns(self) -> int:
        """Host time when it was handed over."""

    @property
    def silent(self) -> bool:
        """Windows called it silent."""

    @property
    def discontinuity(self) -> bool:
        """Windows says that frames are missing before it."""

    @property
    def timestamp_error(self) -> bool:
        """Windows says that its stamp is wrong."""

    @property
    def peak(self) -> float:
        """Amplitude."""


@dataclass(frozen=True)
class Spread:
    """The least, the middle and the greatest of some values.

    >>> print(Spread.of([3.0, 1.0, 2.0]))
    1.0/2.0/3.0
    >>> print(Spread.of([480, 480, 441]))
    441/480/480
    """

    least: float
    median: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Takes at least one value."""
        return cls(min(values), statistics.median_low(values), max(values))

    def __str__(self) -> str:
        return "/".join(
            str(one) if isinstance(one, int) else f"{one:.1f}"
            for one in (self.least, self.median, self.greatest)
        )


@dataclass(frozen=True)
class Packets:
    """What came in some seconds. ``None`` where there are too few packets to tell."""

    seconds: float
    count: int = 0
    frames: int = 0
    loud: int = 0  # with anything but zeros
    silent: int = 0  # called silent by Windows
    zeros: int = 0  # all zeros, and not called silent
    discontinuities: int = 0
    timestamp_errors: int = 0
    without_stamp: int = 0
    lengths: Spread | None = None  # frames
    period_ms: Spread | None = None  # between packets that were handed over
    age_ms: Spread | None = None  # from the stamp to when a packet was handed over
    stamp_step_us: Spread | None = None  # by how much a stamp is later than the one before says

    @property
    def sound(self) -> str:
        """What is in the packets, in a word or two."""
        if not self.count:
            return "no packets"
        if self.loud:
            return "sound"
        if self.silent and self.zeros:
            return "silence, only some of it flagged so"
        return "silence, flagged so" if self.silent else "zeros, not flagged as silence"

    def lines(self) -> list[str]:
        """All numbers, each line one fact."""
        if not self.count:
            return [f"no packet in {self.seconds:.2f} s"]
        found = [
            f"{counted(self.count, 'packet')}, {counted(self.frames, 'frame')} in "
            f"{self.seconds:.2f} s ({self.frames / RATE:.2f} s of sound)",
            f"with sound: {self.loud}; silent by flag: {self.silent}; "
            f"all zeros without the flag: {self.zeros}",
            f"discontinuities: {self.discontinuities}; timestamp errors: "
            f"{self.timestamp_errors}; without a stamp: {self.without_stamp}",
            f"frames a packet, least/median/most: {self.lengths}",
        ]
        if self.period_ms:
            found.append(f"ms between packets, least/median/most: {self.period_ms}")
        if self.age_ms:
            found.append(
                f"ms from a packet's stamp to its delivery, least/median/most: {self.age_ms}"
            )
        if self.stamp_step_us:
            found.append(
                "µs that a stamp is later than the one before says, least/median/most: "
                f"{self.stamp_step_us}"
            )
        return found


def measure(packets: Sequence[Packet], seconds: float) -> Packets:
    """Counts and measures the packets that came in some seconds, in their order."""
    stamped = [one for one in packets if one.stamp_ns and not one.timestamp_error]
    return Packets(
        seconds=seconds,
        count=len(packets),
        frames=sum(one.frames for one in packets),
        loud=sum(one.peak > 0 for one in packets),
        silent=sum(one.silent for one in packets),
        zeros=sum(not one.silent and one.peak == 0 for one in packets),
        discontinuities=sum(one.discontinuity for one in packets),
        timestamp_errors=sum(one.timestamp_error for one in packets),
        without_stamp=sum(not one.stamp_ns for one in packets),
        lengths=Spread.of([one.frames for one in packets]) if packets else None,
        period_ms=_spread([(b.received_ns - a.received_ns) / 1e6 for a, b in pairwise(packets)]),
        age_ms=_spread([(one.received_ns - one.stamp_ns) / 1e6 for one in stamped]),
        stamp_step_us=_spread(
            [(b.stamp_ns - a.stamp_ns) / 1e3 - a.frames * 1e6 / RATE for a, b in pairwise(stamped)]
        ),
    )


def _spread(values: Sequence[float]) -> Spread | None:
    return Spread.of(values) if values else None
