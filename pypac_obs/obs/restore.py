# SPDX-License-Identifier: MIT
"""Puts an OBS back to what it was before a profile was applied, by what the journal says."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pypac_obs.errors import ObsError, ObsRefused
from pypac_obs.obs.actual import (
    OBS_TRACKS,
    Actual,
    Obs,
    ask_patiently,
    read_actual,
    read_collections,
    read_items,
    read_profiles,
    read_scenes,
)
from pypac_obs.obs.journal import LOOPBACK, Journal
from pypac_obs.obs.plan import UNSURE, Report, Request, Step, find_made, made_sources
from pypac_obs.obs.profiles import finish_reloads, reload_profile, set_parameter
from pypac_obs.obs.removal import NOT_FOUND, remove_input
from pypac_obs.obs.settings import obs_folders

__all__ = ["restore"]


def restore(obs: Obs, journal: Journal, *, environ: Mapping[str, str] = os.environ) -> Report:
    """Puts back what was in OBS before, and removes what we made and nothing else.

    Raises ObsError, before anything is changed, where an output of OBS runs that would be in the
    way. What cannot be put back any more, for the user removed it, is in the notes.
    """
    finish_reloads(obs, environ)
    try:
        return _Restorer(obs, journal, journal.read(), environ).run()
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise journal.damaged(f"{type(error).__name__} in an entry") from error


class _Restorer:
    def __init__(
        self, obs: Obs, journal: Journal, noted: Mapping[str, Any], environ: Mapping[str, str]
    ) -> None:
        self._obs = obs
        self._journal = journal
        self._noted = noted
        self._environ = environ
        self._done: list[Step] = []
        self._notes: list[str] = []
        self._errors: list[str] = []
        self._others: dict[str, str] = {}  # what is not ours in a scene collection that we made

    def run(self) -> Report:
        actual = read_actual(self._obs, ())
        self._refuse_while_running(actual)
        collections = _mapping(self._noted, "collections")
        made = _mapping(self._noted, "made_collections")
        for name in made:
            if name in actual.collections:
                self._go_to_collection(name)
                self._look_for_others(name, _mapping(collections, name))
        for name, collection in collections.items():
            if name in made and name not in self._others:
                continue  # it goes as a whole
            if name not in actual.collections:
                self._notes.append(
                    f'The scene collection "{name}" is gone, and what we made in it.'
                )
                continue
            self._go_to_collection(name)
            self._collection(collection)
        self._profiles(actual)
        self._leave_collections(actual)
        if not self._errors:
            self._journal.delete()
        return Report(done=tuple(self._done), errors=tuple(self._errors), notes=tuple(self._notes))

    def _refuse_while_running(self, actual: Actual) -> None:
        noted = self._noted
        here = {actual.collection}
        needs = [
            what
            for what, is_needed in (
                ("your OBS profile is to be put back", noted.get("parameters")),
                (
                    "you are to get back to your OBS profile",
                    noted.get("made_profiles") or noted.get("user_profile"),
                ),
                (
                    "another scene collection is to be loaded",
                    set(_mapping(noted, "collections")) - here or noted.get("user_collection"),
                ),
            )
            if is_needed
        ]
        if actual.running and needs:
            raise ObsError(
                f"nothing was put back, as {_words(actual.running)} of OBS runs and {needs[0]}",
                remedy=f"Stop {_words(actual.running)}, then try again.",
            )

    def _do(self, step: Step) -> bool:
        try:
            for request in step.requests:
                ask_patiently(self._obs, request.kind, request.data)
        except ObsRefused as refusal:
            if refusal.code == NOT_FOUND:
                self._notes.append(f"Not found any more: {step.subject}.")
                return False
            self._errors.append(f"OBS did not take {step}: {refusal.message}.")
            return False
        self._done.append(step)
        return True

    # Scene collections ----------------------------------------------------------------------------

    def _go_to_collection(self, name: str) -> None:
        if read_collections(self._obs)[0] != name:
            data = {"sceneCollectionName": name}
            ask_patiently(self._obs, "SetCurrentSceneCollection", data)

    def _look_for_others(self, name: str, noted: Mapping[str, Any]) -> None:
        """Looks whether the user has put inputs of his own into the collection that is loaded."""
        actual = read_actual(self._obs, ())
        made = _mapping(noted, "made_inputs")
        found = (
            find_made(one, actual.inputs, made_sources(noted, track, actual))
            for track, one in made.items()
            if isinstance(one, Mapping)
        )
        ours = {one.name for one in found if one is not None} | {*actual.desktop, *actual.mic}
        if others := [other for other in actual.inputs if other not in ours]:
            self._others[name] = others[0]

    def _collection(self, noted: Mapping[str, Any]) -> None:
        actual = read_actual(self._obs, ())
        for scene, items in _mapping(noted, "items").items():
            self._items(scene, items, actual)
        for track, made in _mapping(noted, "made_inputs").items():
            if not isinstance(made, Mapping):
                continue
            found = find_made(made, actual.inputs, made_sources(noted, track, actual))
            if found is not None:
                step = Step("-", f'input "{found.name}"')
                try:
                    remove_input(self._obs, found.name)
                except ObsRefused as refusal:
                    self._errors.append(f"OBS did not take {step}: {refusal.message}.")
                else:
                    self._done.append(step)
        for name, values in _mapping(noted, "inputs").items():
            self._input(name, values, actual)
        for scene in _mapping(noted, "made_scenes"):
            self._scene(scene)

    def _items(self, scene: str, items: Mapping[str, Any], actual: Actual) -> None:
        if scene not in actual.items:
            self._notes.append(f'The scene "{scene}" is gone, so nothing was put back in it.')
            return
        for source, before in items.items():
            there = [item for item in actual.items[scene] if item.source == source]
            is_made = before is not False
            if is_made and before is not None:  # we know its id
                there = [item for item in there if item.id == before and not item.group]
            if not there:
                continue
            item = there[0]
            at = {"sceneName": item.group or scene, "sceneItemId": item.id}
            subject = f'input "{source}" in the scene "{scene}"'
            if is_made:
                self._do(Step("-", subject, requests=(Request("RemoveSceneItem", at),)))
            else:
                request = Request("SetSceneItemEnabled", {**at, "sceneItemEnabled": False})
                self._do(Step("~", subject, requests=(request,)))

    def _input(self, name: str, values: Mapping[str, Any], actual: Actual) -> None:
        if name not in actual.inputs:
            self._notes.append(f'The input "{name}" is gone, so it was not put back.')
            return
        requests = [
            Request(kind, {"inputName": name, **read(values[key])})
            for key, (kind, read) in _PUT_BACK.items()
            if key in values
        ]
        if requests:
            self._do(Step("~", f'input "{name}"', requests=tuple(requests)))

    def _scene(self, scene: str) -> None:
        scenes = read_scenes(self._obs)
        if scene not in scenes:
            return
        if items := read_items(self._obs, scene):
            self._notes.append(
                f'The scene "{scene}" stays: there is something else in it now ({items[0].source}).'
            )
        elif len(scenes) == 1:
            self._notes.append(f'The scene "{scene}" stays: OBS has no other.')
        else:
            request = Request("RemoveScene", {"sceneName": scene})
            self._do(Step("-", f'scene "{scene}"', requests=(request,)))

    def _leave_collections(self, actual: Actual) -> None:
        made = _mapping(self._noted, "made_collections")
        back = self._noted.get("user_collection") or actual.collection
        names = read_collections(self._obs)[1]
        if not isinstance(back, str) or back not in names:
            return
        self._go_to_collection(back)
        for name in made:
            if name not in names:
                continue
            if name in self._others:
                self._notes.append(
                    f'The scene collection "{name}" stays: there is something else in it now '
                    f"({self._others[name]})."
                )
                continue
            file = self._collection_file(name)
            if file is None:
                self._notes.append(
                    f'The scene collection "{name}" is ours and is left: OBS has no way to remove '
                    "one from outside. In OBS: Scene Collection > Remove."
                )
                continue
            file.unlink(missing_ok=True)
            file.with_name(file.name + ".bak").unlink(missing_ok=True)
            self._done.append(Step("-", f'scene collection "{name}"'))

    def _collection_file(self, name: str) -> Path | None:
        """The file of a scene collection, where OBS runs on this computer."""
        if self._obs.address.host.lower() not in LOOPBACK:
            return None
        found = []
        for folder in obs_folders(self._environ):
            for file in (folder.config / "basic" / "scenes").glob("*.json"):
                with contextlib.suppress(OSError, ValueError, RecursionError):
                    data = json.loads(file.read_bytes())
                    if isinstance(data, dict) and data.get("name") == name:
                        found.append(file)
        return found[0] if len(found) == 1 else None

    # OBS profiles ---------------------------------------------------------------------------------

    def _profiles(self, actual: Actual) -> None:
        made = _mapping(self._noted, "made_profiles")
        back = self._noted.get("user_profile")
        if isinstance(back, str) and back in actual.profiles and back != actual.profile:
            request = Request("SetCurrentProfile", {"profileName": back})
            self._do(Step("~", f'OBS profile "{back}"', requests=(request,)))
        for name, values in _mapping(self._noted, "parameters").items():
            self._parameters(name, values)
        for name in made:
            if name in actual.profiles:
                request = Request("RemoveProfile", {"profileName": name})
                self._do(Step("-", f'OBS profile "{name}"', requests=(request,)))

    def _parameters(self, name: str, values: Mapping[str, Any]) -> None:
        current, names = read_profiles(self._obs)
        if name not in names:
            self._notes.append(f'The OBS profile "{name}" is gone, so it was not put back.')
            return
        if current != name:
            ask_patiently(self._obs, "SetCurrentProfile", {"profileName": name})
        for key, value in values.items():
            category, _, parameter = key.partition("/")
            unsure = isinstance(value, Mapping)
            try:
                set_parameter(self._obs, (category, parameter), None if unsure else value)
            except ObsRefused as refusal:
                if (value is not None and not unsure) or refusal.code != NOT_FOUND:
                    raise
            else:
                if unsure:  # we have not come to change it
                    set_parameter(self._obs, (category, parameter), value[UNSURE])
        reload_profile(self._obs, self._journal)
        self._done.append(Step("~", f'OBS profile "{name}"'))
        if current != name:
            ask_patiently(self._obs, "SetCurrentProfile", {"profileName": current})


# How each value of an input is put back: the request, and its data from what was noted. The name
# comes last: the others go by the name that it has until then.
_PUT_BACK: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "settings": ("SetInputSettings", lambda value: {"inputSettings": value}),
    "tracks": (
        "SetInputAudioTracks",
        lambda value: {"inputAudioTracks": {str(n): n in value for n in OBS_TRACKS}},
    ),
    "volume_factor": ("SetInputVolume", lambda value: {"inputVolumeMul": value}),
    "muted": ("SetInputMute", lambda value: {"inputMuted": value}),
    "monitor": ("SetInputAudioMonitorType", lambda value: {"monitorType": value}),
    "sync_offset_ms": ("SetInputAudioSyncOffset", lambda value: {"inputAudioSyncOffset": value}),
    "name": ("SetInputName", lambda value: {"newInputName": value}),
}


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = values.get(key)
    return value if isinstance(value, Mapping) else {}


def _words(running: tuple[str, ...]) -> str:
    return " and ".join(running)
