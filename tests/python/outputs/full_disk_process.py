# SPDX-License-Identifier: MIT
"""Records numbered tracks until the files can grow no more; prints what became of it as JSON.

Arguments: folder, format, encoding, and either "limit" (no file may pass 600 kB, in place of a
full disk where nothing can be mounted) or "tmpfs" (2 MB are mounted over the folder; for a mount
namespace of its own). Two outputs run, of which the other one must not notice.
"""

import json
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from fake_reader import FakeReader, Rule, numbered_tracks, session_info

from pypac_obs.incidents import Incident
from pypac_obs.outputs.driver import OutputThread
from pypac_obs.outputs.files import FilesOutput

TRACKS = {"game": 2, "voice": 2}
BITS = {"float32": 24, "pcm24": 24, "pcm16": 16}


def shell(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main(folder: str, file_format: str, encoding: str, way: str) -> None:
    bits = BITS[encoding]
    full, other = Path(folder) / "full", Path(folder) / "other"
    full.mkdir()
    if way == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(full)], check=True)
    else:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    incidents: list[Incident] = []
    readers = [FakeReader(TRACKS), FakeReader({"voice": 2})]
    threads = [
        OutputThread(
            FilesOutput(Rule(str(full), format=file_format, encoding=encoding), name="full"),
            readers[0],
            session_info(TRACKS),
            on_incident=incidents.append,
        ),
        OutputThread(
            # Silent FLAC stays below any limit here.
            FilesOutput(Rule(str(other), format="flac"), name="other"),
            readers[1],
            session_info(TRACKS),
            on_incident=incidents.append,
        ),
    ]
    for thread in threads:
        thread.start()
    for at in range(0, 48000 * 20, 4800):
        readers[0].push_when_free(numbered_tracks(at, at + 4800, TRACKS, bits))
        readers[1].push_when_free([np.full((4800, 2), 0.5, np.float32)])
    stopped = [t.stop(r.end()) for t, r in zip(threads, readers, strict=True)]
    error = threads[0].error
    assert error is not None
    files = {}
    for index, (track, channels) in enumerate(TRACKS.items()):
        path = full / f"{track}.{file_format}"
        heard, _ = soundfile.read(path, dtype="float32", always_2d=True)
        expected = numbered_tracks(0, len(heard), TRACKS, bits)[index]
        files[track] = {
            "frames": len(heard),
            "channels": heard.shape[1] == channels,
            "exact": bool(np.array_equal(heard, expected)),
            "soxi": int(shell("soxi", "-s", str(path))),
            "ffprobe": shell(
                *("ffprobe", "-v", "error", "-show_entries", "stream=duration_ts"),
                *("-of", "csv=p=0", str(path)),
            ),
            "decoded": len(
                subprocess.run(
                    ["ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "s16le", "-"],
                    capture_output=True,
                    check=True,
                ).stdout
            )
            // 2
            // channels,
        }
    print(
        json.dumps(
            {
                "stopped": stopped,
                "error": str(error),
                "remedy": error.remedy,
                "code": error.native_code,
                "incidents": [incident.to_json() for incident in incidents],
                "files": files,
                "manifest": json.loads((full / "session.json").read_text()),
                "ledger": (full / "ledger.jsonl").read_text(),
                "left": sorted(path.name for path in full.iterdir()),
                "other": soundfile.info(other / "voice.flac").frames,
                "other_error": threads[1].error is not None,
            }
        )
    )
    if way == "tmpfs":
        shutil.copytree(full, Path(folder) / "kept")


if __name__ == "__main__":
    main(*sys.argv[1:])
