# SPDX-License-Identifier: MIT
"""Filters that change nothing on a mono track."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["without_effect"]

_STEREO_ONLY = ("pan", "width", "mono")


def without_effect(tracks: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each of a profile's filters that its track, a mono one, stays as is.

    Works on the plain data of a profile that has no mistakes, with presets' filters in their place.
    """
    for name, track in tracks.items():
        if track.get("channels") != 1:
            continue
        kinds = [
            kind
            for chain in ("filters", "compare")
            for one in track.get(chain) or ()
            if isinstance(one, Mapping)
            for kind, settings in one.items()
            if _changes_nothing(kind, settings)
        ]
        for kind in dict.fromkeys(kinds):
            yield (
                f'The track "{name}" is mono (channels: 1), so its filter {kind} changes nothing '
                "as it is set."
            )


def _changes_nothing(kind: str, settings: Mapping[str, Any]) -> bool:
    """Tells whether a filter leaves a single channel as it is."""
    if kind == "invert":
        return bool(settings.get("channels") == "right")
    if kind == "channel_map":  # left and right of a mono track are the same
        return bool(settings.get("left", "left") != "none")
    return kind in _STEREO_ONLY
