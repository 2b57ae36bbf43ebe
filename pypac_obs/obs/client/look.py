# SPDX-License-Identifier: MIT
"""One look at all of an OBS that a profile may ask something of, in two or three round trips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.actual import (
    DESKTOP_PLACES,
    MIC_PLACES,
    OBS_TRACKS,
    Actual,
    ActualInput,
    Obs,
    Parameter,
    SceneItem,
)
from pypac_obs.obs.client.answers import (
    mappings_in,
    number_in,
    text_in,
    unexpected,
    whole_number_in,
)
from pypac_obs.obs.client.reading import (
    KINDS,
    NAMES,
    OUTPUTS,
    PROFILES,
    Names,
    collections_of,
    kinds_of,
    names_of,
    parameter_of,
    parameter_request,
    profiles_of,
    runs,
    scene_names,
)
from pypac_obs.obs.client.requests import Answer, Request, given

__all__ = ["read_actual", "read_items"]

# So often OBS is read where it changes meanwhile.
_READINGS = 4
# What is asked of each input.
_OF_INPUTS = (
    "GetInputSettings",
    "GetInputAudioTracks",
    "GetInputVolume",
    "GetInputMute",
    "GetInputAudioMonitorType",
    "GetInputAudioSyncOffset",
)


def read_actual(obs: Obs, parameters: Iterable[Parameter]) -> Actual:
    """Reads what is in OBS now. Raises ObsError.

    It takes a round trip for the names of all that there is, and one for what is in it; a third one
    where scenes have groups, and more where the answers of a very large OBS don't fit into
    a message. Where a scene or an input is made, renamed or removed meanwhile, it is read again:
    else one that was renamed would seem not to be there.
    """
    parameters = tuple(parameters)
    for _ in range(_READINGS):
        before, actual, after = _read_once(obs, parameters)
        if before == after:
            break
    return actual


def _read_once(obs: Obs, parameters: tuple[Parameter, ...]) -> tuple[Names, Actual, Names]:
    """Reads the names of the scene collection, of the scenes and the inputs, and then the rest."""
    asked = [
        *NAMES,
        PROFILES,
        Request("GetSpecialInputs"),
        *KINDS,
        *OUTPUTS.values(),
        *map(parameter_request, parameters),
    ]
    answers = iter(obs.request_all(asked))
    names = [given(next(answers)) for _ in NAMES]
    collection, collections = collections_of(names[0])
    scenes, listed = scene_names(names[1]), mappings_in(names[2], "inputs")
    profile, profiles = profiles_of(given(next(answers)))
    special = given(next(answers))
    kinds = kinds_of(*(next(answers) for _ in KINDS))
    running = tuple(words for words in OUTPUTS if runs(next(answers)))
    values = {parameter: parameter_of(given(next(answers))) for parameter in parameters}
    items, inputs, after = _read_contents(obs, scenes, listed)
    actual = Actual(
        version=obs.version,
        kinds=kinds,
        profile=profile,
        profiles=profiles,
        collection=collection,
        collections=collections,
        scenes=scenes,
        program_scene=text_in(names[1], "currentProgramSceneName"),
        items=items,
        inputs=inputs,
        special={
            place: name
            for place in (*DESKTOP_PLACES, *MIC_PLACES)
            if isinstance(name := special.get(place), str)
        },
        running=running,
        parameters=values,
    )
    return names_of(names), actual, after


def _read_contents(
    obs: Obs, scenes: tuple[str, ...], listed: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, tuple[SceneItem, ...]], dict[str, ActualInput], Names]:
    """Reads what is in scenes, and what inputs are like; and after that the names once more.

    What was removed since its name was read is left out.
    """
    names = [text_in(item, "inputName") for item in listed]
    asked = [
        *map(_items_request, scenes),
        *(Request(kind, {"inputName": name}) for name in names for kind in _OF_INPUTS),
        *NAMES,
    ]
    answers = iter(obs.request_all(asked))
    found = [(scene, next(answers)) for scene in scenes]
    inputs: dict[str, ActualInput] = {}
    for item in listed:
        values = [next(answers) for _ in _OF_INPUTS]
        try:
            made = _input(item, values)
        except ObsRefused:
            continue
        inputs[made.name] = made
    after = [given(answer) for answer in answers]
    there = _listed_items(found)
    in_groups: dict[str, Answer] = {}
    if groups := _shown_groups(there):
        answers = iter(obs.request_all([*map(_group_request, groups), *NAMES]))
        in_groups = {group: next(answers) for group in groups}
        after = [given(answer) for answer in answers]
    return _items(there, in_groups), inputs, names_of(after)


def read_items(obs: Obs, scenes: Sequence[str]) -> dict[str, tuple[SceneItem, ...]]:
    """Reads what is in scenes, and in their groups unless they are hidden.

    A scene that is not there is left out.
    """
    answers = obs.request_all([_items_request(scene) for scene in scenes])
    there = _listed_items(zip(scenes, answers, strict=True))
    groups = _shown_groups(there)
    answers = obs.request_all([_group_request(group) for group in groups])
    return _items(there, dict(zip(groups, answers, strict=True)))


_Listed = Mapping[str, Sequence[Mapping[str, Any]]]


def _listed_items(found: Iterable[tuple[str, Answer]]) -> _Listed:
    return {
        scene: mappings_in(answer, "sceneItems")
        for scene, answer in found
        if not isinstance(answer, ObsRefused)
    }


def _items_request(scene: str) -> Request:
    return Request("GetSceneItemList", {"sceneName": scene})


def _group_request(group: str) -> Request:
    return Request("GetGroupSceneItemList", {"sceneName": group})


def _shown_groups(scenes: _Listed) -> tuple[str, ...]:
    groups = {
        text_in(item, "sourceName"): None
        for items in scenes.values()
        for item in items
        if _is_shown_group(item)
    }
    return tuple(groups)


def _is_shown_group(item: Mapping[str, Any]) -> bool:
    return item.get("isGroup") is True and _item(item).enabled


def _items(scenes: _Listed, in_groups: Mapping[str, Answer]) -> dict[str, tuple[SceneItem, ...]]:
    return {scene: tuple(_items_of(listed, in_groups)) for scene, listed in scenes.items()}


def _items_of(
    listed: Iterable[Mapping[str, Any]], in_groups: Mapping[str, Answer]
) -> Iterator[SceneItem]:
    for item in listed:
        yield _item(item)
        if not _is_shown_group(item):
            continue
        group = text_in(item, "sourceName")
        answer = in_groups[group]
        if not isinstance(answer, ObsRefused):  # else it was removed while we asked
            for each in mappings_in(answer, "sceneItems"):
                yield _item(each, group)


def _item(item: Mapping[str, Any], group: str = "") -> SceneItem:
    enabled = item.get("sceneItemEnabled") is not False
    number = whole_number_in(item, "sceneItemId")
    return SceneItem(number, text_in(item, "sourceName"), enabled, group)


def _input(listed: Mapping[str, Any], answers: Sequence[Answer]) -> ActualInput:
    """Reads an input from its place in the list and the answers to `_OF_INPUTS`."""
    name, kind = text_in(listed, "inputName"), text_in(listed, "inputKind")
    uuid = listed.get("inputUuid")
    uuid = uuid if isinstance(uuid, str) else ""
    settings, tracks, *audio = answers
    values = given(settings).get("inputSettings")
    values = values if isinstance(values, Mapping) else {}
    if isinstance(tracks, ObsRefused):
        return ActualInput(name, kind, uuid, values)  # it has no audio
    on = tracks.get("inputAudioTracks")
    if not isinstance(on, Mapping):
        raise unexpected("inputAudioTracks")
    volume, mute, monitor, offset = map(given, audio)
    return ActualInput(
        name,
        kind,
        uuid,
        values,
        frozenset(number for number in OBS_TRACKS if on.get(str(number)) is True),
        number_in(volume, "inputVolumeDb"),
        number_in(volume, "inputVolumeMul"),
        mute.get("inputMuted") is True,
        text_in(monitor, "monitorType"),
        round(number_in(offset, "inputAudioSyncOffset")),
    )
