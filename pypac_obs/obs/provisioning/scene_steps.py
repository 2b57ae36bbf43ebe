# SPDX-License-Identifier: MIT
"""Steps about scenes, and about what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.provisioning.input_notes import InputNotes, UsersInput
from pypac_obs.obs.provisioning.journal import Entry, Journal
from pypac_obs.obs.provisioning.step import Change, Path, Step

__all__ = ["AddItem", "HideItem", "MakeScene", "RemoveItem", "RemoveScene", "ShowItem"]


@dataclass(frozen=True)
class MakeScene(Step):
    """Makes a scene; it is on air at once where ``goes_on_air``. Undone by `RemoveScene`."""

    collection: str
    scene: str
    goes_on_air: bool
    sign = "+"

    @property
    def subject(self) -> str:
        return f'scene "{self.scene}"'

    @property
    def notes(self) -> tuple[Entry, ...]:
        return (Entry(("collections", self.collection, "made_scenes", self.scene), True),)

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return obs.request("CreateScene", sceneName=self.scene)

    def finish(self, obs: Obs, journal: Journal, answer: Mapping[str, Any]) -> None:
        if self.goes_on_air:
            obs.request("SetCurrentProgramScene", sceneName=self.scene)


@dataclass(frozen=True)
class RemoveScene(Step):
    """Removes a scene."""

    scene: str
    sign = "-"

    @property
    def subject(self) -> str:
        return f'scene "{self.scene}"'

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return obs.request("RemoveScene", sceneName=self.scene)


@dataclass(frozen=True)
class _ItemStep(Step):
    """About an input in a scene."""

    source: str
    scene: str

    @property
    def subject(self) -> str:
        return f'input "{self.source}" in the scene "{self.scene}"'


@dataclass(frozen=True)
class AddItem(_ItemStep):
    """Puts an input into a scene. Undone by `RemoveItem`.

    Where the user ``had_hidden`` an item of his there, that is what stays noted: undone by
    `HideItem`.
    """

    known_as: InputNotes
    had_hidden: bool
    sign = "+"

    @property
    def notes(self) -> tuple[Entry, ...]:
        item = Entry(self.known_as.item_path(self.scene), None, replace=not self.had_hidden)
        return (item, *self.known_as.before_items())

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return obs.request(
            "CreateSceneItem", sceneName=self.scene, sourceName=self.source, sceneItemEnabled=True
        )

    def finish(self, obs: Obs, journal: Journal, answer: Mapping[str, Any]) -> None:
        if not self.had_hidden:
            journal.write(*self.known_as.item_made(self.scene, answer))


@dataclass(frozen=True)
class _ItemOfId(_ItemStep):
    """About one that is there; ``within`` is its scene, or the group of the scene that has it."""

    within: str
    id: int


@dataclass(frozen=True)
class ShowItem(_ItemOfId):
    """Shows an input that is hidden in a scene. One of the ``users`` is undone by `HideItem`."""

    users: UsersInput | None
    sign = "~"

    @property
    def changes(self) -> tuple[Change, ...]:
        return (Change("visible", "no", "yes"),)

    @property
    def notes(self) -> tuple[Entry, ...]:
        if self.users is None:
            return ()
        return (Entry(self.users.item_path(self.scene), False), *self.users.before_items())

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return obs.request(
            "SetSceneItemEnabled",
            sceneName=self.within,
            sceneItemId=self.id,
            sceneItemEnabled=True,
        )


@dataclass(frozen=True)
class HideItem(_ItemOfId):
    """Hides an input in a scene."""

    sign = "~"

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return obs.request(
            "SetSceneItemEnabled",
            sceneName=self.within,
            sceneItemId=self.id,
            sceneItemEnabled=False,
        )


@dataclass(frozen=True)
class RemoveItem(_ItemOfId):
    """Takes an input out of a scene; ``noted_at`` is where the journal has that it is ours."""

    noted_at: Path | None = None
    sign = "-"

    @property
    def settled(self) -> tuple[Path, ...]:
        return () if self.noted_at is None else (self.noted_at,)

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return obs.request("RemoveSceneItem", sceneName=self.within, sceneItemId=self.id)
