# SPDX-License-Identifier: MIT
"""Sessions on synthetic sources, and what is heard of them."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from pypac_obs import Profile, Session

RATE = 48_000
NUMBERED = 1 << 24


def base(folder: Path) -> dict[str, Any]:
    return {
        "version": 1,
        "sources": {
            "one": {"synthetic": {"kind": "numbered"}},
            "tone": {"synthetic": {"kind": "tone", "frequency_hz": 1000, "level_dbfs": 0}},
        },
        "tracks": {"one": {"from": "one"}, "tone": {"from": "tone"}},
        "outputs": {"files": {"folder": str(folder)}},
    }


def profile(data: dict[str, Any], **changes: Any) -> Profile:
    data = copy.deepcopy(data)
    for key, value in changes.items():
        section, name = key.split("__")
        if value is None:
            del data[section][name]
        else:
            data[section][name] = value
    return Profile.from_dict(data)


def hear(session: Session, frames: int) -> int:
    """Waits for so much more of the timeline, and gives where it is then."""
    until = session.position + frames
    while session.position < until:
        time.sleep(0.002)
    return session.position


def read(folder: Path, track: str) -> NDArray[np.float32]:
    audio: NDArray[np.float32] = soundfile.read(folder / f"{track}.wav", dtype="float32")[0]
    return audio[:, 0]


def is_numbered(samples: NDArray[np.float32], first: int = 0) -> bool:
    wanted = (np.arange(first, first + len(samples)) % NUMBERED) / NUMBERED
    return bool(np.array_equal(samples, wanted.astype(np.float32)))
