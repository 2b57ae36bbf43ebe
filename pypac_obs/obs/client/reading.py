# SPDX-License-Identifier: MIT
"""Reads single things of an OBS, each in one round trip; `look` reads all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.actual import (
    OLD_PIPEWIRE_KIND,
    PIPEWIRE_KIND,
    Obs,
    Parameter,
    ParameterValue,
)
from pypac_obs.obs.client.answers import mappings_in, text_in, texts_in
from pypac_obs.obs.client.requests import Answer, Request, given

__all__ = [
    "KINDS",
    "NAMES",
    "OUTPUTS",
    "PROFILES",
    "Names",
    "collections_of",
    "kinds_of",
    "names_of",
    "parameter_of",
    "parameter_request",
    "profiles_of",
    "read_collections",
    "read_input_names",
    "read_kinds",
    "read_parameters",
    "read_profiles",
    "read_running",
    "read_scenes",
    "runs",
    "scene_names",
]

_NEW_IN_1_2 = "CaptureMode"
# What an output is called for a user, and the request that tells whether it runs.
OUTPUTS = {
    "the recording": Request("GetRecordStatus"),
    "the stream": Request("GetStreamStatus"),
    "the replay buffer": Request("GetReplayBufferStatus"),
    "the virtual camera": Request("GetVirtualCamStatus"),
}
PROFILES = Request("GetProfileList")
_COLLECTIONS = Request("GetSceneCollectionList")
_SCENES = Request("GetSceneList")
_INPUTS = Request("GetInputList")
#: What tells whether anything was made, renamed or removed.
NAMES = (_COLLECTIONS, _SCENES, _INPUTS)
KINDS = (
    Request("GetInputKindList"),
    Request("GetInputDefaultSettings", {"inputKind": PIPEWIRE_KIND}),
)


class Names(NamedTuple):
    """What there is in an OBS at one moment, by name."""

    collection: str
    scenes: tuple[str, ...]
    inputs: tuple[str, ...]


def read_running(obs: Obs) -> tuple[str, ...]:
    """Reads which outputs run now, in words."""
    answers = obs.request_all(list(OUTPUTS.values()))
    return tuple(words for words, answer in zip(OUTPUTS, answers, strict=True) if runs(answer))


def runs(answer: Answer) -> bool:
    """Tells from an answer to one of `OUTPUTS` whether that output runs."""
    # Where it was refused, this OBS does not have the output, or it is not set up.
    return not isinstance(answer, ObsRefused) and answer.get("outputActive") is True


def read_kinds(obs: Obs) -> frozenset[str]:
    """Reads which kinds of input there are; `OLD_PIPEWIRE_KIND` is one of them."""
    return kinds_of(*obs.request_all(KINDS))


def kinds_of(listed: Answer, pipewire: Answer) -> frozenset[str]:
    """Reads the kinds of input from the answers to `KINDS`."""
    kinds = frozenset(texts_in(given(listed), "inputKinds"))
    if PIPEWIRE_KIND not in kinds:
        return kinds
    defaults = given(pipewire).get("defaultInputSettings")
    if isinstance(defaults, Mapping) and _NEW_IN_1_2 in defaults:
        return kinds
    return kinds - {PIPEWIRE_KIND} | {OLD_PIPEWIRE_KIND}


def read_parameters(obs: Obs, parameters: Sequence[Parameter]) -> dict[Parameter, ParameterValue]:
    """Reads settings of the OBS profile in use."""
    answers = obs.request_all([parameter_request(parameter) for parameter in parameters])
    return {
        parameter: parameter_of(given(answer))
        for parameter, answer in zip(parameters, answers, strict=True)
    }


def parameter_request(parameter: Parameter) -> Request:
    """Asks for a setting of the OBS profile in use."""
    category, name = parameter
    data = {"parameterCategory": category, "parameterName": name}
    return Request("GetProfileParameter", data)


def parameter_of(answer: Mapping[str, Any]) -> ParameterValue:
    """Reads the answer to a `parameter_request`."""
    value, default = answer.get("parameterValue"), answer.get("defaultParameterValue")
    return ParameterValue(
        value if isinstance(value, str) else None, default if isinstance(default, str) else None
    )


def read_profiles(obs: Obs) -> tuple[str, tuple[str, ...]]:
    """Reads which OBS profile is in use, and which there are."""
    return profiles_of(obs.request(PROFILES.kind))


def profiles_of(answer: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Reads the answer to `PROFILES`, as `read_profiles` does."""
    return _with_current(text_in(answer, "currentProfileName"), texts_in(answer, "profiles"))


def read_collections(obs: Obs) -> tuple[str, tuple[str, ...]]:
    """Reads which scene collection is in use, and which there are."""
    return collections_of(obs.request(_COLLECTIONS.kind))


def collections_of(answer: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Reads the answer to the first of `NAMES`, as `read_collections` does."""
    current = text_in(answer, "currentSceneCollectionName")
    return _with_current(current, texts_in(answer, "sceneCollections"))


def _with_current(current: str, names: list[str]) -> tuple[str, tuple[str, ...]]:
    # OBS lists the files that it finds, and that of the one in use is not there while it is saved.
    return current, tuple(names if current in names else [*names, current])


def read_input_names(obs: Obs) -> tuple[str, ...]:
    """Reads the names of the inputs."""
    return _input_names(obs.request(_INPUTS.kind))


def _input_names(answer: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(text_in(item, "inputName") for item in mappings_in(answer, "inputs"))


def read_scenes(obs: Obs) -> tuple[str, ...]:
    """Reads the names of the scenes."""
    return scene_names(obs.request(_SCENES.kind))


def scene_names(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Reads the answer to the second of `NAMES`, as `read_scenes` does."""
    return tuple(text_in(item, "sceneName") for item in mappings_in(answer, "scenes"))


def names_of(answers: Sequence[Mapping[str, Any]]) -> Names:
    """Reads the answers to `NAMES`."""
    collections, scenes, inputs = answers
    return Names(collections_of(collections)[0], scene_names(scenes), _input_names(inputs))
