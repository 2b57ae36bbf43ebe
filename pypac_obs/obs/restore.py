# SPDX-License-Identifier: MIT
"""Puts an OBS back to what it was before a profile was applied, by what the journal says."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pypac_obs.errors import ObsError, ObsRefused
from pypac_obs.obs.actual import (
    OBS_TRACKS,
    Actual,
    Obs,
    Parameter,
)
from pypac_obs.obs.desired import PARAMETERS
from pypac_obs.obs.identity import LOOPBACK, identity_in, identity_of, take_identity
from pypac_obs.obs.journal import Journal, journals
from pypac_obs.obs.look import read_actual, read_items
from pypac_obs.obs.plan import (
    UNSURE,
    Report,
    Step,
    find_made,
    made_sources,
    shown_monitoring,
    shown_numbers,
    shown_settings,
)
from pypac_obs.obs.profiles import (
    finish_reloads,
    ready_to_leave,
    reload_profile,
    set_parameter,
)
from pypac_obs.obs.reading import read_collections, read_profiles, read_scenes
from pypac_obs.obs.removal import NOT_FOUND, remove_input
from pypac_obs.obs.renames import KNOWN_BY, follow_names, input_name_now
from pypac_obs.obs.requests import Request
from pypac_obs.obs.scenes import quoted
from pypac_obs.obs.settings import obs_folders
from pypac_obs.obs.slow_requests import request_slow

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
        self._done: list[Step] = []
        self._notes: list[str] = []
        self._errors: list[str] = []
        self._left: list[tuple[str, ...]] = []  # entries of the journal that are not put back
        self._others: dict[str, str] = {}  # what is not ours in a scene collection that we made

    def run(self) -> tuple[Report, list[tuple[str, ...]]]:
        """Puts all back that can be; gives the entries that could not be as well."""
        actual = self._look(PARAMETERS)
        self._refuse_while_running(actual)
        collections = _mapping(self._noted, "collections")
        made = _mapping(self._noted, "made_collections")
        for name in made:
            if name in actual.collections:
                self._go_to_collection(name)
                self._look_for_others(name, _mapping(collections, name))
        for name in collections:
            if name in made and name not in self._others:
                continue  # it goes as a whole, or is gone
            if name not in actual.collections:
                self._leave(
                    f'The scene collection "{name}" is gone or has another name now, so nothing in '
                    f"it was put back. {_again(name)}",
                    ("collections", name),
                )
                continue
            self._go_to_collection(name)
            self._collection(name)
        self._profiles(actual)
        self._leave_collections(actual)
        report = Report(
            done=tuple(self._done), errors=tuple(self._errors), notes=tuple(self._notes)
        )
        return report, self._left

    def _look(self, parameters: Iterable[Parameter] = ()) -> Actual:
        """Looks at OBS; from then on the journal has the names that OBS has now."""
        actual = read_actual(self._obs, parameters)
        self._noted = follow_names(self._noted, actual)
        self._journal.change(lambda noted: follow_names(noted, actual))
        return actual

    def _refuse_while_running(self, actual: Actual) -> None:
        noted = self._noted
        elsewhere = set(_mapping(noted, "collections")) & set(actual.collections)
        needs = [
            what
            for what, is_needed in (
                (
                    "your OBS profile is to be put back",
                    set(_mapping(noted, "parameters")) & set(actual.profiles),
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

    def _leave(self, sentence: str, *paths: tuple[str, ...]) -> None:
        """Says what is not put back; its entries stay in the journal."""
        self._errors.append(sentence)
        self._left += paths

    def _do(self, step: Step, *paths: tuple[str, ...]) -> None:
        """Makes a step, or leaves the entries that it comes from."""
        try:
            for request in step.requests:
                request_slow(self._obs, request)
        except ObsRefused as refusal:
            if refusal.code != NOT_FOUND or step.sign != "-":  # else it is gone already
                self._leave(f"OBS did not take {step}: {refusal.message}.", *paths)
        else:
            self._done.append(step)

    # Scene collections ----------------------------------------------------------------------------

    def _go_to_collection(self, name: str) -> None:
        if read_collections(self._obs)[0] != name:
            data = {"sceneCollectionName": name}
            request_slow(self._obs, Request("SetCurrentSceneCollection", data))

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

    def _collection(self, name: str) -> None:
        """Puts back what is in the scene collection in use."""
        actual = self._look()
        at = ("collections", name)
        noted = _mapping(_mapping(self._noted, "collections"), name)
        for scene, items in _mapping(noted, "items").items():
            self._items(at, scene, items, actual)
        for track, made in _mapping(noted, "made_inputs").items():
            if not isinstance(made, Mapping):
                continue
            found = find_made(made, actual.inputs, made_sources(noted, track, actual))
            if found is not None:
                step = Step("-", f'input "{found.name}"')
                try:
                    remove_input(self._obs, found.name)
                except ObsRefused as refusal:
                    self._leave(
                        f"OBS did not take {step}: {refusal.message}.",
                        (*at, "made_inputs", track),
                        *((*at, "made_items", one, track) for one in _mapping(noted, "made_items")),
                    )
                else:
                    self._done.append(step)
                    inputs = {n: one for n, one in actual.inputs.items() if n != found.name}
                    actual = replace(actual, inputs=inputs)
        for input_name, values in _mapping(noted, "inputs").items():
            self._input(at, input_name, values, actual)
        for scene in _mapping(noted, "made_scenes"):
            self._scene(at, scene)

    def _items(
        self, at: tuple[str, ...], scene: str, items: Mapping[str, Any], actual: Actual
    ) -> None:
        if scene not in actual.items:
            self._leave(
                f'The scene "{scene}" is gone or has another name now, so it was not put back how '
                f"it showed {quoted(items)}. {_again(scene)}",
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
            where = {"sceneName": item.group or scene, "sceneItemId": item.id}
            subject = f'input "{source}" in the scene "{scene}"'
            path = (*at, "items", scene, source)
            if is_made:
                step = Step("-", subject, requests=(Request("RemoveSceneItem", where),))
            else:
                request = Request("SetSceneItemEnabled", {**where, "sceneItemEnabled": False})
                step = Step("~", subject, requests=(request,))
            self._do(step, path, (*at, "inputs", source, KNOWN_BY))

    def _input(
        self, at: tuple[str, ...], name: str, values: Mapping[str, Any], actual: Actual
    ) -> None:
        noted = {key: values[key] for key in _PUT_BACK if key in values}
        if not noted:
            return
        here = (*at, "inputs", name)
        if input_name_now(name, _mapping(values, KNOWN_BY), actual) is None:
            what = ", ".join(_PUT_BACK[key].words(value) for key, value in noted.items())
            self._leave(
                f'The input "{name}" of the scene collection "{actual.collection}" is gone or has '
                f"another name now, so it was not put back ({what}). {_again(name)}",
                here,
            )
            return
        was_put_back = False
        for key, value in noted.items():
            way = _PUT_BACK[key]
            try:
                self._obs.request(way.request, inputName=name, **way.data(value))
            except ObsRefused as refusal:
                self._leave(
                    f'OBS did not take back {way.words(value)} of the input "{name}": '
                    f"{refusal.message}.",
                    (*here, key),
                    (*here, KNOWN_BY),
                )
            else:
                was_put_back = True
        if was_put_back:
            self._done.append(Step("~", f'input "{name}"'))

    def _scene(self, at: tuple[str, ...], scene: str) -> None:
        scenes = read_scenes(self._obs)
        if scene not in scenes:
            return
        if items := read_items(self._obs, [scene]).get(scene):
            self._notes.append(
                f'The scene "{scene}" stays: there is something else in it now ({items[0].source}).'
            )
        elif len(scenes) == 1:
            self._notes.append(f'The scene "{scene}" stays: OBS has no other.')
        else:
            request = Request("RemoveScene", {"sceneName": scene})
            step = Step("-", f'scene "{scene}"', requests=(request,))
            self._do(step, (*at, "made_scenes", scene))

    def _leave_collections(self, actual: Actual) -> None:
        """Goes back to the user's scene collection, and removes those that we made."""
        names = read_collections(self._obs)[1]
        going = [
            name
            for name in _mapping(self._noted, "made_collections")
            if name in names and name not in self._others
        ]
        before = self._noted.get("user_collection")
        staying = [name for name in (before, actual.collection, *names) if name in names]
        staying = [name for name in staying if name not in going]
        if not staying:
            self._notes.append(f"{quoted(going)} stays: OBS has no other scene collection.")
            return
        self._go_to_collection(staying[0])
        for name, other in self._others.items():
            self._notes.append(
                f'The scene collection "{name}" stays: there is something else in it now ({other}).'
            )
        for name in going:
            file = self._collection_file(name)
            if file is None:
                self._notes.append(
                    f'The scene collection "{name}" is ours and is left: OBS has no way to remove '
                    "one from outside. In OBS: Scene Collection > Remove."
                )
                continue
            try:
                file.unlink(missing_ok=True)
                file.with_name(file.name + ".bak").unlink(missing_ok=True)
            except OSError as error:
                self._leave(
                    f'The scene collection "{name}" was not removed: {error}.',
                    ("made_collections", name),
                    ("collections", name),
                )
                continue
            self._done.append(Step("-", f'scene collection "{name}"'))

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

    # OBS profiles ---------------------------------------------------------------------------------

    def _profiles(self, actual: Actual) -> None:
        made = _mapping(self._noted, "made_profiles")
        back = self._noted.get("user_profile")
        if back not in actual.profiles and actual.profile in made:
            back = next((name for name in actual.profiles if name not in made), None)
        if isinstance(back, str) and back in actual.profiles and back != actual.profile:
            ready_to_leave(self._obs, actual.profile, self._noted)
            request = Request("SetCurrentProfile", {"profileName": back})
            self._do(Step("~", f'OBS profile "{back}"', requests=(request,)))
        for name, values in _mapping(self._noted, "parameters").items():
            self._parameters(name, values)
        for name in made:
            current, names = read_profiles(self._obs)
            if name == current:
                self._notes.append(f'The OBS profile "{name}" stays: it is in use.')
            elif name in names:
                request = Request("RemoveProfile", {"profileName": name})
                step = Step("-", f'OBS profile "{name}"', requests=(request,))
                self._do(step, ("made_profiles", name))

    def _parameters(self, name: str, values: Mapping[str, Any]) -> None:
        current, names = read_profiles(self._obs)
        if name not in names:
            self._leave(
                f'The OBS profile "{name}" is gone or has another name now, so its settings were '
                f"not put back. {_again(name)}",
                ("parameters", name),
                ("set_parameters", name),
            )
            return
        if current != name:
            request_slow(self._obs, Request("SetCurrentProfile", {"profileName": name}))
        for key, value in values.items():
            category, _, parameter = key.partition("/")
            unsure = isinstance(value, Mapping)
            try:
                set_parameter(self._obs, (category, parameter), None if unsure else value)
            except ObsRefused as refusal:
                if (value is not None and not unsure) or refusal.code != NOT_FOUND:
                    self._leave(
                        f'OBS did not take back {key} of the OBS profile "{name}": '
                        f"{refusal.message}.",
                        ("parameters", name, key),
                        ("set_parameters", name, key),
                    )
            else:
                if unsure:  # we have not come to change it
                    set_parameter(self._obs, (category, parameter), value[UNSURE])
        reload_profile(self._obs, self._journal)
        self._done.append(Step("~", f'OBS profile "{name}"'))
        if current != name:
            request_slow(self._obs, Request("SetCurrentProfile", {"profileName": current}))


