# SPDX-License-Identifier: MIT
"""What a profile may say of an input in OBS, a type for each, and what of it differs.

Each value knows the request that sets it, its words, and how the journal has it: so that what was
there before is put back by the same type that changed it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pypac_obs.obs.client.actual import OBS_TRACKS, ActualInput
from pypac_obs.obs.client.requests import Request
from pypac_obs.obs.provisioning.desired import DesiredInput
from pypac_obs.obs.provisioning.step import Change

__all__ = [
    "NO_MONITORING",
    "InputValue",
    "Muted",
    "Name",
    "Tracks",
    "ValueChange",
    "differences",
    "noted_values",
    "shown_numbers",
]

_MONITOR = {
    "none": "OBS_MONITORING_TYPE_NONE",
    "monitor_only": "OBS_MONITORING_TYPE_MONITOR_ONLY",
    "monitor_and_output": "OBS_MONITORING_TYPE_MONITOR_AND_OUTPUT",
}
_MONITOR_WORDS = {value: words for words, value in _MONITOR.items()}
NO_MONITORING = _MONITOR["none"]
# Volumes closer than this are the same: OBS keeps them as factors of single precision.
_SAME_DB = 0.05
_SILENT = 1e-5  # the factor that is shown for silence


class InputValue(ABC):
    """One value of an input; ``key`` is where the journal has it, ``label`` what users call it."""

    key: ClassVar[str]
    label: ClassVar[str]

    @property
    @abstractmethod
    def words(self) -> str:
        """The value in words."""

    @property
    @abstractmethod
    def noted(self) -> Any:
        """The value as the journal has it."""

    @abstractmethod
    def request(self, name: str) -> Request:
        """Sets it, for the input that goes by a name now."""


@dataclass(frozen=True)
class Takes(InputValue):
    """What an input takes: some of its settings; None for what is to be OBS's default."""

    settings: Mapping[str, Any]
    key = "settings"
    label = "takes"

    @property
    def words(self) -> str:
        words = [f"{key} {value}" for key, value in self.settings.items() if value is not None]
        return ", ".join(words) or "nothing"

    @property
    def noted(self) -> dict[str, Any]:
        return dict(self.settings)

    def request(self, name: str) -> Request:
        data = {"inputName": name, "inputSettings": dict(self.settings)}
        return Request("SetInputSettings", data)


@dataclass(frozen=True)
class Tracks(InputValue):
    """The OBS tracks that an input is on."""

    numbers: frozenset[int]
    key = "tracks"
    label = "OBS tracks"

    @property
    def words(self) -> str:
        return shown_numbers(self.numbers)

    @property
    def noted(self) -> list[int]:
        return sorted(self.numbers)

    def request(self, name: str) -> Request:
        tracks = {str(number): number in self.numbers for number in OBS_TRACKS}
        return Request("SetInputAudioTracks", {"inputName": name, "inputAudioTracks": tracks})


@dataclass(frozen=True)
class Volume(InputValue):
    """The fader; ``factor`` is more exact, where it is known."""

    db: float
    factor: float | None = None
    key = "volume_factor"
    label = "volume"

    @classmethod
    def of_factor(cls, factor: float) -> Volume:
        return cls(20 * math.log10(max(factor, _SILENT)), factor)

    @property
    def words(self) -> str:
        return f"{self.db:.1f} dB"

    @property
    def noted(self) -> float | None:
        return self.factor

    def request(self, name: str) -> Request:
        exact = self.factor is not None
        volume = {"inputVolumeMul": self.factor} if exact else {"inputVolumeDb": self.db}
        return Request("SetInputVolume", {"inputName": name, **volume})


@dataclass(frozen=True)
class Muted(InputValue):
    """Whether an input is muted."""

    on: bool
    key = "muted"
    label = "muted"

    @property
    def words(self) -> str:
        return "yes" if self.on else "no"

    @property
    def noted(self) -> bool:
        return self.on

    def request(self, name: str) -> Request:
        return Request("SetInputMute", {"inputName": name, "inputMuted": self.on})


