# SPDX-License-Identifier: MIT
"""Requests that take OBS long: meanwhile it loads devices, encoders and whole scenes."""

from __future__ import annotations

import time
from typing import Any

from pypac_obs.errors import ObsNotAnswering
from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.client.reading import read_profiles
from pypac_obs.obs.client.requests import Request

__all__ = ["request_slow"]

_SLOW = frozenset(
    {
        "CreateProfile",
        "SetCurrentProfile",
        "RemoveProfile",
        "CreateSceneCollection",
        "SetCurrentSceneCollection",
    }
)
_SLOW_S = 30.0
_POLL_S = 0.05


def request_slow(obs: Obs, request: Request) -> dict[str, Any]:
    """Asks, and gives OBS the time that it needs for another profile or scene collection.

    From OBS 31 on it says that profiles are made and removed before they are.
    """
    kind, data = request.kind, request.data
    if kind not in _SLOW:
        return obs.request(kind, **data)
    answer = obs.request(kind, timeout_s=_SLOW_S, **data)
    if (name := data.get("profileName")) is None:
        return answer
    deadline = time.monotonic() + _SLOW_S
    while not _is_done(obs, kind, name):
        if time.monotonic() > deadline:
            raise ObsNotAnswering(
                f"OBS has not done {kind} with {name!r} in {_SLOW_S:g} s",
                remedy="OBS may be waiting for an answer in a dialog of its own.",
            )
        time.sleep(_POLL_S)
    return answer


def _is_done(obs: Obs, kind: str, profile: str) -> bool:
    current, names = read_profiles(obs)
    return profile not in names if kind == "RemoveProfile" else current == profile