@dataclass(frozen=True)
class _Way:
    """How a value of an input is put back: the request, its data, and the value in words."""

    request: str
    data: Callable[[Any], dict[str, Any]]
    words: Callable[[Any], str]


# The name comes last: the others go by the name that the input has until then.
_PUT_BACK = {
    "settings": _Way(
        "SetInputSettings",
        lambda value: {"inputSettings": value},
        lambda value: f"takes: {shown_settings(value)}",
    ),
    "tracks": _Way(
        "SetInputAudioTracks",
        lambda value: {"inputAudioTracks": {str(n): n in value for n in OBS_TRACKS}},
        lambda value: f"OBS tracks: {shown_numbers(value)}",
    ),
    "volume_factor": _Way(
        "SetInputVolume",
        lambda value: {"inputVolumeMul": value},
        lambda value: f"volume: {20 * math.log10(max(value, 1e-5)):.1f} dB",
    ),
    "muted": _Way(
        "SetInputMute",
        lambda value: {"inputMuted": value},
        lambda value: f"muted: {'yes' if value else 'no'}",
    ),
    "monitor": _Way(
        "SetInputAudioMonitorType",
        lambda value: {"monitorType": value},
        lambda value: f"monitoring: {shown_monitoring(value)}",
    ),
    "sync_offset_ms": _Way(
        "SetInputAudioSyncOffset",
        lambda value: {"inputAudioSyncOffset": value},
        lambda value: f"sync offset: {value} ms",
    ),
    "name": _Way(
        "SetInputName", lambda value: {"newInputName": value}, lambda value: f'name: "{value}"'
    ),
}


def _again(name: str) -> str:
    return f'If it was renamed, name it "{name}" again in OBS, and restore once more.'


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = values.get(key)
    return value if isinstance(value, Mapping) else {}


def _words(running: tuple[str, ...]) -> str:
    return " and ".join(running)
