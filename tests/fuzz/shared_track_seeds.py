# SPDX-License-Identifier: MIT
"""Writes the seeds of corpus/shared_track_reader: the layout is docs/shared-track.md's.

What the fuzzer finds beside them is kept by hand: crashes as they are, and now and then the result
of ``-merge=1``.
"""

import struct
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus" / "shared_track_reader"
RUNNING = 1

POLL = b"\0\xc8" + bytes(8)  # 200 ms later; it opens, attaches and looks, and nothing changes
READ = b"\1\xff\x0f" + bytes(6)
READ_WHILE_IT_GOES_ON = b"\1\xff\x0f" + bytes(2) + b"\3\xff\xff" + bytes(5)
SECONDS = 1_000_000_000


def header(
    *,
    magic: bytes = b"PYPACTRK",
    version: int = 1,
    rate: int = 48_000,
    channels: int = 2,
    capacity: int = 9_600,
    block: int = 480,
    track: bytes = b"game",
) -> bytes:
    """Return the 576 bytes of a header; all is right where nothing else is said."""
    return struct.pack(
        "<8sII16s6Iq256s256s",
        magic,
        version,
        4096,
        b"0123456789abcdef",
        rate,
        channels,
        capacity,
        block,
        1920,
        0,
        1234,
        b"stream",
        track,
    )


def positions(
    *,
    reserved: int = 48_000,
    written: int = 48_000,
    first: int = 0,
    heartbeat: int = 5 * SECONDS,
    state: int = RUNNING,
) -> bytes:
    """Return the 48 bytes of the positions; all is right where nothing else is said."""
    return struct.pack("<5qII", reserved, written, first, 4 * SECONDS, heartbeat, state, 0)


SEEDS = {
    "empty": b"",
    "running": header() + positions() + POLL + READ * 3,
    "one-channel": header(channels=1) + positions() + POLL + READ * 3,
    "eight-channels": header(channels=8) + positions() + POLL + READ,
    "starting": header() + positions(reserved=0, written=0, state=0) + POLL + READ,
    "first-block": header() + positions(reserved=480, written=0) + POLL + READ,
    "ended": header() + positions(state=2) + POLL + READ,
    "gone": header() + positions(heartbeat=SECONDS) + POLL + READ,
    "no-such-state": header() + positions(state=3) + POLL + READ,
    "other-magic": header(magic=b"RIFFWAVE") + positions() + POLL,
    "version-2": header(version=2) + positions() + POLL,
    "other-track": header(track=b"voice") + positions() + POLL,
    "no-channels": header(channels=0) + positions() + POLL,
    "too-many-channels": header(channels=0xFFFF_FFFF) + positions() + POLL,
    "no-capacity": header(capacity=0) + positions() + POLL,
    "huge-capacity": header(capacity=0xFFFF_FFFF) + positions() + POLL,
    "huge-block": header(block=0xFFFF_FFFF) + positions() + POLL,
    "overrun": header() + positions() + POLL + READ_WHILE_IT_GOES_ON * 4,
    "overrun-all-the-time": header() + positions() + POLL + b"\1\xff\x0f" + b"\10\xff\xff" + READ,
    "start-at": header() + positions() + POLL + b"\3" + struct.pack("<q", 39_000) + READ * 4,
    "start-far-ahead": header() + positions() + POLL + b"\3" + b"\xff" * 7 + b"\x7f" + READ,
    "written-ahead-of-reserved": header() + positions(written=48_001) + POLL + READ,
    "beyond-three-years": header() + positions(reserved=2**62, written=2**62) + POLL + READ,
    "negative": header() + positions(first=-1) + POLL + READ,
    "cut-off": header() + positions() + POLL + b"\1\xff\x0f" + b"\4\0\x10\0\0" + bytes(6) + POLL,
    "not-a-number": header() + positions() + POLL + b"\1\xff\x0f" + b"\7\xff" + bytes(5),
    "replaced": header() + positions() + POLL + b"\0\xc8\5" + bytes(12) + POLL + READ,
}

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        (FOLDER / name).write_bytes(seed)
