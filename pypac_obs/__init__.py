# SPDX-License-Identifier: MIT
"""Captures each program's audio apart, on one clock, into split files or arrays.

>>> from pypac_obs import Session, list_processes, record_process
>>> sorted(name for name in __all__ if name.startswith("Process"))
['ProcessAudio', 'ProcessRecorder', 'ProcessWatch']
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from pypac_obs.capabilities import Capability, capabilities
    from pypac_obs.errors import (
        BackendUnavailable,
        DeviceGone,
        NotRunning,
        ObsDisabled,
        ObsError,
        ObsNotAnswering,
        ObsNotRunning,
        ObsProtocolError,
        ObsRefused,
        ObsTooOld,
        ObsUntrusted,
        ObsWrongPassword,
        OutputFailed,
        PermissionDenied,
        PluginFailed,
        ProfileError,
        ProfileMistake,
        PypacError,
        SessionClosed,
        Unsupported,
    )
    from pypac_obs.filter import Filter, Parameter
    from pypac_obs.incidents import Incident, describe
    from pypac_obs.input_devices import InputDevice, list_inputs
    from pypac_obs.outputs.output import Block, Marker, Output, SessionInfo, TrackInfo
    from pypac_obs.processes import AudioStream, ProcessAudio, ProcessWatch, list_processes
    from pypac_obs.profile import Profile, load_profile
    from pypac_obs.recorder import ProcessRecorder, record_process, record_process_id
    from pypac_obs.session import Session
    from pypac_obs.source import Source, SourceInfo
    from pypac_obs.status import SessionStatus

__all__ = [
    "AudioStream",
    "BackendUnavailable",
    "Block",
    "Capability",
    "DeviceGone",
    "Filter",
    "Incident",
    "InputDevice",
    "Marker",
    "NotRunning",
    "ObsDisabled",
    "ObsError",
    "ObsNotAnswering",
    "ObsNotRunning",
    "ObsProtocolError",
    "ObsRefused",
    "ObsTooOld",
    "ObsUntrusted",
    "ObsWrongPassword",
    "Output",
    "OutputFailed",
    "Parameter",
    "PermissionDenied",
    "PluginFailed",
    "ProcessAudio",
    "ProcessRecorder",
    "ProcessWatch",
    "Profile",
    "ProfileError",
    "ProfileMistake",
    "PypacError",
    "Session",
    "SessionClosed",
    "SessionInfo",
    "SessionStatus",
    "Source",
    "SourceInfo",
    "TrackInfo",
    "Unsupported",
    "capabilities",
    "describe",
    "list_inputs",
    "list_processes",
    "load_profile",
    "record_process",
    "record_process_id",
]

# Loaded when first asked for, so that the command line answers at once.
_HOMES = {
    "Capability": "pypac_obs.capabilities",
    "capabilities": "pypac_obs.capabilities",
    "BackendUnavailable": "pypac_obs.errors",
    "DeviceGone": "pypac_obs.errors",
    "NotRunning": "pypac_obs.errors",
    "ObsDisabled": "pypac_obs.errors",
    "ObsError": "pypac_obs.errors",
    "ObsNotAnswering": "pypac_obs.errors",
    "ObsNotRunning": "pypac_obs.errors",
    "ObsProtocolError": "pypac_obs.errors",
    "ObsRefused": "pypac_obs.errors",
    "ObsTooOld": "pypac_obs.errors",
    "ObsUntrusted": "pypac_obs.errors",
    "ObsWrongPassword": "pypac_obs.errors",
    "OutputFailed": "pypac_obs.errors",
    "PermissionDenied": "pypac_obs.errors",
    "PluginFailed": "pypac_obs.errors",
    "ProfileError": "pypac_obs.errors",
    "ProfileMistake": "pypac_obs.errors",
    "PypacError": "pypac_obs.errors",
    "SessionClosed": "pypac_obs.errors",
    "Unsupported": "pypac_obs.errors",
    "Filter": "pypac_obs.filter",
    "Parameter": "pypac_obs.filter",
    "Incident": "pypac_obs.incidents",
    "describe": "pypac_obs.incidents",
    "InputDevice": "pypac_obs.input_devices",
    "list_inputs": "pypac_obs.input_devices",
    "Block": "pypac_obs.outputs.output",
    "Marker": "pypac_obs.outputs.output",
    "Output": "pypac_obs.outputs.output",
    "SessionInfo": "pypac_obs.outputs.output",
    "TrackInfo": "pypac_obs.outputs.output",
    "AudioStream": "pypac_obs.processes",
    "ProcessAudio": "pypac_obs.processes",
    "ProcessWatch": "pypac_obs.processes",
    "list_processes": "pypac_obs.processes",
    "Profile": "pypac_obs.profile",
    "load_profile": "pypac_obs.profile",
    "ProcessRecorder": "pypac_obs.recorder",
    "record_process": "pypac_obs.recorder",
    "record_process_id": "pypac_obs.recorder",
    "Session": "pypac_obs.session",
    "SessionStatus": "pypac_obs.status",
    "Source": "pypac_obs.source",
    "SourceInfo": "pypac_obs.source",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = import_module("importlib.metadata").version("pypac-obs")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
