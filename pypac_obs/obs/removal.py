# SPDX-License-Identifier: MIT
"""Removing an input from OBS for good.

OBS forgets an input that was removed only when each scene that has it is drawn the next time. Until
then it is still listed, its name is taken, and it is saved with the scene. So it is taken out
of its scenes first.
"""

from __future__ import annotations

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.actual import Obs
from pypac_obs.obs.look import read_items
from pypac_obs.obs.reading import read_scenes

__all__ = ["NOT_FOUND", "remove_from_scenes", "remove_input"]

NOT_FOUND = 600  # obs-websocket's code


def remove_input(obs: Obs, name: str) -> None:
    """Removes an input, and its last traces. Raises ObsError."""
    remove_from_scenes(obs, name)
    try:
        obs.request("RemoveInput", inputName=name)
    except ObsRefused as refusal:
        if refusal.code != NOT_FOUND:  # it goes with its last scene
            raise


def remove_from_scenes(obs: Obs, name: str) -> None:
    """Takes an input out of all scenes of the scene collection in use."""
    for scene, items in read_items(obs, read_scenes(obs)).items():
        for item in items:
            if item.source == name and not item.group:  # from a group OBS lets nobody remove
                obs.request("RemoveSceneItem", sceneName=scene, sceneItemId=item.id)
