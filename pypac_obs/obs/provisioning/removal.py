# SPDX-License-Identifier: MIT
"""Removing an input from OBS for good.

OBS forgets an input that was removed only when each scene that has it is drawn the next time. Until
then it is still listed, its name is taken, and it is saved with the scene. So it is taken out
of its scenes first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.client.look import read_items
from pypac_obs.obs.client.reading import read_scenes

__all__ = ["NOT_FOUND", "remove_from_scenes", "remove_input"]

NOT_FOUND = 600  # obs-websocket's code


def remove_input(obs: Obs, name: str) -> None:
    """Removes an input, and its last traces. Raises ObsError."""
    remove_from_scenes(obs, name)
    with _gone_already():  # it goes with its last scene
        obs.request("RemoveInput", inputName=name)


def remove_from_scenes(obs: Obs, name: str) -> None:
    """Takes an input out of all scenes of the scene collection in use."""
    for scene, items in read_items(obs, read_scenes(obs)).items():
        for item in items:
            if item.source == name and not item.group:  # from a group OBS lets nobody remove
                with _gone_already():
                    obs.request("RemoveSceneItem", sceneName=scene, sceneItemId=item.id)


@contextlib.contextmanager
def _gone_already() -> Iterator[None]:
    try:
        yield
    except ObsRefused as refusal:
        if refusal.code != NOT_FOUND:
            raise
