# SPDX-License-Identifier: MIT
"""The YAML file that says what to capture, how to mix it, and where to send it.

``load_profile`` reads one, ``parse_profile`` takes its text, ``Profile.from_dict`` builds one from
Python objects. All of them find every mistake at once and raise ProfileError with its list.
"""

from pypac_obs.errors import ProfileError, ProfileMistake
from pypac_obs.profile.filters import FilterRule
from pypac_obs.profile.loader import load_profile, parse_profile
from pypac_obs.profile.model import (
    ControlRule,
    DeviceSource,
    DropOut,
    EverythingExceptSource,
    PluginSource,
    ProcessRef,
    ProcessSource,
    Profile,
    RingSettings,
    Send,
    SessionSettings,
    SourceRule,
    SyntheticSignal,
    SyntheticSource,
    SystemSource,
    TrackRule,
)
from pypac_obs.profile.obs_output import ObsRecording, ObsRule, ObsTrack, SecretRef
from pypac_obs.profile.outputs import (
    AnyOutput,
    FilesRule,
    NamedOutput,
    OutputRules,
    PluginRule,
)
from pypac_obs.profile.paths import PLACEHOLDERS, expand_path

__all__ = [
    "PLACEHOLDERS",
    "AnyOutput",
    "ControlRule",
    "DeviceSource",
    "DropOut",
    "EverythingExceptSource",
    "FilesRule",
    "FilterRule",
    "NamedOutput",
    "ObsRecording",
    "ObsRule",
    "ObsTrack",
    "OutputRules",
    "PluginRule",
    "PluginSource",
    "ProcessRef",
    "ProcessSource",
    "Profile",
    "ProfileError",
    "ProfileMistake",
    "RingSettings",
    "SecretRef",
    "Send",
    "SessionSettings",
    "SourceRule",
    "SyntheticSignal",
    "SyntheticSource",
    "SystemSource",
    "TrackRule",
    "expand_path",
    "load_profile",
    "parse_profile",
]
