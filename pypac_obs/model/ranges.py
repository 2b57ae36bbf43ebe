# SPDX-License-Identifier: MIT
"""The numbers among a profile's values: their units, how far they go, and how they are moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pypac_obs.model.addresses import Target
from pypac_obs.profile import TrackRule
from pypac_obs.profile.checks import Between
from pypac_obs.profile.filters import info_of
from pypac_obs.profile.model import Send

__all__ = ["Range", "range_of"]


@dataclass(frozen=True)
class Range:
    """From ``lowest`` to ``highest``; whole numbers only, or on a logarithmic scale."""

    unit: str
    lowest: float
    highest: float
    whole: bool = False
    logarithmic: bool = False

    def clamp(self, value: float) -> float:
        """Gives the nearest number that is in the range.

        >>> Range("dB", -120, 40).clamp(50)
        40
        """
        inside = min(max(value, self.lowest), self.highest)
        return round(inside) if self.whole else inside

    def between(self, begin: float, end: float, share: float) -> float:
        """Gives what lies there on the way, from 0 to 1; a logarithmic scale is gone in ratios.

        >>> Range("dB", -120, 40).between(-30, -10, 0.5)
        -20.0
        >>> Range("Hz", 20, 20_000, logarithmic=True).between(100, 400, 0.5)
        200.0
        """
        if share >= 1:
            return end
        if self.logarithmic and begin > 0 and end > 0:
            value = begin * float((end / begin) ** share)
        else:
            value = begin + (end - begin) * share
        return round(value) if self.whole else value


def range_of(target: Target) -> Range | None:
    """Gives the range of what is there; None where it is no number."""
    if target.param == "bypass":
        return None
    if target.part == "filter":
        info = info_of(target.kind)
        params = info.params if info is not None else ()
        one = next((param for param in params if param.id == target.param), None)
        if one is None or one.type not in ("number", "integer"):
            return None
        return Range(one.unit, one.min, one.max, one.type == "integer", one.logarithmic)
    model: Any = TrackRule if target.part == "track" else Send
    for mark in model.model_fields[target.param].metadata:
        if isinstance(mark, Between):
            return Range("dB", mark.lowest, mark.highest)
    return None
