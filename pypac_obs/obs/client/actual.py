# SPDX-License-Identifier: MIT
"""What is in an OBS now, as far as a profile may ask something of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from pypac_obs.obs.client.connection import ObsAddress, ObsVersion
from pypac_obs.obs.client.requests import Answer, Request

__all__ = [
    "DESKTOP_PLACES",
    "MIC_PLACES",
    "OBS_TRACKS",
    "OLD_PIPEWIRE_KIND",
    "PIPEWIRE_KIND",
    "Actual",
    "ActualInput",
    "Obs",
    "Parameter",
    "ParameterValue",
    "SceneItem",
    "masked_tracks",
]

OBS_TRACKS = range(1, 7)

# The capture of programs that the plugin obs-pipewire-audio-capture brings. Before 1.2 it had other
# settings, and would be silent with those that it has now: so it is told apart.
PIPEWIRE_KIND = "pipewire_audio_application_capture"
OLD_PIPEWIRE_KIND = f"{PIPEWIRE_KIND} before 1.2"

# A setting of an OBS profile: its section and its name in basic.ini.
Parameter = tuple[str, str]

DESKTOP_PLACES = ("desktop1", "desktop2")
MIC_PLACES = ("mic1", "mic2", "mic3", "mic4")


class Obs(Protocol):
    """What is needed of an `ObsConnection` here; a fake in tests."""

    address: ObsAddress
    version: ObsVersion

    def request(
        self, kind: str, /, *, timeout_s: float | None = None, **data: Any
    ) -> dict[str, Any]:
        """Asks OBS for something, and gives its answer. Raises ObsError."""

    def request_all(
        self, requests: Sequence[Request], *, timeout_s: float | None = None
    ) -> list[Answer]:
        """Asks OBS for several things at once, and gives an answer for each. Raises ObsError."""

    def undivided(self) -> AbstractContextManager[None]:
        """Keeps us from closing the connection between requests that belong together."""


@dataclass(frozen=True)
class ParameterValue:
    """A setting of an OBS profile, and what it is where nobody has set it; None for nothing."""

    value: str | None
    default: str | None


@dataclass(frozen=True)
class ActualInput:
    """An input of OBS. ``obs_tracks`` is None where it has no audio.

    ``uuid`` is "" where OBS tells none, as version 29 does not.
    """

    name: str
    kind: str
    uuid: str
    settings: Mapping[str, Any]
    obs_tracks: frozenset[int] | None = None
    volume_db: float = 0.0
    volume_factor: float = 1.0
    muted: bool = False
    monitor: str = ""
    sync_offset_ms: int = 0


@dataclass(frozen=True)
class SceneItem:
    """A source in a scene, or in the ``group`` of that scene that is named."""

    id: int
    source: str
    enabled: bool
    group: str = ""


@dataclass(frozen=True)
class Actual:
    """An OBS at one moment.

    ``items`` are those of each scene, ``special`` the names of OBS's special inputs by their places
    ("desktop1", "mic1"), ``running`` the outputs that run now, in words.
    """

    version: ObsVersion
    kinds: frozenset[str]
    profile: str
    profiles: tuple[str, ...]
    collection: str
    collections: tuple[str, ...]
    scenes: tuple[str, ...]
    program_scene: str
    items: Mapping[str, tuple[SceneItem, ...]]
    inputs: Mapping[str, ActualInput]
    special: Mapping[str, str]
    running: tuple[str, ...]
    parameters: Mapping[Parameter, ParameterValue]

    @property
    def desktop(self) -> tuple[str, ...]:
        """The names of the inputs for what the desktop plays."""
        return tuple(self.special[place] for place in DESKTOP_PLACES if place in self.special)

    @property
    def mic(self) -> tuple[str, ...]:
        """The names of the inputs for microphones."""
        return tuple(self.special[place] for place in MIC_PLACES if place in self.special)

    def value(self, parameter: Parameter) -> str:
        """The setting of the OBS profile in use, "" where there is none."""
        found = self.parameters[parameter]
        return found.value or found.default or ""


def masked_tracks(mask: str) -> tuple[int, ...]:
    """Reads the OBS tracks of a mask, as OBS's profile has one; none where it is no such number.

    >>> masked_tracks("5"), masked_tracks("all")
    ((1, 3), ())
    """
    if not (mask.isascii() and mask.isdecimal() and len(mask) < 4):
        return ()
    return tuple(number for number in OBS_TRACKS if int(mask) >> (number - 1) & 1)
