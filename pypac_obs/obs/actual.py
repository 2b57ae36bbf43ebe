# SPDX-License-Identifier: MIT
"""What is in an OBS now, as far as a profile may ask something of it.

OBS is another program, so each value is checked for its type before anything is made of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from pypac_obs.errors import ObsNotAnswering, ObsProtocolError, ObsRefused
from pypac_obs.obs.connection import ObsAddress, ObsVersion

__all__ = [
    "OBS_TRACKS",
    "OLD_PIPEWIRE_KIND",
    "PIPEWIRE_KIND",
    "Actual",
    "ActualInput",
    "Obs",
    "Parameter",
    "ParameterValue",
    "SceneItem",
    "ask_patiently",
    "masked_tracks",
    "read_actual",
    "read_collections",
    "read_input_names",
    "read_items",
    "read_kinds",
    "read_parameter",
    "read_profiles",
    "read_running",
    "read_scenes",
]

OBS_TRACKS = range(1, 7)

# The capture of programs that the plugin obs-pipewire-audio-capture brings. Before 1.2 it had other
# settings, and would be silent with those that it has now: so it is told apart.
PIPEWIRE_KIND = "pipewire_audio_application_capture"
OLD_PIPEWIRE_KIND = f"{PIPEWIRE_KIND} before 1.2"
_NEW_IN_1_2 = "CaptureMode"

# A setting of an OBS profile: its section and its name in basic.ini.
Parameter = tuple[str, str]

_DESKTOP = ("desktop1", "desktop2")
_MIC = ("mic1", "mic2", "mic3", "mic4")
# Meanwhile OBS loads devices, encoders and whole scenes.
_SLOW = frozenset(
    {
        "CreateProfile",
        "SetCurrentProfile",
        "RemoveProfile",
        "CreateSceneCollection",
        "SetCurrentSceneCollection",
    }
)
_SLOW_S = 30.0
_POLL_S = 0.05
# So often OBS is read where it changes meanwhile.
_READINGS = 4
# What an output is called for a user, and the request that tells whether it runs.
_OUTPUTS = {
    "the recording": "GetRecordStatus",
    "the stream": "GetStreamStatus",
    "the replay buffer": "GetReplayBufferStatus",
    "the virtual camera": "GetVirtualCamStatus",
}


class Obs(Protocol):
    """What is needed of an `ObsConnection` here; a fake in tests."""

    address: ObsAddress
    version: ObsVersion

    def request(
        self, kind: str, /, *, timeout_s: float | None = None, **data: Any
    ) -> dict[str, Any]:
        """Asks OBS for something, and gives its answer. Raises ObsError."""

    def undivided(self) -> AbstractContextManager[None]:
        """Keeps us from closing the connection between requests that belong together."""


@dataclass(frozen=True)
class ParameterValue:
    """A setting of an OBS profile, and what it is where nobody has set it; None for nothing."""

    value: str | None
    default: str | None


@dataclass(frozen=True)
class ActualInput:
    """An input of OBS. ``obs_tracks`` is None where it has no audio.

    ``uuid`` is "" where OBS tells none, as version 29 does not.
    """

    name: str
    kind: str
    uuid: str
    settings: Mapping[str, Any]
    obs_tracks: frozenset[int] | None = None
    volume_db: float = 0.0
    volume_factor: float = 1.0
    muted: bool = False
    monitor: str = ""
    sync_offset_ms: int = 0


@dataclass(frozen=True)
class SceneItem:
    """A source in a scene, or in the ``group`` of that scene that is named."""

    id: int
    source: str
    enabled: bool
    group: str = ""


@dataclass(frozen=True)
class Actual:
    """An OBS at one moment.

    ``items`` are those of each scene, ``special`` the names of OBS's special inputs by their places
    ("desktop1", "mic1"), ``running`` the outputs that run now, in words.
    """

    version: ObsVersion
    kinds: frozenset[str]
    profile: str
    profiles: tuple[str, ...]
    collection: str
    collections: tuple[str, ...]
    scenes: tuple[str, ...]
    program_scene: str
    items: Mapping[str, tuple[SceneItem, ...]]
    inputs: Mapping[str, ActualInput]
    special: Mapping[str, str]
    running: tuple[str, ...]
    parameters: Mapping[Parameter, ParameterValue]

    @property
    def desktop(self) -> tuple[str, ...]:
        """The names of the inputs for what the desktop plays."""
        return tuple(self.special[place] for place in _DESKTOP if place in self.special)

    @property
    def mic(self) -> tuple[str, ...]:
        """The names of the inputs for microphones."""
        return tuple(self.special[place] for place in _MIC if place in self.special)

    def value(self, parameter: Parameter) -> str:
        """The setting of the OBS profile in use, "" where there is none."""
        found = self.parameters[parameter]
        return found.value or found.default or ""


def read_actual(obs: Obs, parameters: Iterable[Parameter]) -> Actual:
    """Reads what is in OBS now. Raises ObsError.

    It takes many requests. Where a scene or an input is made, renamed or removed meanwhile, it is
    read again: else one that was renamed would seem not to be there.
    """
    parameters = tuple(parameters)
    for _ in range(_READINGS):
        names, actual = _read_once(obs, parameters)
        if names == (read_collections(obs)[0], read_scenes(obs), read_input_names(obs)):
            break
    return actual


_Names = tuple[str, tuple[str, ...], tuple[str, ...]]


def _read_once(obs: Obs, parameters: Iterable[Parameter]) -> tuple[_Names, Actual]:
    """Reads the names of the scene collection, of the scenes and the inputs, and then the rest."""
    collection, collections = read_collections(obs)
    scenes = obs.request("GetSceneList")
    names = _scene_names(scenes)
    inputs = _mappings(obs.request("GetInputList"), "inputs")
    profile, profiles = read_profiles(obs)
    special = obs.request("GetSpecialInputs")
    actual = Actual(
        version=obs.version,
        kinds=read_kinds(obs),
        profile=profile,
        profiles=profiles,
        collection=collection,
        collections=collections,
        scenes=names,
        program_scene=_text(scenes, "currentProgramSceneName"),
        items=dict(_all_items(obs, names)),
        inputs={found.name: found for found in _inputs(obs, inputs)},
        special={
            place: name
            for place in (*_DESKTOP, *_MIC)
            if isinstance(name := special.get(place), str)
        },
        running=read_running(obs),
        parameters={parameter: read_parameter(obs, parameter) for parameter in parameters},
    )
    return (collection, names, _input_names(inputs)), actual


def masked_tracks(mask: str) -> tuple[int, ...]:
    """Reads the OBS tracks of a mask, as OBS's profile has one; none where it is no such number.

    >>> masked_tracks("5"), masked_tracks("all")
    ((1, 3), ())
    """
    if not (mask.isascii() and mask.isdecimal() and len(mask) < 4):
        return ()
    return tuple(number for number in OBS_TRACKS if int(mask) >> (number - 1) & 1)


def read_running(obs: Obs) -> tuple[str, ...]:
    """Reads which outputs run now, in words."""
    return tuple(words for words, kind in _OUTPUTS.items() if _runs(obs, kind))


def read_kinds(obs: Obs) -> frozenset[str]:
    """Reads which kinds of input there are; `OLD_PIPEWIRE_KIND` is one of them."""
    kinds = frozenset(_texts(obs.request("GetInputKindList"), "inputKinds"))
    if PIPEWIRE_KIND not in kinds:
        return kinds
    answer = obs.request("GetInputDefaultSettings", inputKind=PIPEWIRE_KIND)
    defaults = answer.get("defaultInputSettings")
    if isinstance(defaults, Mapping) and _NEW_IN_1_2 in defaults:
        return kinds
    return kinds - {PIPEWIRE_KIND} | {OLD_PIPEWIRE_KIND}


def read_parameter(obs: Obs, parameter: Parameter) -> ParameterValue:
    """Reads a setting of the OBS profile in use."""
    category, name = parameter
    answer = obs.request("GetProfileParameter", parameterCategory=category, parameterName=name)
    value, default = answer.get("parameterValue"), answer.get("defaultParameterValue")
    return ParameterValue(
        value if isinstance(value, str) else None, default if isinstance(default, str) else None
    )


def read_profiles(obs: Obs) -> tuple[str, tuple[str, ...]]:
    """Reads which OBS profile is in use, and which there are."""
    answer = obs.request("GetProfileList")
    return _with_current(_text(answer, "currentProfileName"), _texts(answer, "profiles"))


def read_collections(obs: Obs) -> tuple[str, tuple[str, ...]]:
    """Reads which scene collection is in use, and which there are."""
    answer = obs.request("GetSceneCollectionList")
    current = _text(answer, "currentSceneCollectionName")
    return _with_current(current, _texts(answer, "sceneCollections"))


def _with_current(current: str, names: list[str]) -> tuple[str, tuple[str, ...]]:
    # OBS lists the files that it finds, and that of the one in use is not there while it is saved.
    return current, tuple(names if current in names else [*names, current])


def ask_patiently(obs: Obs, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Asks, and gives OBS the time that it needs for another profile or scene collection.

    From OBS 31 on it says that profiles are made and removed before they are.
    """
    if kind not in _SLOW:
        return obs.request(kind, **data)
    answer = obs.request(kind, timeout_s=_SLOW_S, **data)
    if (name := data.get("profileName")) is None:
        return answer
    deadline = time.monotonic() + _SLOW_S
    while not _is_done(obs, kind, name):
        if time.monotonic() > deadline:
            raise ObsNotAnswering(
                f"OBS has not done {kind} with {name!r} in {_SLOW_S:g} s",
                remedy="OBS may be waiting for an answer in a dialog of its own.",
            )
        time.sleep(_POLL_S)
    return answer


