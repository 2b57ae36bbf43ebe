# SPDX-License-Identifier: MIT
"""What a profile wants of an OBS. What it leaves out is None, and left to the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pypac_obs.obs.client.actual import Actual, Parameter
from pypac_obs.obs.provisioning.transport import InputRule, Transport, choose_transport
from pypac_obs.profile import ObsRule, Profile

__all__ = [
    "PARAMETERS",
    "RECORDING_NAMES",
    "Desired",
    "DesiredInput",
    "desired_state",
    "track_mask",
]

MODE: Parameter = ("Output", "Mode")
RECORDED: Parameter = ("AdvOut", "RecTracks")
RECORDING_TYPE: Parameter = ("AdvOut", "RecType")
FOLDER: Parameter = ("AdvOut", "RecFilePath")
SIMPLE_FOLDER: Parameter = ("SimpleOutput", "FilePath")
VOD: Parameter = ("AdvOut", "VodTrackEnabled")
VOD_TRACK: Parameter = ("AdvOut", "VodTrackIndex")
# OBS's simple output mode has a VOD track only among its advanced settings, and it is always this.
SIMPLE_VOD: Parameter = ("SimpleOutput", "VodTrackEnabled")
SIMPLE_ADVANCED: Parameter = ("SimpleOutput", "UseAdvanced")
SIMPLE_VOD_TRACK = "2"
STREAMED: Parameter = ("AdvOut", "TrackIndex")
SAMPLE_RATE: Parameter = ("Audio", "SampleRate")
CHANNELS: Parameter = ("Audio", "ChannelSetup")
RECORDING_NAMES: dict[int, Parameter] = {n: ("AdvOut", f"Track{n}Name") for n in range(1, 7)}
# OBS 30 writes the format to a key of another name, as it has more of them.
FORMATS: tuple[Parameter, ...] = (("AdvOut", "RecFormat2"), ("AdvOut", "RecFormat"))
SIMPLE_FORMATS: tuple[Parameter, ...] = (
    ("SimpleOutput", "RecFormat2"),
    ("SimpleOutput", "RecFormat"),
)

PARAMETERS: tuple[Parameter, ...] = (
    MODE, RECORDED, RECORDING_TYPE, FOLDER, SIMPLE_FOLDER, VOD, VOD_TRACK, STREAMED, SAMPLE_RATE,
    CHANNELS, SIMPLE_VOD, SIMPLE_ADVANCED, *RECORDING_NAMES.values(), *FORMATS, *SIMPLE_FORMATS,
)  # fmt: skip
"""All that is read of an OBS profile."""

Special = Literal["keep", "mute", "unassign"]

# The only format of OBS's that holds a single audio track.
_ONE_TRACK_FORMAT = "flv"
_GOOD_FORMAT = "mkv"


@dataclass(frozen=True)
class DesiredInput:
    """The input of one track. What is None is left to the user."""

    track: str
    name: str
    rule: InputRule
    obs_tracks: frozenset[int]
    volume_db: float | None
    muted: bool | None
    monitor: str | None
    sync_offset_ms: int | None


@dataclass(frozen=True)
class Desired:
    """All that a profile wants.

    ``scene`` are names and patterns of scenes, ``parameters`` settings of the OBS profile.
    """

    scene: tuple[str, ...]
    transport: Transport
    inputs: tuple[DesiredInput, ...]
    desktop_audio: Special
    mic_aux: Special
    profile: str | None
    collection: str | None
    recorded: tuple[int, ...]
    parameters: Mapping[Parameter, str]


def desired_state(profile: Profile, session: str, actual: Actual) -> Desired:
    """Says what the profile wants of this OBS. Raises ObsError where it cannot have it."""
    rule = profile.outputs.obs
    assert rule is not None
    transport = choose_transport(profile, session, actual.kinds)
    inputs = tuple(
        DesiredInput(
            name,
            track.name or name,
            transport.inputs[name],
            frozenset(track.to),
            track.volume_db,
            track.mute,
            track.monitor,
            track.sync_offset_ms,
        )
        for name, track in rule.tracks.items()
    )
    return Desired(
        scene=rule.scene,
        transport=transport,
        inputs=inputs,
        desktop_audio=rule.desktop_audio,
        mic_aux=rule.mic_aux,
        profile=rule.own_profile,
        collection=rule.own_scene_collection,
        recorded=rule.recording.tracks if rule.recording else (),
        parameters=_parameters(rule, actual),
    )


def track_mask(tracks: tuple[int, ...]) -> str:
    """Writes OBS tracks as OBS's settings do, a bit each.

    >>> track_mask((1, 3))
    '5'
    """
    return str(sum(1 << (number - 1) for number in set(tracks)))


def _parameters(rule: ObsRule, actual: Actual) -> dict[Parameter, str]:
    if rule.recording is None and rule.vod_track is None:
        return {}
    # Only the advanced mode has several recorded tracks, and a choice of the VOD track.
    wanted = {MODE: "Advanced"}
    form = FORMATS[0] if actual.version.numbers >= (30,) else FORMATS[1]
    if actual.value(MODE).lower() != "advanced":
        # It has a folder and a format of its own: recordings go on to where they went before.
        simple = SIMPLE_FORMATS[0] if form == FORMATS[0] else SIMPLE_FORMATS[1]
        wanted |= {
            parameter: value
            for parameter, source in ((FOLDER, SIMPLE_FOLDER), (form, simple))
            if (value := actual.value(source))
        }
    if rule.recording is not None:
        wanted[RECORDED] = track_mask(rule.recording.tracks)
        wanted[RECORDING_TYPE] = "Standard"
        for number, name in (rule.recording.names or {}).items():
            wanted[RECORDING_NAMES[number]] = name
        one_track = wanted.get(form, actual.value(form)) == _ONE_TRACK_FORMAT
        if one_track and len(rule.recording.tracks) > 1:
            wanted[form] = _GOOD_FORMAT
    if rule.vod_track is not None:
        wanted |= {VOD: "true", VOD_TRACK: str(rule.vod_track)}
    return wanted
