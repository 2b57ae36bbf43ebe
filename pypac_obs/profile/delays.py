# SPDX-License-Identifier: MIT
"""How much audio the `delay` filters of a profile keep back, which takes memory from the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MOST_MINUTES", "delayed_minutes"]

#: The most that all delays of all tracks keep together: 460 MB in stereo at 96 kHz.
MOST_MINUTES = 10


def delayed_minutes(presets: Mapping[str, Any], tracks: Mapping[str, Any]) -> dict[str, float]:
    """How much each track's delays keep, with those of presets and of `compare`.

    Works on the plain data of a profile; what is not understood there is skipped.
    """
    of_presets = {name: sum(map(_minutes, _listed(filters))) for name, filters in presets.items()}

    def minutes(one: Any) -> float:
        return of_presets.get(one, 0.0) if isinstance(one, str) else _minutes(one)

    return {
        name: sum(minutes(one) for key in ("filters", "compare") for one in _listed(track.get(key)))
        for name, track in tracks.items()
        if isinstance(track, Mapping)
    }


def _listed(filters: Any) -> list[Any]:
    return list(filters) if isinstance(filters, list | tuple) else [filters]


def _minutes(one: Any) -> float:
    settings = one.get("delay") if isinstance(one, Mapping) else None
    ms = settings.get("delay_ms") if isinstance(settings, Mapping) else None
    if isinstance(ms, bool) or not isinstance(ms, int | float):
        return 0.0
    return ms / 60_000 if 0 < ms <= 5000 else 0.0  # the model has its own say on the rest
