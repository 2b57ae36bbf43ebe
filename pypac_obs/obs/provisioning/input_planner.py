# SPDX-License-Identifier: MIT
"""Which steps bring the input of one track to what a profile says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pypac_obs.obs.client.actual import Actual, ActualInput, SceneItem
from pypac_obs.obs.client.status import TRACK_KIND
from pypac_obs.obs.provisioning.desired import DesiredInput
from pypac_obs.obs.provisioning.input_notes import InputNotes, MadeInput, UsersInput
from pypac_obs.obs.provisioning.input_steps import ChangeInput, MakeInput
from pypac_obs.obs.provisioning.input_values import (
    NO_MONITORING,
    Name,
    Tracks,
    ValueChange,
    differences,
)
from pypac_obs.obs.provisioning.made_inputs import find_made, made_sources, mapping_in
from pypac_obs.obs.provisioning.renames import input_marks
from pypac_obs.obs.provisioning.scene_steps import AddItem, RemoveItem, ShowItem
from pypac_obs.obs.provisioning.scenes import WantedScenes
from pypac_obs.obs.provisioning.step import Step

__all__ = ["InputPlanner"]


class InputPlanner:
    """Plans for one track after the other; what is in the way is in `conflicts`.

    ``noted`` is what the journal has of the scene collection, ``made`` what it has of the inputs
    that we made in it, by track.
    """

    def __init__(
        self,
        actual: Actual,
        noted: Mapping[str, Any],
        made: Mapping[str, Mapping[str, Any]],
        wanted: WantedScenes,
    ) -> None:
        self.conflicts: list[str] = []
        self._actual = actual
        self._noted = noted
        self._made = made
        self._wanted = wanted

    def steps(self, wanted: DesiredInput) -> Iterator[Step]:
        """Gives the steps about the input of one track."""
        found = self._find(wanted)
        if isinstance(found, str):
            self.conflicts.append(found)
            return
        if found is None:
            yield self._new(wanted)
            return
        known_as = self._known_as(wanted, found)
        if found.name != wanted.name:
            renamed = ValueChange(Name(found.name), Name(wanted.name))
            yield ChangeInput(found.name, (renamed,), known_as)
        if values := tuple(differences(wanted, found)):
            yield ChangeInput(wanted.name, values, known_as)
        yield from self._shown(wanted, found, known_as)
        yield from self._superfluous(wanted, found, known_as)

    def _find(self, wanted: DesiredInput) -> ActualInput | str | None:
        """Finds the input of a track, also under another name; a text says what is in the way."""
        inputs = self._actual.inputs
        made = self._made.get(wanted.track, {})
        named = inputs.get(wanted.name)
        if named is not None and wanted.rule.fits(named.kind, named.settings):
            return named
        found = find_made(made, inputs, made_sources(self._noted, wanted.track, self._actual))
        if found is not None and found.kind == wanted.rule.kind and named in (None, found):
            return found
        fitting = [
            item
            for item in inputs.values()
            if wanted.rule.names_us
            and wanted.rule.fits(item.kind, item.settings)
            and item.name != wanted.name
        ]
        if named is None:
            if wanted.name in self._actual.scenes:
                return (
                    f'The input "{wanted.name}" cannot be made: a scene of OBS has that name. '
                    f"Give the track another `name` in outputs.obs.tracks."
                )
            return fitting[0] if fitting else None
        if named.kind == wanted.rule.kind == TRACK_KIND:
            session = named.settings.get("session", "")
            if session in ("", wanted.rule.settings["session"]) and not fitting:
                return named
            other = f'is of the session "{session}"'
        elif named.kind == wanted.rule.kind:
            other = "takes something else"
        else:
            other = f"is of another kind ({named.kind})"
        return (
            f'The input "{wanted.name}" of OBS {other}, so it is left alone. Give the track '
            "another `name` in outputs.obs.tracks, or rename the input in OBS."
        )

    def _made_input(self, wanted: DesiredInput) -> MadeInput:
        uuid = self._made.get(wanted.track, {}).get("uuid")
        return MadeInput(
            self._actual.collection,
            wanted.track,
            wanted.name,
            wanted.rule.kind,
            dict(wanted.rule.settings),
            uuid or "",
        )

    def _known_as(self, wanted: DesiredInput, found: ActualInput) -> InputNotes:
        if wanted.track in self._made:
            return self._made_input(wanted)
        marks = input_marks(found, self._actual.special, wanted.rule)
        return UsersInput(self._actual.collection, wanted.name, marks)

    def _new(self, wanted: DesiredInput) -> Step:
        fresh = ActualInput(
            wanted.name,
            wanted.rule.kind,
            "",
            wanted.rule.settings,
            wanted.obs_tracks,
            monitor=NO_MONITORING,
        )
        others = (value.after for value in differences(wanted, fresh))
        values = (Tracks(wanted.obs_tracks), *others)
        return MakeInput(self._made_input(wanted), values, self._wanted.own)

    def _shown(
        self, wanted: DesiredInput, found: ActualInput, known_as: InputNotes
    ) -> Iterator[Step]:
        """Has the input in each scene that is to have it, and visible there."""
        for scene in self._wanted.own:
            items = self._items(scene, found)
            users = known_as if isinstance(known_as, UsersInput) else None
            if not items:
                had_hidden = users is not None and self._noted_item(known_as, scene) is False
                yield AddItem(wanted.name, scene, known_as, had_hidden)
            elif not any(item.enabled for item in items):
                item = items[0]
                yield ShowItem(wanted.name, scene, item.group or scene, item.id, users)

    def _superfluous(
        self, wanted: DesiredInput, found: ActualInput, known_as: InputNotes
    ) -> Iterator[Step]:
        """Items that we made in scenes which are not to have them any more."""
        section = "made_items" if isinstance(known_as, MadeInput) else "items"
        for scene in mapping_in(self._noted, section):
            noted = self._noted_item(known_as, scene)
            if noted is None or noted is False:
                continue
            items = self._items(scene, found)
            others = [item for item in items if item.enabled and (item.id != noted or item.group)]
            if scene in self._wanted.own and not others:
                continue
            for item in items:
                if item.id == noted and not item.group:
                    at = known_as.item_path(scene)
                    yield RemoveItem(wanted.name, scene, scene, item.id, at)
                    break

    def _items(self, scene: str, found: ActualInput) -> list[SceneItem]:
        return [item for item in self._actual.items.get(scene, ()) if item.source == found.name]

    def _noted_item(self, known_as: InputNotes, scene: str) -> object:
        """The id of the item that we made; False for one of the user's that he had hidden."""
        *_, section, _scene, key = known_as.item_path(scene)
        return mapping_in(mapping_in(self._noted, section), scene).get(key)
