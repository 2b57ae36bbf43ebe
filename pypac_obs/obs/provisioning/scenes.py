# SPDX-License-Identifier: MIT
"""Which scenes of an OBS are to have the tracks, so that they are heard in each, and once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pypac_obs._core import text_matches
from pypac_obs.obs.client.actual import Actual

__all__ = ["WantedScenes", "is_pattern", "matches", "quoted", "shown_scenes", "wanted_scenes"]


@dataclass(frozen=True)
class WantedScenes:
    """The scenes that a profile means, in an OBS as it is now.

    ``own`` get the inputs, also those of them that are still to be made. ``shows`` are the others:
    each shows some of ``own``, and so has the inputs by these.
    """

    own: tuple[str, ...]
    shows: Mapping[str, tuple[str, ...]]


def is_pattern(text: str) -> bool:
    """Tells a pattern from a name."""
    return any(sign in text for sign in "*?")


def matches(pattern: str, scene: str) -> bool:
    """Tells whether a scene is meant: ``*`` is any text, ``?`` one character, whatever the case.

    >>> matches("just *", "Just Chatting"), matches("[Музыка] ?", "[МУЗЫКА] 1")
    (True, True)
    """
    return text_matches(pattern, scene)


def wanted_scenes(meant: Iterable[str], actual: Actual) -> WantedScenes:
    """Chooses among the scenes by names and patterns; a name counts if it is not there as well.

    A scene that shows another one of them gets no inputs of its own: they would be heard twice.
    """
    wanted: dict[str, None] = {}
    for text in meant:
        if is_pattern(text):
            wanted |= dict.fromkeys(name for name in actual.scenes if matches(text, name))
        elif text not in actual.inputs:
            wanted[text] = None
    inner = {scene: shown_scenes(actual, scene) & wanted.keys() for scene in wanted}
    own = tuple(scene for scene in wanted if not inner[scene])
    shows = {
        scene: tuple(name for name in own if name in shown)
        for scene, shown in inner.items()
        if shown
    }
    return WantedScenes(own, shows)


def shown_scenes(actual: Actual, scene: str) -> set[str]:
    """The scenes that are in a scene and not hidden there, and those that are in these."""
    found: set[str] = set()
    left = [scene]
    while left:
        for item in actual.items.get(left.pop(), ()):
            if item.enabled and item.source in actual.items and item.source not in found:
                found.add(item.source)
                left.append(item.source)
    return found - {scene}


def quoted(names: Iterable[str], last: str = "and") -> str:
    """Names things for a sentence.

    >>> quoted(["Gaming", "Chatting"])
    '"Gaming" and "Chatting"'
    """
    words = [f'"{name}"' for name in names]
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