@dataclass(frozen=True)
class Monitoring(InputValue):
    """Whether an input is monitored, by obs-websocket's name."""

    kind: str
    key = "monitor"
    label = "monitoring"

    @property
    def words(self) -> str:
        return _MONITOR_WORDS.get(self.kind, self.kind)

    @property
    def noted(self) -> str:
        return self.kind

    def request(self, name: str) -> Request:
        return Request("SetInputAudioMonitorType", {"inputName": name, "monitorType": self.kind})


@dataclass(frozen=True)
class SyncOffset(InputValue):
    """By how much OBS delays an input."""

    ms: int
    key = "sync_offset_ms"
    label = "sync offset"

    @property
    def words(self) -> str:
        return f"{self.ms} ms"

    @property
    def noted(self) -> int:
        return self.ms

    def request(self, name: str) -> Request:
        data = {"inputName": name, "inputAudioSyncOffset": self.ms}
        return Request("SetInputAudioSyncOffset", data)


@dataclass(frozen=True)
class Name(InputValue):
    """An input's name."""

    name: str
    key = "name"
    label = "name"

    @property
    def words(self) -> str:
        return f'"{self.name}"'

    @property
    def noted(self) -> str:
        return self.name

    def request(self, name: str) -> Request:
        return Request("SetInputName", {"inputName": name, "newInputName": self.name})


# How each is read from the journal. The name comes last: until then the input has the other one.
_FROM_NOTE: dict[str, Callable[[Any], InputValue]] = {
    Takes.key: lambda value: Takes(dict(value)),
    Tracks.key: lambda value: Tracks(frozenset(value)),
    Volume.key: Volume.of_factor,
    Muted.key: Muted,
    Monitoring.key: Monitoring,
    SyncOffset.key: SyncOffset,
    Name.key: Name,
}


def noted_values(noted: Mapping[str, Any]) -> list[InputValue]:
    """Reads what the journal has of an input of the user's, in the order in which it is put back.

    Raises TypeError or ValueError where it cannot be that.
    """
    return [make(noted[key]) for key, make in _FROM_NOTE.items() if key in noted]


@dataclass(frozen=True)
class ValueChange:
    """A value as it is, and as it is to be."""

    before: InputValue
    after: InputValue

    @property
    def change(self) -> Change:
        """The change in words."""
        return Change(self.after.label, self.before.words, self.after.words)


def differences(wanted: DesiredInput, found: ActualInput) -> Iterator[ValueChange]:
    """Says what differs of what the profile says of an input."""
    if not wanted.rule.fits(found.kind, found.settings):
        own = {key: found.settings.get(key) for key in wanted.rule.settings}
        yield ValueChange(Takes(own), Takes(dict(wanted.rule.settings)))
    if found.obs_tracks != wanted.obs_tracks:
        yield ValueChange(Tracks(found.obs_tracks or frozenset()), Tracks(wanted.obs_tracks))
    if wanted.volume_db is not None and abs(wanted.volume_db - found.volume_db) > _SAME_DB:
        before = Volume(found.volume_db, found.volume_factor)
        yield ValueChange(before, Volume(wanted.volume_db))
    if wanted.muted is not None and wanted.muted != found.muted:
        yield ValueChange(Muted(found.muted), Muted(wanted.muted))
    if wanted.monitor is not None and _MONITOR[wanted.monitor] != found.monitor:
        yield ValueChange(Monitoring(found.monitor), Monitoring(_MONITOR[wanted.monitor]))
    if wanted.sync_offset_ms is not None and wanted.sync_offset_ms != found.sync_offset_ms:
        yield ValueChange(SyncOffset(found.sync_offset_ms), SyncOffset(wanted.sync_offset_ms))


def shown_numbers(tracks: Iterable[int]) -> str:
    """OBS tracks in words."""
    return ", ".join(map(str, sorted(tracks))) or "none"
