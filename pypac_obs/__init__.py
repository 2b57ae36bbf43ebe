# SPDX-License-Identifier: MIT
"""Captures each program's audio apart, on one clock, into split files or arrays.

>>> from pypac_obs import Session, list_processes, record_process
>>> sorted(name for name in __all__ if name.startswith("Process"))
['ProcessAudio', 'ProcessRecorder', 'ProcessWatch']
"""

from importlib.metadata import version

from pypac_obs.capabilities import Capability, capabilities
from pypac_obs.errors import (
    BackendUnavailable,
    DeviceGone,
    NotRunning,
    OutputFailed,
    PermissionDenied,
    ProfileError,
    ProfileMistake,
    PypacError,
    SessionClosed,
    Unsupported,
)
from pypac_obs.incidents import Incident, describe
from pypac_obs.outputs.base import Block, Output, SessionInfo, TrackInfo
from pypac_obs.processes import AudioStream, ProcessAudio, ProcessWatch, list_processes
from pypac_obs.profile import Profile, load_profile
from pypac_obs.recorder import ProcessRecorder, record_process, record_process_id
from pypac_obs.session import Session
from pypac_obs.status import SessionStatus

__version__ = version("pypac-obs")

__all__ = [
    "AudioStream",
    "BackendUnavailable",
    "Block",
    "Capability",
    "DeviceGone",
    "Incident",
    "NotRunning",
    "Output",
    "OutputFailed",
    "PermissionDenied",
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
    "TrackInfo",
    "Unsupported",
    "capabilities",
    "describe",
    "list_processes",
    "load_profile",
    "record_process",
    "record_process_id",
]
