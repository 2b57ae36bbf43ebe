# SPDX-License-Identifier: MIT
"""What numbers with a unit behind them mean at a key that has a unit of its own."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KeyUnit", "unit_of"]


class KeyUnit(NamedTuple):
    """The unit of a key as it is written, and how many of it other units are, in small letters."""

    name: str
    factors: dict[str, float]


_DB = dict.fromkeys(("db", "dbfs", "dbtp"), 1.0)
# By the end of the key; what ends in another one stands before it.
_UNITS = {
    "_ms": KeyUnit("ms", {"ms": 1.0, "s": 1000.0, "sec": 1000.0}),
    "_db_s": KeyUnit("dB/s", {"db/s": 1.0}),
    "_s": KeyUnit("s", {"s": 1.0, "sec": 1.0, "ms": 0.001}),
    "hz": KeyUnit("Hz", {"hz": 1.0, "khz": 1000.0, "k": 1000.0}),
    "sample_rate": KeyUnit("Hz", {"hz": 1.0, "khz": 1000.0, "k": 1000.0}),
    "db": KeyUnit("dB", _DB),
    "_dbfs": KeyUnit("dBFS", _DB),
    "_lufs": KeyUnit("LUFS", {"lufs": 1.0}),
    "_ppm": KeyUnit("ppm", {"ppm": 1.0}),
    # Other programs show these in percent.
    **dict.fromkeys(("mix", "pan", "width"), KeyUnit("", {"%": 0.01})),
}


def unit_of(key: str) -> KeyUnit | None:
    """The unit that a key's name tells; None: it tells none.

    >>> unit_of("attack_ms").factors["s"]
    1000.0
    """
    return next((unit for ending, unit in _UNITS.items() if key.endswith(ending)), None)
