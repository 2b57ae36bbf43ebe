# SPDX-License-Identifier: MIT
"""Records numbered tracks in real time until it is killed. Prints the frame that it has come to.

Arguments: folder, format, encoding.
"""

import sys
import time

from fake_reader import FakeReader, Rule, numbered_tracks, session_info

from pypac_obs.incidents import Incident
from pypac_obs.outputs.driver import OutputThread
from pypac_obs.outputs.files import FilesOutput

TRACKS = {"game": 2, "voice": 1, "music": 2}
BITS = {"float32": 24, "pcm24": 24, "pcm16": 16}


def main(folder: str, file_format: str, encoding: str) -> None:
    reader = FakeReader(TRACKS)
    output = FilesOutput(Rule(folder, format=file_format, encoding=encoding))
    status = {"sources": {"game": {"state": "playing", "bindings": [{"pid": 7}]}}}
    thread = OutputThread(output, reader, session_info(TRACKS), status=lambda: status)
    thread.start()
    print("open", flush=True)
    begun = time.monotonic()
    frame = 0
    while True:
        time.sleep(0.01)
        target = int((time.monotonic() - begun) * 48000)
        reader.push(numbered_tracks(frame, target, TRACKS, BITS[encoding]))
        if frame // 48000 != target // 48000:
            thread.post_incident(Incident("late", "game", None, ("game",), frame, 1))
        frame = target
        print(frame, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
