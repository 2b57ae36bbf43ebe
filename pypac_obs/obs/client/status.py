# SPDX-License-Identifier: MIT
"""What an OBS is doing now, read from it at one moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.actual import OBS_TRACKS, masked_tracks
from pypac_obs.obs.client.connection import ObsConnection
from pypac_obs.obs.client.outputs import recording_path
from pypac_obs.obs.client.settings import is_here
from pypac_obs.session_registry import running_sessions

__all__ = ["TRACK_KIND", "InputState", "ObsStatus", "OutputState", "read_status"]

# The kind of our inputs: the source that our plugin brings into OBS.
TRACK_KIND = "pypac_track"


@dataclass(frozen=True)
class OutputState:
    """OBS's recording or stream: for how long it has run, and where the recording goes."""

    active: bool
    paused: bool
    seconds: float
    path: str = ""


@dataclass(frozen=True)
class InputState:
    """One of our inputs in OBS: which track it plays, and how OBS has it in its mixer.

    ``session_runs`` tells whether its session runs, where OBS is on this computer (else None).
    ``active`` is true where the input is in the scene that is on the air. ``volume_db`` is None
    for silence.
    """

    name: str
    session: str
    session_runs: bool | None
    track: str
    obs_tracks: tuple[int, ...]
    volume_db: float | None
    muted: bool
    active: bool


@dataclass(frozen=True)
class ObsStatus:
    """What an OBS is doing. ``record_tracks`` is empty where OBS does not tell."""

    address: str
    obs_version: str
    websocket_version: str
    platform: str
    scene: str
    profile: str
    scene_collection: str
    recording: OutputState
    stream: OutputState
    record_tracks: tuple[int, ...]
    inputs: tuple[InputState, ...]


def read_status(obs: ObsConnection) -> ObsStatus:
    """Reads it all from OBS. Raises ObsError."""
    recording = _output(obs.request("GetRecordStatus"))
    if recording.active:
        path = recording_path(obs)
        recording = OutputState(True, recording.paused, recording.seconds, path)
    profiles, scenes = obs.request("GetProfileList"), obs.request("GetSceneCollectionList")
    return ObsStatus(
        address=str(obs.address),
        obs_version=obs.version.obs,
        websocket_version=obs.version.websocket,
        platform=obs.version.platform,
        scene=_text(obs.request("GetCurrentProgramScene"), "currentProgramSceneName"),
        profile=_text(profiles, "currentProfileName"),
        scene_collection=_text(scenes, "currentSceneCollectionName"),
        recording=recording,
        stream=_output(obs.request("GetStreamStatus")),
        record_tracks=_record_tracks(obs),
        inputs=tuple(_inputs(obs)),
    )


def _output(status: Mapping[str, Any]) -> OutputState:
    return OutputState(
        active=status.get("outputActive") is True,
        paused=status.get("outputPaused") is True,
        seconds=(_number(status, "outputDuration") or 0.0) / 1000,
    )


def _record_tracks(obs: ObsConnection) -> tuple[int, ...]:
    if _parameter(obs, "Output", "Mode").lower() != "advanced":
        return (1,)  # the simple mode records one track, save in a few formats
    return masked_tracks(_parameter(obs, "AdvOut", "RecTracks"))


def _parameter(obs: ObsConnection, category: str, name: str) -> str:
    answer = obs.request("GetProfileParameter", parameterCategory=category, parameterName=name)
    return _text(answer, "parameterValue") or _text(answer, "defaultParameterValue")


def _inputs(obs: ObsConnection) -> list[InputState]:
    listed = obs.request("GetInputList", inputKind=TRACK_KIND).get("inputs")
    names = [
        name
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, Mapping) and (name := _text(item, "inputName"))
    ]
    found = []
    for name in names:
        try:
            found.append(_input(obs, name))
        except ObsRefused:  # it was removed while we asked
            continue
    return sorted(found, key=lambda item: item.name)


def _input(obs: ObsConnection, name: str) -> InputState:
    settings = obs.request("GetInputSettings", inputName=name).get("inputSettings")
    settings = settings if isinstance(settings, Mapping) else {}
    session = _text(settings, "session")
    sessions = {running.name for running in running_sessions()}
    tracks = obs.request("GetInputAudioTracks", inputName=name).get("inputAudioTracks")
    tracks = tracks if isinstance(tracks, Mapping) else {}
    volume = _number(obs.request("GetInputVolume", inputName=name), "inputVolumeDb")
    return InputState(
        name=name,
        session=session,
        session_runs=session in sessions if is_here(obs.address.host) else None,
        track=_text(settings, "track"),
        obs_tracks=tuple(number for number in OBS_TRACKS if tracks.get(str(number)) is True),
        # OBS says -100 dB for a fader that is all the way down.
        volume_db=volume if volume is not None and volume > -100 else None,
        muted=obs.request("GetInputMute", inputName=name).get("inputMuted") is True,
        active=obs.request("GetSourceActive", sourceName=name).get("videoActive") is True,
    )


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A whole number may be too large for a float.
    return float(value) if -1e15 < value < 1e15 and math.isfinite(value) else None
