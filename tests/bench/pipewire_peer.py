# SPDX-License-Identifier: MIT
"""A session that captures a profile's sources, for `windows_capture`: which threads capture.

    python pipewire_peer.py PROFILE

Writes their numbers on one line, and, after any line of input, the frames of the source that has
fewest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from pypac_obs.audio_system import Capture, open_capture
from pypac_obs.session import Session, wiring


def threads() -> set[int]:
    return {int(tid) for tid in os.listdir("/proc/self/task")}


def main() -> None:
    made: set[int] = set()

    def watched(**settings: Any) -> Capture:
        before = threads()
        capture = open_capture(**settings)
        capture.wait_until_running(1.0)
        made.update(threads() - before)
        return capture

    wiring.open_capture = watched  # type: ignore[attr-defined]
    with Session(sys.argv[1]) as session:
        # The other one only controls: it binds programs and makes links.
        capturing = [
            tid for tid in made if "pipewire" not in Path(f"/proc/self/task/{tid}/comm").read_text()
        ]
        print(*capturing, flush=True)
        sys.stdin.readline()
        status = session.status()
    print(min(source.captured_frames for source in status.sources), flush=True)


if __name__ == "__main__":
    main()
