# SPDX-License-Identifier: MIT
"""Puts an OBS back to what it was before a profile was applied, by what the journal says."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pypac_obs.errors import ObsError, ObsRefused
from pypac_obs.obs.client.actual import Actual, Obs, Parameter
from pypac_obs.obs.client.look import read_actual, read_items
from pypac_obs.obs.client.reading import read_collections, read_scenes
from pypac_obs.obs.client.settings import obs_folders
from pypac_obs.obs.provisioning.desired import PARAMETERS
from pypac_obs.obs.provisioning.identity import LOOPBACK, identity_in, identity_of, take_identity
from pypac_obs.obs.provisioning.input_steps import PutBackInput, RemoveInput
from pypac_obs.obs.provisioning.input_values import noted_values
from pypac_obs.obs.provisioning.journal import Journal, journals
from pypac_obs.obs.provisioning.made_inputs import find_made, made_sources, mapping_in
from pypac_obs.obs.provisioning.plan import Report
from pypac_obs.obs.provisioning.profile_restore import restore_profiles
from pypac_obs.obs.provisioning.profile_steps import RemoveCollection, UseCollection
from pypac_obs.obs.provisioning.profiles import finish_reloads
from pypac_obs.obs.provisioning.renames import KNOWN_BY, follow_names, input_name_now
from pypac_obs.obs.provisioning.scene_steps import HideItem, RemoveItem, RemoveScene
from pypac_obs.obs.provisioning.scenes import quoted
from pypac_obs.obs.provisioning.undoing import Undoing, if_renamed

__all__ = ["restore"]


def restore(
    obs: Obs,
    journal: Journal,
    *,
    forget: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Report:
    """Puts back what was in OBS before, and removes what we made and nothing else.

    What cannot be put back, for it has another name now, was removed, or OBS refuses it, is an
    error, and stays in the journal for the next time; with ``forget`` it is a note, and nothing
    stays. Raises ObsError, before anything is changed, where an output of OBS runs that would be
    in the way.
    """
    finish_reloads(obs, environ)
    try:
        report, left = _Restorer(obs, journal, journal.read(), environ).run()
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise journal.damaged(f"{type(error).__name__} in an entry") from error
    if forget:
        journal.delete()
    else:
        journal.keep(*left)
    if not journals(identity_of(obs), environ):
        take_identity(obs)
    if not forget:
        return report
    given_up = tuple(f"Given up: {sentence}" for sentence in report.errors)
    return replace(report, errors=(), notes=(*report.notes, *given_up))


class _Restorer:
    def __init__(
        self, obs: Obs, journal: Journal, noted: Mapping[str, Any], environ: Mapping[str, str]
    ) -> None:
        self._obs = obs
        self._journal = journal
        self._noted = noted
        self._environ = environ
        self._undoing = Undoing(obs, journal)
        self._others: dict[str, str] = {}  # what is not ours in a scene collection that we made

    def run(self) -> tuple[Report, list[tuple[str, ...]]]:
        """Puts all back that can be; gives the entries that could not be as well."""
        actual = self._look(PARAMETERS)
        self._refuse_while_running(actual)
        collections = mapping_in(self._noted, "collections")
        made = mapping_in(self._noted, "made_collections")
        for name in made:
            if name in actual.collections:
                self._go_to_collection(name)
                self._look_for_others(name, mapping_in(collections, name))
        for name in collections:
            if name in made and name not in self._others:
                continue  # it goes as a whole, or is gone
            if name not in actual.collections:
                self._undoing.leave(
                    f'The scene collection "{name}" is gone or has another name now, so nothing in '
                    f"it was put back. {if_renamed(name)}",
                    ("collections", name),
                )
                continue
            self._go_to_collection(name)
            self._collection(name)
        restore_profiles(self._undoing, self._noted, actual)
        self._leave_collections(actual)
        return self._undoing.report(), self._undoing.left

    def _look(self, parameters: Iterable[Parameter] = ()) -> Actual:
        """Looks at OBS; from then on the journal has the names that OBS has now."""
        actual = read_actual(self._obs, parameters)
        self._noted = follow_names(self._noted, actual)
        self._journal.change(lambda noted: follow_names(noted, actual))
        return actual

    def _refuse_while_running(self, actual: Actual) -> None:
        noted = self._noted
        elsewhere = set(mapping_in(noted, "collections")) & set(actual.collections)
        needs = [
            what
            for what, is_needed in (
                (
                    "your OBS profile is to be put back",
                    set(mapping_in(noted, "parameters")) & set(actual.profiles),
                ),
                (
                    "you are to get back to your OBS profile",
                    noted.get("made_profiles") or noted.get("user_profile"),
                ),
                (
                    "another scene collection is to be loaded",
                    elsewhere - {actual.collection} or noted.get("user_collection"),
                ),
            )
            if is_needed
        ]
        if actual.running and needs:
            raise ObsError(
                f"nothing was put back, as {_words(actual.running)} of OBS runs and {needs[0]}",
                remedy=f"Stop {_words(actual.running)}, then try again.",
            )

    # Scene collections ----------------------------------------------------------------------------

    def _go_to_collection(self, name: str) -> None:
        if read_collections(self._obs)[0] != name:
            self._undoing.begin(UseCollection(name))

    def _look_for_others(self, name: str, noted: Mapping[str, Any]) -> None:
        """Looks whether the user has put inputs of his own into the collection that is loaded."""
        actual = read_actual(self._obs, ())
        made = mapping_in(noted, "made_inputs")
        found = (
            find_made(one, actual.inputs, made_sources(noted, track, actual))
            for track, one in made.items()
            if isinstance(one, Mapping)
        )
        ours = {one.name for one in found if one is not None} | {*actual.desktop, *actual.mic}
        if others := [other for other in actual.inputs if other not in ours]:
            self._others[name] = others[0]

    def _collection(self, name: str) -> None:
        """Puts back what is in the scene collection in use."""
        actual = self._look()
        at = ("collections", name)
        noted = mapping_in(mapping_in(self._noted, "collections"), name)
        for scene, items in mapping_in(noted, "items").items():
            self._items(at, scene, items, actual)
        for track, made in mapping_in(noted, "made_inputs").items():
            if not isinstance(made, Mapping):
                continue
            found = find_made(made, actual.inputs, made_sources(noted, track, actual))
            if found is not None:
                step = RemoveInput(found.name)
                scenes = mapping_in(noted, "made_items")
                items = ((*at, "made_items", scene, track) for scene in scenes)
                if self._undoing.do(step, (*at, "made_inputs", track), *items):
                    inputs = {n: one for n, one in actual.inputs.items() if n != found.name}
                    actual = replace(actual, inputs=inputs)
        for input_name, values in mapping_in(noted, "inputs").items():
            self._input(at, input_name, values, actual)
        for scene in mapping_in(noted, "made_scenes"):
            self._scene(at, scene)

    def _items(
        self, at: tuple[str, ...], scene: str, items: Mapping[str, Any], actual: Actual
    ) -> None:
        if scene not in actual.items:
            self._undoing.leave(
                f'The scene "{scene}" is gone or has another name now, so it was not put back how '
                f"it showed {quoted(items)}. {if_renamed(scene)}",
                (*at, "items", scene),
                *((*at, "inputs", source, KNOWN_BY) for source in items),
            )
            return
        for source, before in items.items():
            there = [item for item in actual.items[scene] if item.source == source]
            is_made = before is not False
            if is_made and before is not None:  # we know its id
                there = [item for item in there if item.id == before and not item.group]
            if not there:
                continue
            item = there[0]
            undo = RemoveItem if is_made else HideItem
            step = undo(source, scene, item.group or scene, item.id)
            self._undoing.do(step, (*at, "items", scene, source), (*at, "inputs", source, KNOWN_BY))

    def _input(
        self, at: tuple[str, ...], name: str, values: Mapping[str, Any], actual: Actual
    ) -> None:
        noted = noted_values(values)
        if not noted:
            return
        here = (*at, "inputs", name)
        if input_name_now(name, mapping_in(values, KNOWN_BY), actual) is None:
            what = ", ".join(f"{value.label}: {value.words}" for value in noted)
            self._undoing.leave(
                f'The input "{name}" of the scene collection "{actual.collection}" is gone or has '
                f"another name now, so it was not put back ({what}). {if_renamed(name)}",
                here,
            )
            return
        put_back = []
        for value in noted:
            try:
                self._undoing.begin(PutBackInput(name, (value,)))
            except ObsRefused as refusal:
                self._undoing.leave(
                    f'OBS did not take back {value.label}: {value.words} of the input "{name}": '
                    f"{refusal.message}.",
                    (*here, value.key),
                    (*here, KNOWN_BY),
                )
            else:
                put_back.append(value)
        if put_back:
            self._undoing.done.append(PutBackInput(name, tuple(put_back)))

    def _scene(self, at: tuple[str, ...], scene: str) -> None:
        scenes = read_scenes(self._obs)
        if scene not in scenes:
            return
        if items := read_items(self._obs, [scene]).get(scene):
            self._undoing.notes.append(
                f'The scene "{scene}" stays: there is something else in it now ({items[0].source}).'
            )
        elif len(scenes) == 1:
            self._undoing.notes.append(f'The scene "{scene}" stays: OBS has no other.')
        else:
            self._undoing.do(RemoveScene(scene), (*at, "made_scenes", scene))

    def _leave_collections(self, actual: Actual) -> None:
        """Goes back to the user's scene collection, and removes those that we made."""
        names = read_collections(self._obs)[1]
        going = [
            name
            for name in mapping_in(self._noted, "made_collections")
            if name in names and name not in self._others
        ]
        before = self._noted.get("user_collection")
        staying = [name for name in (before, actual.collection, *names) if name in names]
        staying = [name for name in staying if name not in going]
        if not staying:
            self._undoing.notes.append(f"{quoted(going)} stays: OBS has no other scene collection.")
            return
        self._go_to_collection(staying[0])
        for name, other in self._others.items():
            self._undoing.notes.append(
                f'The scene collection "{name}" stays: there is something else in it now ({other}).'
            )
        for name in going:
            file = self._collection_file(name)
            if file is None:
                self._undoing.notes.append(
                    f'The scene collection "{name}" is ours and is left: OBS has no way to remove '
                    "one from outside. In OBS: Scene Collection > Remove."
                )
                continue
            step = RemoveCollection(name, file)
            try:
                self._undoing.begin(step)
            except OSError as error:
                self._undoing.leave(
                    f'The scene collection "{name}" was not removed: {error}.',
                    ("made_collections", name),
                    ("collections", name),
                )
                continue
            self._undoing.done.append(step)

    def _collection_file(self, name: str) -> Path | None:
        """The file of a scene collection, where OBS runs on this computer."""
        if self._obs.address.host.lower() not in LOOPBACK:
            return None
        found = []
        identity = identity_of(self._obs)
        for folder in obs_folders(self._environ):
            if identity_in(folder) != identity:
                continue  # of another OBS, which may have one of that name, too
            for file in (folder.config / "basic" / "scenes").glob("*.json"):
                with contextlib.suppress(OSError, ValueError, RecursionError):
                    data = json.loads(file.read_bytes())
                    if isinstance(data, dict) and data.get("name") == name:
                        found.append(file)
        return found[0] if len(found) == 1 else None


def _words(running: tuple[str, ...]) -> str:
    return " and ".join(running)
