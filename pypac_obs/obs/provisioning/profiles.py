# SPDX-License-Identifier: MIT
"""OBS's own profiles: making one, setting what is in one, and having it take effect."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from pypac_obs.errors import ObsRefused, PypacError
from pypac_obs.obs.client.actual import (
    OBS_TRACKS,
    Obs,
    Parameter,
    ParameterValue,
)
from pypac_obs.obs.client.reading import read_parameters, read_profiles, read_running
from pypac_obs.obs.client.requests import Request, given
from pypac_obs.obs.client.slow_requests import request_slow
from pypac_obs.obs.provisioning.desired import CHANNELS, SAMPLE_RATE
from pypac_obs.obs.provisioning.identity import identity_of
from pypac_obs.obs.provisioning.journal import Entry, Journal, journals

__all__ = [
    "finish_reloads",
    "make_profile",
    "noted_audio",
    "parameter_setting",
    "ready_to_leave",
    "reload_profile",
    "set_parameter",
    "set_parameters",
]

_AUDIO: tuple[Parameter, ...] = (SAMPLE_RATE, CHANNELS)

# An OBS profile that exists for a moment: leaving it loads the other one again.
RELOADING = "PyPAC-OBS reloads"

# What a new OBS profile takes over from the one in use, so that it records and streams alike.
_COPIED: tuple[Parameter, ...] = (
    *(
        ("Video", key)
        for key in (
            "BaseCX", "BaseCY", "OutputCX", "OutputCY", "FPSType", "FPSCommon", "FPSInt", "FPSNum",
            "FPSDen", "ScaleType", "ColorFormat", "ColorSpace", "ColorRange", "SdrWhiteLevel",
            "HdrNominalPeakLevel", "AdapterIdx",
        )
    ),
    *(
        ("Audio", key)
        for key in ("MonitoringDeviceId", "MonitoringDeviceName", "MeterDecayRate", "PeakMeterType")
    ),
    *(
        ("Output", key)
        for key in (
            "Mode", "FilenameFormatting", "OverwriteIfExists", "DelayEnable", "DelaySec",
            "DelayPreserve", "Reconnect", "RetryDelay", "MaxRetries", "BindIP",
            "NewSocketLoopEnable", "LowLatencyEnable", "DynamicBitrate",
        )
    ),
    *(
        ("SimpleOutput", key)
        for key in (
            "FilePath", "RecFormat", "RecFormat2", "RecQuality", "RecEncoder", "RecAudioEncoder",
            "VBitrate", "ABitrate", "StreamEncoder", "StreamAudioEncoder", "Preset", "NVENCPreset2",
            "UseAdvanced", "RecRB", "RecRBTime", "RecRBSize", "VodTrackEnabled",
        )
    ),
    *(
        ("AdvOut", key)
        for key in (
            "Encoder", "AudioEncoder", "ApplyServiceSettings", "UseRescale", "RescaleRes",
            "TrackIndex", "VodTrackEnabled", "VodTrackIndex", "RecType", "RecFilePath", "RecFormat",
            "RecFormat2", "RecEncoder", "RecAudioEncoder", "RecTracks", "RecUseRescale",
            "RecRescaleRes", "RecMuxerCustom", "RecSplitFile", "RecSplitFileType",
            "RecSplitFileTime", "RecSplitFileSize", "RecRB", "RecRBTime", "RecRBSize",
            *(f"Track{n}{what}" for n in OBS_TRACKS for what in ("Bitrate", "Name")),
        )
    ),
)  # fmt: skip


def set_parameter(obs: Obs, parameter: Parameter, value: str | None) -> None:
    """Stores a setting of the OBS profile in use; None takes it out. Not in effect yet."""
    set_parameters(obs, {parameter: value})


def set_parameters(obs: Obs, values: Mapping[Parameter, str | None]) -> None:
    """Stores settings as `set_parameter` does, in one round trip."""
    for answer in obs.request_all([parameter_setting(*item) for item in values.items()]):
        given(answer)


def parameter_setting(parameter: Parameter, value: str | None) -> Request:
    """The request that stores a setting of the OBS profile in use."""
    category, name = parameter
    return Request(
        "SetProfileParameter",
        {"parameterCategory": category, "parameterName": name, "parameterValue": value},
    )


def make_profile(obs: Obs, name: str, journal: Journal) -> None:
    """Makes an OBS profile of ours, which begins as a copy of what matters in the user's.

    What is left of one that was not finished goes before.
    """
    with obs.undivided():
        _remove_unfinished(obs, name, journal)
        _make_profile(obs, name)


def _remove_unfinished(obs: Obs, name: str, journal: Journal) -> None:
    current, names = read_profiles(obs)
    if name not in names:
        return
    if current == name:
        noted = journal.read()
        ready_to_leave(obs, name, noted)
        request_slow(obs, Request("SetCurrentProfile", {"profileName": noted.get("user_profile")}))
    request_slow(obs, Request("RemoveProfile", {"profileName": name}))


def _make_profile(obs: Obs, name: str) -> None:
    copied = read_parameters(obs, _COPIED)
    audio = _audio(obs)
    # The service has the user's stream key in it: it goes from OBS to OBS, and nowhere else.
    service = obs.request("GetStreamServiceSettings")
    request_slow(obs, Request("CreateProfile", {"profileName": name}))
    _set_audio(obs, audio)
    is_set = {
        parameter: found.value
        for parameter, found in copied.items()
        if found.value is not None and found.value != found.default
    }
    set_parameters(obs, is_set)
    kind, settings = service.get("streamServiceType"), service.get("streamServiceSettings")
    if isinstance(kind, str) and isinstance(settings, Mapping):
        with contextlib.suppress(ObsRefused):
            obs.request(
                "SetStreamServiceSettings",
                streamServiceType=kind,
                streamServiceSettings=dict(settings),
            )


def ready_to_leave(obs: Obs, name: str, noted: Mapping[str, Any]) -> None:
    """Makes sure that OBS asks nothing when it leaves a profile of ours that was not finished."""
    if noted.get("making_profile") == name:
        _set_audio(obs, noted.get("making_audio"))


# Loading an OBS profile again ------------------------------------------------------------------


def noted_audio(parameters: Mapping[Parameter, ParameterValue]) -> dict[str, str]:
    """Gives what is set of the audio.

    Where the profiles that OBS leaves and loads differ in it, it asks in a dialog whether it may
    start again.
    """
    return {
        "/".join(parameter): found.value
        for parameter in _AUDIO
        if (found := parameters[parameter]).value is not None and found.value != found.default
    }


def _audio(obs: Obs) -> dict[str, str]:
    return noted_audio(read_parameters(obs, _AUDIO))


def _set_audio(obs: Obs, audio: object) -> None:
    values: dict[Parameter, str | None] = {}
    for key, value in (audio if isinstance(audio, Mapping) else {}).items():
        category, _, name = key.partition("/")
        values[category, name] = value
    set_parameters(obs, values)


def reload_profile(obs: Obs, journal: Journal) -> None:
    """Loads the OBS profile in use again: only then its settings take effect."""
    with journal.alone(), obs.undivided():
        name, names = read_profiles(obs)
        audio = _audio(obs)
        journal.write(
            Entry(("away_from",), name, replace=True), Entry(("away_audio",), audio, replace=True)
        )
        try:
            if RELOADING in names:
                request_slow(obs, Request("RemoveProfile", {"profileName": RELOADING}))
            request_slow(obs, Request("CreateProfile", {"profileName": RELOADING}))
            _set_audio(obs, audio)
        finally:  # also when the user stops us meanwhile
            _go_back(obs, journal, name)
    journal.forget(("reload_pending",))


def finish_reloads(obs: Obs, environ: Mapping[str, str] = os.environ) -> None:
    """Goes back to an OBS profile that was left to be loaded again, where something came between.

    Whichever of our profiles it was left for. Not while an output runs: that is in the way.
    """
    for journal in journals(identity_of(obs), environ):
        if _left_from(journal) is None or read_running(obs):
            continue
        with journal.alone(), obs.undivided():  # not while another session is at it
            if (name := _left_from(journal)) is not None:
                _go_back(obs, journal, name)


def _left_from(journal: Journal) -> str | None:
    try:
        name = journal.read().get("away_from")
    except PypacError:  # whoever needs it says so
        return None
    return name if isinstance(name, str) else None


def _go_back(obs: Obs, journal: Journal, name: str) -> None:
    current, names = read_profiles(obs)
    if current == RELOADING and name in names:
        _set_audio(obs, journal.read().get("away_audio"))
        request_slow(obs, Request("SetCurrentProfile", {"profileName": name}))
    if RELOADING in names:
        request_slow(obs, Request("RemoveProfile", {"profileName": RELOADING}))
    journal.forget(("away_from",), ("away_audio",))
