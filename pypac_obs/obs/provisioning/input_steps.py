# SPDX-License-Identifier: MIT
"""Steps about inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.provisioning.input_notes import InputNotes, MadeInput
from pypac_obs.obs.provisioning.input_values import InputValue, ValueChange
from pypac_obs.obs.provisioning.journal import Entry, Journal
from pypac_obs.obs.provisioning.removal import remove_input
from pypac_obs.obs.provisioning.step import Change, Path, Step

__all__ = ["ChangeInput", "MakeInput", "PutBackInput", "RemoveInput"]


@dataclass(frozen=True)
class MakeInput(Step):
    """Makes the input of a track, in one or more scenes. Undone by `RemoveInput`."""

    made: MadeInput
    values: tuple[InputValue, ...]
    scenes: tuple[str, ...]
    sign = "+"

    @property
    def subject(self) -> str:
        return f'input "{self.made.name}"'

    @property
    def changes(self) -> tuple[Change, ...]:
        scenes = "scene" if len(self.scenes) == 1 else "scenes"
        return (
            Change("kind", "", self.made.kind),
            *(Change(value.label, "", value.words) for value in self.values),
            Change(scenes, "", ", ".join(self.scenes)),
        )

    @property
    def notes(self) -> tuple[Entry, ...]:
        items = (Entry(self.made.item_path(scene), None, replace=True) for scene in self.scenes)
        return (self.made.entry, *items)

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        # It is shown last: it is heard only where it belongs.
        return obs.request(
            "CreateInput",
            sceneName=self.scenes[0],
            inputName=self.made.name,
            inputKind=self.made.kind,
            inputSettings=dict(self.made.settings),
            sceneItemEnabled=False,
        )

    def finish(self, obs: Obs, journal: Journal, answer: Mapping[str, Any]) -> None:
        entries = self.made.item_made(self.scenes[0], answer)
        if isinstance(uuid := answer.get("inputUuid"), str):
            entries += (replace(self.made, uuid=uuid).entry,)
        journal.write(*entries)
        _set(obs, self.made.name, self.values)
        obs.request(
            "SetSceneItemEnabled",
            sceneName=self.scenes[0],
            sceneItemId=answer.get("sceneItemId"),
            sceneItemEnabled=True,
        )
        for scene in self.scenes[1:]:
            more = obs.request(
                "CreateSceneItem",
                sceneName=scene,
                sourceName=self.made.name,
                sceneItemEnabled=True,
            )
            journal.write(*self.made.item_made(scene, more))


@dataclass(frozen=True)
class ChangeInput(Step):
    """Sets values of an input that is there, which goes by ``name`` now.

    ``also`` is what else a user may call it. One of the user's is undone by `PutBackInput`.
    """

    name: str
    values: tuple[ValueChange, ...]
    known_as: InputNotes
    also: str = ""
    sign = "~"

    @property
    def subject(self) -> str:
        return f'input "{self.name}"' + (f" ({self.also})" if self.also else "")

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(value.change for value in self.values)

    @property
    def notes(self) -> tuple[Entry, ...]:
        return self.known_as.before_values(value.before for value in self.values)

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return _set(obs, self.name, (value.after for value in self.values))


@dataclass(frozen=True)
class PutBackInput(Step):
    """Sets an input of the user's to what the journal has of it."""

    name: str
    values: tuple[InputValue, ...]
    sign = "~"

    @property
    def subject(self) -> str:
        return f'input "{self.name}"'

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        return _set(obs, self.name, self.values)


@dataclass(frozen=True)
class RemoveInput(Step):
    """Removes an input that we made; ``noted_at`` is where the journal has it."""

    name: str
    noted_at: tuple[Path, ...] = ()
    sign = "-"

    @property
    def subject(self) -> str:
        return f'input "{self.name}"'

    @property
    def settled(self) -> tuple[Path, ...]:
        return self.noted_at

    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        remove_input(obs, self.name)
        return {}


def _set(obs: Obs, name: str, values: Iterable[InputValue]) -> Mapping[str, Any]:
    for value in values:
        request = value.request(name)
        obs.request(request.kind, **request.data)
    return {}
