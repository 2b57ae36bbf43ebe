# SPDX-License-Identifier: MIT
"""What is heard of a session's tracks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Heard:
    """A session's ``on_block``: what its tracks were, from frame 0 on."""

    def __init__(self) -> None:
        self.blocks: dict[str, list[NDArray[np.float32]]] = {}

    def __call__(self, block: Any) -> None:
        for track, audio in block.audio.items():
            self.blocks.setdefault(track, []).append(audio.copy())

    def __getitem__(self, track: str) -> NDArray[np.float32]:
        return np.concatenate(self.blocks[track])


def wait_for(what: Callable[[], bool], timeout_s: float = 30.0) -> None:
    until = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)