def _is_done(obs: Obs, kind: str, profile: str) -> bool:
    current, names = read_profiles(obs)
    return profile not in names if kind == "RemoveProfile" else current == profile


def read_input_names(obs: Obs) -> tuple[str, ...]:
    """Reads the names of the inputs."""
    return _input_names(_mappings(obs.request("GetInputList"), "inputs"))


def _input_names(listed: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(_text(item, "inputName") for item in listed)


def read_scenes(obs: Obs) -> tuple[str, ...]:
    """Reads the names of the scenes."""
    return _scene_names(obs.request("GetSceneList"))


def _scene_names(answer: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_text(item, "sceneName") for item in _mappings(answer, "scenes"))


def _runs(obs: Obs, kind: str) -> bool:
    try:
        return obs.request(kind).get("outputActive") is True
    except ObsRefused:  # this OBS does not have the output, or it is not set up
        return False


def read_items(obs: Obs, scene: str) -> tuple[SceneItem, ...]:
    """Reads what is in a scene, and in its groups unless they are hidden."""
    found: list[SceneItem] = []
    for item in _mappings(obs.request("GetSceneItemList", sceneName=scene), "sceneItems"):
        found.append(_item(item))
        if item.get("isGroup") is True and found[-1].enabled:
            group = found[-1].source
            try:
                answer = obs.request("GetGroupSceneItemList", sceneName=group)
            except ObsRefused:  # it was removed while we asked
                continue
            found += (_item(each, group) for each in _mappings(answer, "sceneItems"))
    return tuple(found)


def _item(item: Mapping[str, Any], group: str = "") -> SceneItem:
    number = item.get("sceneItemId")
    if not isinstance(number, int) or isinstance(number, bool):
        raise _unexpected("sceneItemId")
    enabled = item.get("sceneItemEnabled") is not False
    return SceneItem(number, _text(item, "sourceName"), enabled, group)


def _all_items(obs: Obs, scenes: Iterable[str]) -> Iterable[tuple[str, tuple[SceneItem, ...]]]:
    for scene in scenes:
        try:
            yield scene, read_items(obs, scene)
        except ObsRefused:  # it was removed while we asked
            continue


def _inputs(obs: Obs, listed: Iterable[Mapping[str, Any]]) -> Iterable[ActualInput]:
    for item in listed:
        name, kind = _text(item, "inputName"), _text(item, "inputKind")
        uuid = item.get("inputUuid")
        try:
            yield _input(obs, name, kind, uuid if isinstance(uuid, str) else "")
        except ObsRefused:  # it was removed while we asked
            continue


def _input(obs: Obs, name: str, kind: str, uuid: str) -> ActualInput:
    settings = obs.request("GetInputSettings", inputName=name).get("inputSettings")
    settings = settings if isinstance(settings, Mapping) else {}
    try:
        answer = obs.request("GetInputAudioTracks", inputName=name)
    except ObsRefused:
        return ActualInput(name, kind, uuid, settings)  # it has no audio
    tracks = answer.get("inputAudioTracks")
    if not isinstance(tracks, Mapping):
        raise _unexpected("inputAudioTracks")
    volume = obs.request("GetInputVolume", inputName=name)
    monitor = obs.request("GetInputAudioMonitorType", inputName=name)
    offset = obs.request("GetInputAudioSyncOffset", inputName=name)
    return ActualInput(
        name,
        kind,
        uuid,
        settings,
        frozenset(number for number in OBS_TRACKS if tracks.get(str(number)) is True),
        _number(volume, "inputVolumeDb"),
        _number(volume, "inputVolumeMul"),
        obs.request("GetInputMute", inputName=name).get("inputMuted") is True,
        _text(monitor, "monitorType"),
        round(_number(offset, "inputAudioSyncOffset")),
    )


def _unexpected(key: str) -> ObsProtocolError:
    return ObsProtocolError(f"what OBS says has no {key}, or another kind of it")


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _unexpected(key)
    return value


def _number(values: Mapping[str, Any], key: str) -> float:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unexpected(key)
    if not -1e15 < value < 1e15 or not math.isfinite(value):
        raise _unexpected(key)
    return float(value)


def _texts(values: Mapping[str, Any], key: str) -> list[str]:
    found = values.get(key)
    if not isinstance(found, list):
        raise _unexpected(key)
    return [item for item in found if isinstance(item, str)]


def _mappings(values: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = values.get(key)
    if not isinstance(found, list):
        raise _unexpected(key)
    return [item for item in found if isinstance(item, Mapping)]
