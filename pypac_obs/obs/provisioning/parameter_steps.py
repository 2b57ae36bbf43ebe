# SPDX-License-Identifier: MIT
"""Steps about what is set in an OBS profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.actual import Obs, Parameter, ParameterValue, masked_tracks
from pypac_obs.obs.provisioning.desired import (
    MODE,
    RECORDED,
    RECORDING_NAMES,
    RECORDING_TYPE,
    VOD,
    VOD_TRACK,
)
from pypac_obs.obs.provisioning.input_values import shown_numbers
from pypac_obs.obs.provisioning.journal import Entry, Journal
from pypac_obs.obs.provisioning.profiles import reload_profile, set_parameter, set_parameters
from pypac_obs.obs.provisioning.removal import NOT_FOUND
from pypac_obs.obs.provisioning.step import Change, Path, Step, When

__all__ = [
    "ParameterChange",
    "PutBackParameter",
    "ReloadProfile",
    "SetParameters",
    "reload_pending",
]

# Marks a setting in the journal of which it is not known yet whether the user has set it.
_UNSURE = "equals the default"

_WORDS = {
    MODE: "output mode",
    RECORDED: "recorded tracks",
    RECORDING_TYPE: "recording type",
    VOD: "VOD track",
    VOD_TRACK: "VOD track's number",
    ("AdvOut", "RecFilePath"): "recording folder",
    ("AdvOut", "RecFormat"): "recording format",
    ("AdvOut", "RecFormat2"): "recording format",
} | {parameter: f"name of track {n}" for n, parameter in RECORDING_NAMES.items()}


def reload_pending(profile: str) -> Entry:
    """Notes that settings of an OBS profile are not in effect yet; reloading it settles that."""
    return Entry(("reload_pending",), profile, replace=True)


@dataclass(frozen=True)
class ReloadProfile(Step):
    """Loads the OBS profile in use again: only then its settings take effect."""

    name: str
    why: str = ""
    sign = "~"
    when = When.RELOAD

    @property
    def subject(self) -> str:
        return f'OBS profile "{self.name}"'

    @property
    def changes(self) -> tuple[Change, ...]:
        return (Change("load it again", "", self.why),) if self.why else ()

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        reload_profile(obs, journal)
        return {}


@dataclass(frozen=True)
class ParameterChange:
    """A setting of an OBS profile as it is, and as it is to be."""

    parameter: Parameter
    before: ParameterValue
    after: str

    @property
    def change(self) -> Change:
        """The change in words."""
        what = _WORDS.get(self.parameter, "/".join(self.parameter))
        before = self.before.value or self.before.default or ""
        return Change(what, _shown(self.parameter, before), _shown(self.parameter, self.after))

    @property
    def is_unsure(self) -> bool:
        """OBS does not tell what is set to the default from what is not set."""
        return self.before.value is not None and self.before.value == self.before.default

    def notes(self, profile: str) -> tuple[Entry, ...]:
        """What is noted before: what the user has, and what we set."""
        before: Any = {_UNSURE: self.before.value} if self.is_unsure else self.before.value
        key = "/".join(self.parameter)
        return (
            Entry(self.noted_at(profile), before),
            Entry(("set_parameters", profile, key), self.after, replace=True),
        )

    def noted_at(self, profile: str) -> Path:
        """Where the journal has what the user has."""
        return ("parameters", profile, "/".join(self.parameter))


@dataclass(frozen=True)
class SetParameters(Step):
    """Sets what is in the OBS profile in use, and loads it again.

    Unless ``is_ours`` it is undone by a `PutBackParameter` for each, and a `ReloadProfile`.
    """

    profile: str
    parameters: tuple[ParameterChange, ...]
    is_ours: bool
    sign = "~"
    when = When.RELOAD

    @property
    def subject(self) -> str:
        return f'OBS profile "{self.profile}"'

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(one.change for one in self.parameters)

    @property
    def notes(self) -> tuple[Entry, ...]:
        kept = () if self.is_ours else self.parameters
        entries = (entry for one in kept for entry in one.notes(self.profile))
        return (*entries, reload_pending(self.profile))

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        if not self.is_ours:
            self._note_unset(obs, journal)
        set_parameters(obs, {one.parameter: one.after for one in self.parameters})
        reload_profile(obs, journal)
        return {}

    def _note_unset(self, obs: Obs, journal: Journal) -> None:
        """Finds out which the user has not set at all: they equal the default either way."""
        noted = journal.read()["parameters"][self.profile]
        for one in self.parameters:
            value = noted["/".join(one.parameter)]
            if not isinstance(value, Mapping):
                continue
            at = one.noted_at(self.profile)
            if _is_unset(obs, one.parameter):
                journal.write(Entry(at, None, replace=True))
            else:
                journal.write(Entry(at, value[_UNSURE], replace=True))


@dataclass(frozen=True)
class PutBackParameter(Step):
    """Sets one setting of the OBS profile in use to what the journal has of it."""

    profile: str
    parameter: Parameter
    noted: Any
    sign = "~"
    when = When.RELOAD

    @property
    def subject(self) -> str:
        return f'OBS profile "{self.profile}"'

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        if isinstance(self.noted, Mapping):  # we have not come to change it
            if not _is_unset(obs, self.parameter):
                set_parameter(obs, self.parameter, self.noted[_UNSURE])
        elif self.noted is not None:
            set_parameter(obs, self.parameter, self.noted)
        else:
            _is_unset(obs, self.parameter)
        return {}


def _is_unset(obs: Obs, parameter: Parameter) -> bool:
    """Takes a setting out of the OBS profile in use, and tells whether it was not there."""
    try:
        set_parameter(obs, parameter, None)
    except ObsRefused as refusal:
        if refusal.code != NOT_FOUND:
            raise
        return True
    return False


def _shown(parameter: Parameter, value: str) -> str:
    if parameter == RECORDED:
        return shown_numbers(masked_tracks(value))
    if parameter == VOD:
        return "on" if value == "true" else "off"
    return value or "none"
