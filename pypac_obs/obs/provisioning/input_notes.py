# SPDX-License-Identifier: MIT
"""How the journal has an input: as one that we made, or as one of the user's that we changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pypac_obs.obs.provisioning.input_values import InputValue
from pypac_obs.obs.provisioning.journal import Entry
from pypac_obs.obs.provisioning.renames import KNOWN_BY
from pypac_obs.obs.provisioning.step import Path

__all__ = ["InputNotes", "MadeInput", "UsersInput"]


class _WithItems(ABC):
    @abstractmethod
    def item_path(self, scene: str) -> Path:
        """Where the journal has the item that we made of it in a scene."""

    def item_made(self, scene: str, answer: Mapping[str, Any]) -> tuple[Entry, ...]:
        """What is noted of the item that OBS says it has made: its id, where OBS tells one."""
        number = answer.get("sceneItemId")
        if not isinstance(number, int) or isinstance(number, bool):
            return ()
        return (Entry(self.item_path(scene), number, replace=True),)


@dataclass(frozen=True)
class MadeInput(_WithItems):
    """One that we made for a track. It is undone by removing it, whatever was changed since."""

    collection: str
    track: str
    name: str
    kind: str
    settings: Mapping[str, Any]
    uuid: str = ""

    @property
    def path(self) -> Path:
        """Where the journal has it."""
        return ("collections", self.collection, "made_inputs", self.track)

    @property
    def entry(self) -> Entry:
        """What the journal has of it."""
        made = {"name": self.name, "kind": self.kind, "settings": dict(self.settings)}
        if self.uuid:
            made["uuid"] = self.uuid
        return Entry(self.path, made, replace=True)

    def before_values(self, values: Iterable[InputValue]) -> tuple[Entry, ...]:
        """What is noted before its values are changed."""
        return (self.entry,)

    def before_items(self) -> tuple[Entry, ...]:
        """What is noted of it before it is put into scenes."""
        return ()

    def item_path(self, scene: str) -> Path:
        return ("collections", self.collection, "made_items", scene, self.track)


@dataclass(frozen=True)
class UsersInput(_WithItems):
    """One of the user's; ``marks`` are what it is known by where he renames it."""

    collection: str
    name: str
    marks: Mapping[str, Any] = field(default_factory=dict)

    def before_values(self, values: Iterable[InputValue]) -> tuple[Entry, ...]:
        """What is noted before its values are changed: what they were."""
        kept = (Entry(self._at(value.key), value.noted) for value in values)
        return (self._known_by, *kept)

    def before_items(self) -> tuple[Entry, ...]:
        """What is noted of it before it is put into scenes."""
        return (self._known_by,)

    def item_path(self, scene: str) -> Path:
        return ("collections", self.collection, "items", scene, self.name)

    @property
    def _known_by(self) -> Entry:
        return Entry(self._at(KNOWN_BY), dict(self.marks), replace=True)

    def _at(self, key: str) -> Path:
        return ("collections", self.collection, "inputs", self.name, key)


InputNotes = MadeInput | UsersInput
