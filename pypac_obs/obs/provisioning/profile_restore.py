# SPDX-License-Identifier: MIT
"""Puts OBS's own profiles back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.actual import Actual
from pypac_obs.obs.client.reading import read_profiles
from pypac_obs.obs.provisioning.made_inputs import mapping_in
from pypac_obs.obs.provisioning.parameter_steps import PutBackParameter, ReloadProfile
from pypac_obs.obs.provisioning.profile_steps import RemoveProfile, UseProfile
from pypac_obs.obs.provisioning.profiles import ready_to_leave
from pypac_obs.obs.provisioning.undoing import Undoing, if_renamed

__all__ = ["restore_profiles"]


def restore_profiles(undoing: Undoing, noted: Mapping[str, Any], actual: Actual) -> None:
    """Goes back to the user's OBS profile, sets what he had set, and removes those that we made.

    ``actual`` is OBS before anything was put back. Raises ObsError.
    """
    made = mapping_in(noted, "made_profiles")
    back = noted.get("user_profile")
    if back not in actual.profiles and actual.profile in made:
        back = next((name for name in actual.profiles if name not in made), None)
    if isinstance(back, str) and back in actual.profiles and back != actual.profile:
        ready_to_leave(undoing.obs, actual.profile, noted)
        undoing.do(UseProfile(back))
    for name, values in mapping_in(noted, "parameters").items():
        _parameters(undoing, name, values)
    for name in made:
        current, names = read_profiles(undoing.obs)
        if name == current:
            undoing.notes.append(f'The OBS profile "{name}" stays: it is in use.')
        elif name in names:
            undoing.do(RemoveProfile(name), ("made_profiles", name))


def _parameters(undoing: Undoing, name: str, values: Mapping[str, Any]) -> None:
    current, names = read_profiles(undoing.obs)
    if name not in names:
        undoing.leave(
            f'The OBS profile "{name}" is gone or has another name now, so its settings were '
            f"not put back. {if_renamed(name)}",
            ("parameters", name),
            ("set_parameters", name),
        )
        return
    if current != name:
        undoing.begin(UseProfile(name))
    for key, value in values.items():
        category, _, parameter = key.partition("/")
        try:
            step = PutBackParameter(name, (category, parameter), value)
            undoing.begin(step)
        except ObsRefused as refusal:
            undoing.leave(
                f'OBS did not take back {key} of the OBS profile "{name}": {refusal.message}.',
                ("parameters", name, key),
                ("set_parameters", name, key),
            )
    reload = ReloadProfile(name)
    undoing.begin(reload)
    undoing.done.append(reload)
    if current != name:
        undoing.begin(UseProfile(current))
