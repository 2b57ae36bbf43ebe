# SPDX-License-Identifier: MIT
"""Runs a session whose split files follow OBS, until an empty line comes to its standard input.

It says "ready" when it is connected to OBS, each time anew. "away" on its standard input ends the
connection, which it answers with "gone", and "back" lets it connect again. The tracks are also in
memory, where OBS's module finds them: noise, that one can find again in a recording, and a tone.
"""

from __future__ import annotations

import sys
import threading
import time

from pypac_obs import Profile, Session
from pypac_obs.errors import ObsNotRunning
from pypac_obs.obs.client.connection import ObsAddress, ObsConnection
from pypac_obs.obs.client.link import ObsLink
from pypac_obs.obs.client.settings import find_server
from pypac_obs.obs.following.follow import RecordFollower, add_chapter
from pypac_obs.outputs.following import FollowingFiles
from pypac_obs.profile import FilesRule

PROFILE = {
    "version": 1,
    "session": {"latency_ms": 10},
    "sources": {
        "noise": {"synthetic": {"kind": "noise", "level_dbfs": -20, "dropouts": []}},
        "tone": {"synthetic": {"kind": "tone", "frequency_hz": 440}},
        "absent": {"process": "no-such-program"},
    },
    "tracks": {"noise": {"from": "noise"}, "tone": {"from": ["tone", "absent"]}},
}


def main() -> None:
    files = FollowingFiles(FilesRule(folder=sys.argv[1]), list)
    follower = RecordFollower(files)

    def connected(obs: ObsConnection) -> None:
        follower.connected(obs)
        add_chapter(obs, "connected")  # an OBS 29 knows none, and that is no error
        print("ready", flush=True)

    away = threading.Event()

    def find() -> ObsAddress:
        if away.is_set():
            raise ObsNotRunning("away")
        return find_server(None)

    link = ObsLink(
        find,
        on_connected=connected,
        on_event=lambda obs, kind, data: follower.heed(obs, kind, data, link.arrived_ns),
    )
    with Session(Profile.from_dict(PROFILE), name="follow", outputs=[files]) as session:
        assert session._running is not None
        shared = session._running.wiring.add_shared_tracks("obs", "follow", ("noise", "tone"))
        while session.position < session.sample_rate // 2:
            time.sleep(0.01)  # else a recording might begin before the session
        link.start()
        while order := sys.stdin.readline().strip():
            away.set() if order == "away" else away.clear()
            if order == "away" and link.connection is not None:
                link.connection.close()
                print("gone", flush=True)
        link.stop()
        shared.close()
    print(link.error, [str(error) for error in session.errors], flush=True)


if __name__ == "__main__":
    main()
