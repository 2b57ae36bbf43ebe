# SPDX-License-Identifier: MIT
"""Tells one OBS from another that listens at the same address at another time.

The first change leaves a number of ours among what OBS keeps for programs like this one. What was
noted of an OBS goes by that number; putting everything back takes it away.
"""

from __future__ import annotations

import json
import re
import uuid

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.client.address import ObsAddress
from pypac_obs.obs.client.settings import ObsFolder

__all__ = ["LOOPBACK", "give_identity", "identity_in", "identity_of", "take_identity"]

# The ways to say "this computer".
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_REALM, _SLOT = "OBS_WEBSOCKET_DATA_REALM_GLOBAL", "pypac-obs"
# Where obs-websocket keeps it, in OBS's folder: since 5.5 and before.
_FILES = ("plugin_config/obs-websocket/persistent_data.json", "obsWebSocketPersistentData.json")
_MAX_BYTES = 2**20


def identity_of(obs: Obs) -> str:
    """Gives an OBS's number; its address where it has none, or can't keep one. Raises ObsError."""
    return _number(obs) or _named(obs.address)


def give_identity(obs: Obs) -> str:
    """Gives an OBS a number, unless it has one, and returns it. Raises ObsError."""
    if _number(obs) is None:
        try:
            _keep(obs, uuid.uuid4().hex)
        except ObsRefused:
            return _named(obs.address)
    return identity_of(obs)


def take_identity(obs: Obs) -> None:
    """Takes the number away. Raises ObsError."""
    if _number(obs) is not None:
        _keep(obs, "")  # OBS takes no null, and has no way to remove it


def identity_in(folder: ObsFolder) -> str | None:
    """Reads the number of the OBS that keeps its files in a folder; None where it has none."""
    for name in _FILES:
        try:
            with (folder.config / name).open("rb") as file:
                data = json.loads(file.read(_MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(data, dict) and (number := _checked(data.get(_SLOT))):
            return number
    return None


def _number(obs: Obs) -> str | None:
    try:
        answer = obs.request("GetPersistentData", realm=_REALM, slotName=_SLOT)
    except ObsRefused:
        return None
    return _checked(answer.get("slotValue"))


def _keep(obs: Obs, number: str) -> None:
    obs.request("SetPersistentData", realm=_REALM, slotName=_SLOT, slotValue=number)


def _checked(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) else None


def _named(address: ObsAddress) -> str:
    host = address.host.lower()
    return f"{'localhost' if host in LOOPBACK else host}:{address.port}"
