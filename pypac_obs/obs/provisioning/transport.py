# SPDX-License-Identifier: MIT
"""How a track's audio gets into OBS: which kind of input takes it, with which settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pypac_obs import _core
from pypac_obs.errors import ObsError
from pypac_obs.obs.client.actual import OLD_PIPEWIRE_KIND, PIPEWIRE_KIND
from pypac_obs.obs.client.status import TRACK_KIND
from pypac_obs.profile import ProcessSource, Profile
from pypac_obs.profile.references import beyond_native

__all__ = ["InputRule", "Transport", "choose_transport", "device_node"]

TransportName = Literal["plugin", "device", "native"]

DEVICE_KIND = "pulse_input_capture"
# OBS's own capture of programs on Windows. On Linux a plugin brings one.
WINDOWS_KIND = "wasapi_process_output_capture"

_EXE = ".exe"
_WINDOW_PRIORITY_EXE = 2  # of a window's title, class and program, the program counts
_SEVERAL_PROGRAMS = 1  # the kind's CaptureMode; 0 takes a single one


@dataclass(frozen=True)
class InputRule:
    """The kind of an input and those of its settings that say what it takes."""

    kind: str
    settings: Mapping[str, Any]

    @property
    def names_us(self) -> bool:
        """True where no input but one of ours takes this; a program anybody may capture."""
        return self.kind in (TRACK_KIND, DEVICE_KIND)

    def fits(self, kind: str, settings: Mapping[str, Any]) -> bool:
        """Tells whether an input takes the same; it may have other settings besides."""
        return kind == self.kind and all(settings.get(k) == v for k, v in self.settings.items())


@dataclass(frozen=True)
class Transport:
    """The way that was chosen, why, and the input of each of the profile's tracks."""

    name: TransportName
    why: str
    inputs: Mapping[str, InputRule]


def device_node(session: str, track: str) -> str:
    """The name of the virtual device that carries a track: a PipeWire node.

    >>> device_node("gaming", "voice chat")
    'pypac-obs.gaming.voice.20chat'
    """
    return _core.virtual_source_name(session, track)


def choose_transport(profile: Profile, session: str, kinds: Collection[str]) -> Transport:
    """Chooses among the kinds of input that an OBS has. Raises ObsError where none will do."""
    rule = profile.outputs.obs
    assert rule is not None
    if rule.transport != "auto":
        reason = _missing(rule.transport, profile, kinds)
        if reason:
            raise ObsError(reason, remedy=_REMEDIES[rule.transport])
        return _transport(rule.transport, "as the profile says", profile, session, kinds)
    reasons: list[str] = []
    names: tuple[TransportName, ...] = ("plugin", "device", "native")
    for name in names:
        reason = _missing(name, profile, kinds)
        if not reason:
            why = "; ".join(reasons) or "the best there is"
            return _transport(name, why, profile, session, kinds)
        reasons.append(reason)
    raise ObsError(
        f"no transport works with this OBS: {'; '.join(reasons)}", remedy=_REMEDIES["plugin"]
    )


_REMEDIES = {
    "plugin": "Run `pypac-obs obs install`, then start OBS again.",
    "device": "Take `transport: plugin`; devices need OBS on Linux with its PulseAudio inputs.",
    "native": (
        "Take `transport: plugin`, or install obs-pipewire-audio-capture 1.2 or newer in OBS on "
        "Linux."
    ),
}


def _missing(name: TransportName, profile: Profile, kinds: Collection[str]) -> str:
    """Why a transport does not work with this OBS; empty where it does."""
    if name == "plugin":
        return "" if TRACK_KIND in kinds else "OBS does not have our source plugin"
    if name == "device":
        return "" if DEVICE_KIND in kinds else "OBS has no input for PulseAudio devices"
    kind = _native_kind(kinds)
    if kind is None and OLD_PIPEWIRE_KIND in kinds:
        return "the obs-pipewire-audio-capture in OBS is older than 1.2"
    if kind is None:
        return "OBS has no capture of programs of its own"
    data = profile.model_dump()
    for track in _tracks(profile):
        if found := beyond_native(data["sources"], data["tracks"][track]):
            return f'OBS cannot capture the track "{track}" itself: it is {found}'
        if kind == WINDOWS_KIND and len(_without_exe(profile, track)) > 1:
            return f'OBS captures one program only, and the track "{track}" names several'
    return ""


def _transport(
    name: TransportName, why: str, profile: Profile, session: str, kinds: Collection[str]
) -> Transport:
    inputs = {track: _input(name, profile, session, track, kinds) for track in _tracks(profile)}
    return Transport(name, why, inputs)


def _input(
    name: TransportName, profile: Profile, session: str, track: str, kinds: Collection[str]
) -> InputRule:
    if name == "plugin":
        return InputRule(TRACK_KIND, {"session": session, "track": track})
    if name == "device":
        return InputRule(DEVICE_KIND, {"device_id": device_node(session, track)})
    # As in our own capture, `.exe` plays no part; and case plays none in OBS's.
    programs = _without_exe(profile, track)
    if _native_kind(kinds) == WINDOWS_KIND:
        # A window is written title:class:program, and only the program counts here.
        program = programs[0].replace("#", "#22").replace(":", "#3A") + _EXE
        return InputRule(WINDOWS_KIND, {"window": f"::{program}", "priority": _WINDOW_PRIORITY_EXE})
    names = [name for program in programs for name in (program, program + _EXE)]
    return InputRule(
        PIPEWIRE_KIND,
        {
            "CaptureMode": _SEVERAL_PROGRAMS,
            "ExceptApp": False,
            "apps": [{"value": p, "hidden": False, "selected": False} for p in names],
        },
    )


def _native_kind(kinds: Collection[str]) -> str | None:
    return next((kind for kind in (WINDOWS_KIND, PIPEWIRE_KIND) if kind in kinds), None)


def _tracks(profile: Profile) -> tuple[str, ...]:
    assert profile.outputs.obs is not None
    return tuple(profile.outputs.obs.tracks)


def _without_exe(profile: Profile, track: str) -> tuple[str, ...]:
    """The programs of a track that OBS can capture itself, each once."""
    source = profile.sources[profile.tracks[track].sends[0].source]
    assert isinstance(source, ProcessSource)
    found: dict[str, str] = {}
    for program in map(str, source.process):
        is_exe = len(program) > len(_EXE) and program.lower().endswith(_EXE)
        name = program[: -len(_EXE)] if is_exe else program
        found.setdefault(name.lower(), name)
    return tuple(found.values())
