# SPDX-License-Identifier: MIT
"""What a profile says of OBS: the key ``outputs.obs``.

What is left out of a track, and of ``recording`` and ``vod_track``, is None: nothing is asked of
OBS there, and the user's own settings stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pypac_obs.profile.checks import Between, Check, Many, OneOf, describe, problem
from pypac_obs.profile.rule import Name, Rule, Text, check_named

__all__ = ["ObsRecording", "ObsRule", "ObsTrack", "SecretRef"]

# OBS has six audio tracks, numbered from 1.
OBS_TRACKS = 6

ObsTrackNumber = Annotated[int, Between(1, OBS_TRACKS)]
ObsTrackNumbers = Annotated[tuple[ObsTrackNumber, ...], Many(most=OBS_TRACKS)]
Switch = Annotated[Literal[True, False], OneOf()]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_HOST = re.compile(r"[A-Za-z0-9_.:%-]{1,253}")


def _check_variable(value: Any) -> Any:
    # What stands there is not shown: it may be the password itself.
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise problem("the name of an environment variable", "something else")
    return value


class SecretRef(Rule):
    """Where a secret is: a profile never holds one."""

    SCHEMA: ClassVar[dict[str, Any]] = {"minProperties": 1, "maxProperties": 1}

    env: Annotated[str, Check(_check_variable, {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})] | None = (
        None
    )
    """The environment variable that holds it."""
    keyring: Text | None = None
    """The name under which the system's keyring holds it, in the service `pypac-obs`."""


def _read_secret(value: Any) -> Any:
    if isinstance(value, SecretRef):
        return value
    expected = "where the password is: {env: VARIABLE} or {keyring: NAME}"
    if not isinstance(value, Mapping):
        raise problem(f"{expected}, as a profile holds no secrets", "something else (not shown)")
    if sum(key in value and value[key] is not None for key in ("env", "keyring")) > 1:
        raise problem(expected, "both")
    if not value:
        raise problem(expected, describe(value))
    return value


def _check_host(value: Any) -> Any:
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise problem("a computer's name or address, such as localhost", describe(value))
    return value


class ObsTrack(Rule):
    """What OBS makes of one of the profile's tracks: an input of its own."""

    to: ObsTrackNumbers
    """The audio tracks of OBS that it goes to, 1 to 6."""
    name: Text | None = None
    """What the input is called in OBS; the track's name where this is left out."""
    volume_db: Annotated[float, Between(-100, 26)] | None = None
    """The input's fader, in dB. Left out: yours to move."""
    mute: Switch | None = None
    """Whether OBS mutes it. Left out: yours to press."""
    monitor: Annotated[Literal["none", "monitor_only", "monitor_and_output"], OneOf()] | None = None
    """Whether you hear it, and whether only you do. Left out: yours to choose."""
    sync_offset_ms: Annotated[int, Between(-950, 20_000)] | None = None
    """How much later OBS plays it, in milliseconds. Left out: yours to set."""


def _read_track(value: Any) -> Any:
    if isinstance(value, Mapping | ObsTrack):
        return value
    if isinstance(value, list | tuple) or (isinstance(value, int) and not isinstance(value, bool)):
        return {"to": value}
    raise problem(
        f"the number of an OBS track (1 to {OBS_TRACKS}), a list of them, or {{to: ...}}",
        describe(value),
    )


def _check_names(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise problem("a mapping of OBS track numbers to names", describe(value))
    if not 1 <= len(value) <= OBS_TRACKS:
        found = f"{len(value)} of them" if value else describe(value)
        raise problem(f"1 to {OBS_TRACKS} names", found)
    return value


def _read_number(key: Any) -> Any:
    """Reads a key that is a number: text, where it comes from YAML or JSON."""
    return int(key) if isinstance(key, str) and re.fullmatch("[0-9]{1,3}", key) else key


class ObsRecording(Rule):
    """What OBS records."""

    tracks: ObsTrackNumbers
    """The audio tracks of OBS that go into its recording."""
    names: (
        Annotated[
            dict[Annotated[int, Between(1, OBS_TRACKS), Check(_read_number)], Text],
            Check(
                _check_names,
                {"propertyNames": {"pattern": f"^[1-{OBS_TRACKS}]$"}, "minProperties": 1},
            ),
        ]
        | None
    ) = None
    """What those tracks are called in the file, by their numbers."""


class ObsRule(Rule):
    """Gives tracks to OBS, each as an input of its own, by way of obs-websocket."""

    scene: Annotated[tuple[Text, ...], Many()] = ("*",)
    """The scenes that the inputs are in: names, each made where it is missing, and patterns."""
    tracks: Annotated[
        dict[
            Name,
            Annotated[
                ObsTrack,
                Check(
                    _read_track,
                    short={
                        "anyOf": [
                            {"type": "integer", "minimum": 1, "maximum": OBS_TRACKS},
                            {
                                "type": "array",
                                "items": {"type": "integer", "minimum": 1, "maximum": OBS_TRACKS},
                                "minItems": 1,
                                "maxItems": OBS_TRACKS,
                            },
                        ]
                    },
                ),
            ],
        ],
        Check(lambda value: check_named(value, "track"), {"minProperties": 1}),
    ]
    """The tracks that OBS gets, each with the OBS tracks it goes to."""
    transport: Annotated[Literal["plugin", "device", "native", "auto"], OneOf()] = "plugin"
    """How the audio gets into OBS."""
    host: Annotated[str, Check(_check_host, {"minLength": 1})] | None = None
    """The computer that OBS runs on."""
    port: Annotated[int, Between(1, 65_535)] | None = None
    """The port of obs-websocket there."""
    password: Annotated[SecretRef, Check(_read_secret, SecretRef.SCHEMA)] | None = None
    """Where the password of obs-websocket is."""
    desktop_audio: Annotated[Literal["keep", "mute", "unassign"], OneOf()] = "keep"
    """What becomes of OBS's own Desktop Audio."""
    mic_aux: Annotated[Literal["keep", "mute", "unassign"], OneOf()] = "keep"
    """What becomes of OBS's own Mic/Aux."""
    recording: ObsRecording | None = None
    """The audio tracks of OBS's recording. Left out: as they are."""
    vod_track: ObsTrackNumber | None = None
    """The audio track of OBS that becomes the Twitch VOD track. Left out: as it is."""
    own_profile: Text | None = None
    """An OBS profile of this name is made and used. Left out: the one that is in use."""
    own_scene_collection: Text | None = None
    """A scene collection of this name is made and used. Left out: the one that is in use."""
    drift: Annotated[Literal["mend", "report"], OneOf()] = "mend"
    """What to do when somebody changes in OBS what the profile says."""
