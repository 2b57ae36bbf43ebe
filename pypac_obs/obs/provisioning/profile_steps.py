# SPDX-License-Identifier: MIT
"""Steps about OBS's own profiles, and about its scene collections as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.client.requests import Request
from pypac_obs.obs.client.slow_requests import request_slow
from pypac_obs.obs.provisioning.journal import Entry, Journal
from pypac_obs.obs.provisioning.parameter_steps import reload_pending
from pypac_obs.obs.provisioning.profiles import make_profile
from pypac_obs.obs.provisioning.step import Change, Path, Step, When

__all__ = [
    "MakeCollection",
    "MakeProfile",
    "RemoveCollection",
    "RemoveProfile",
    "UseCollection",
    "UseProfile",
]


@dataclass(frozen=True)
class _Using(Step):
    """Has OBS use another one than ``before``, which is noted as the user's at ``user_at``.

    What is noted there already stays, unless it ``replaces`` that.
    """

    name: str
    before: str = ""
    replaces: bool = False
    when = When.STOPPED
    user_at = ""

    @property
    def changes(self) -> tuple[Change, ...]:
        if not self.before:
            return ()
        return (Change("in use", f'"{self.before}"', f'"{self.name}"'),)

    @property
    def notes(self) -> tuple[Entry, ...]:
        return (Entry((self.user_at,), self.before, replace=self.replaces),)


@dataclass(frozen=True)
class _UsingCollection(_Using):
    user_at = "user_collection"

    @property
    def subject(self) -> str:
        return f'scene collection "{self.name}"'


@dataclass(frozen=True)
class UseCollection(_UsingCollection):
    """Loads a scene collection that is there."""

    sign = "~"

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        data = {"sceneCollectionName": self.name}
        return request_slow(obs, Request("SetCurrentSceneCollection", data))


@dataclass(frozen=True)
class MakeCollection(_UsingCollection):
    """Makes a scene collection of ours, which OBS loads. Undone by `RemoveCollection`."""

    sign = "+"

    @property
    def notes(self) -> tuple[Entry, ...]:
        return (*super().notes, Entry(("made_collections", self.name), True))

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        data = {"sceneCollectionName": self.name}
        return request_slow(obs, Request("CreateSceneCollection", data))


@dataclass(frozen=True)
class RemoveCollection(Step):
    """Removes a scene collection that OBS does not use, by its ``file``: no request does."""

    name: str
    file: FilePath
    sign = "-"

    @property
    def subject(self) -> str:
        return f'scene collection "{self.name}"'

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        """Raises OSError."""
        self.file.unlink(missing_ok=True)
        self.file.with_name(self.file.name + ".bak").unlink(missing_ok=True)
        return {}


@dataclass(frozen=True)
class _UsingProfile(_Using):
    user_at = "user_profile"

    @property
    def subject(self) -> str:
        return f'OBS profile "{self.name}"'


@dataclass(frozen=True)
class UseProfile(_UsingProfile):
    """Loads an OBS profile that is there."""

    sign = "~"

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return request_slow(obs, Request("SetCurrentProfile", {"profileName": self.name}))


@dataclass(frozen=True)
class MakeProfile(_UsingProfile):
    """Makes an OBS profile of ours, which OBS loads. Undone by `RemoveProfile`.

    ``audio`` is what the user's has set of the audio; None where a first attempt has noted it.
    """

    audio: Mapping[str, str] | None = None
    sign = "+"

    @property
    def changes(self) -> tuple[Change, ...]:
        copied = Change("video, audio, folders, formats and stream", "", "as in yours")
        return (*super().changes, copied)

    @property
    def notes(self) -> tuple[Entry, ...]:
        making: tuple[Entry, ...] = ()
        if self.audio is not None:
            making = (
                Entry(("making_profile",), self.name, replace=True),
                Entry(("making_audio",), dict(self.audio), replace=True),
            )
        return (
            *super().notes,
            Entry(("made_profiles", self.name), True),
            *making,
            reload_pending(self.name),
        )

    @property
    def settled(self) -> tuple[Path, ...]:
        return (("making_profile",),)

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        make_profile(obs, self.name, journal)
        return {}


@dataclass(frozen=True)
class RemoveProfile(Step):
    """Removes an OBS profile that is not in use."""

    name: str
    sign = "-"

    @property
    def subject(self) -> str:
        return f'OBS profile "{self.name}"'

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return request_slow(obs, Request("RemoveProfile", {"profileName": self.name}))
