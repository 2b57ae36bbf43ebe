# SPDX-License-Identifier: MIT
"""What lies beside the files of a session: ``session.json`` and ``ledger.jsonl``."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from numbers import Integral
from typing import Any

from pypac_obs.incidents import Incident, describe
from pypac_obs.outputs.output import Marker, SessionInfo
from pypac_obs.outputs.place import Place, find
from pypac_obs.whole_file import replace_file

__all__ = ["MOST_MARKERS", "Ledger", "Manifest", "TrackFile"]

# What of a source's status is kept over time; the rest (levels, drift) changes all the time, and
# only its latest value is kept.
_KEPT_OVER_TIME = ("state", "bindings")
# What a status has that the file keeps elsewhere than under "status".
_OF_THEIR_OWN = ("sources", "loudness")
_MOST_CHANGES = 1000  # per source; the ledger has all of them
MOST_MARKERS = 10_000  # a session takes no more, so that none is left out in silence


@dataclass
class TrackFile:
    """A track in the manifest: its file and how much is in it."""

    track: str
    file: str
    channels: int
    format: str
    encoding: str
    frames: int = 0
    clipped_frames: int = 0


class Manifest:
    """``session.json``: what was recorded, when, from what, and how it went.

    ``state`` is "running", "complete" or "failed"; "running" without a running program means that
    it was killed. ``write`` replaces the file in one step, so that a reader never finds half of it.
    ``written`` is when: until the end, lengths and other numbers are of that moment.
    """

    def __init__(
        self,
        place: Place,
        name: str,
        info: SessionInfo,
        output: str,
        tracks: list[TrackFile],
        ledger: str,
        mode: int,
    ) -> None:
        self._place = place
        self._name = name
        self._mode = mode  # of the file
        self._info = info
        self._output = output
        self._tracks = tracks
        self._ledger = ledger
        self._sources: dict[str, dict[str, Any]] = {}
        self._loudness: dict[str, Any] = {}  # of the session's tracks so far
        self._status: dict[str, Any] = {}
        self._incidents: dict[str, dict[str, int]] = {}
        self._markers: list[dict[str, Any]] = []
        self._notes: dict[str, Any] = {}
        #: True if it says something new since the last write; numbers that only grow do not count.
        self.changed = True
        self.state = "running"
        self.error: str | None = None
        self.frames = 0

    @property
    def name(self) -> str:
        """The file's name."""
        return self._name

    def add_incident(self, incident: Incident) -> None:
        """Counts it under its cause, with the frames that are missing or clipped because of it."""
        count = self._incidents.setdefault(incident.cause, {"count": 0, "frames": 0})
        count["count"] += 1
        count["frames"] += incident.lost
        self.changed = True

    def add_marker(self, marker: Marker) -> None:
        """Adds a mark, kept in the order of the frames; beyond 10,000 of them none."""
        if len(self._markers) < MOST_MARKERS:
            entry = {"frame": marker.frame, "time": marker.wall.isoformat(), "text": marker.text}
            self._markers.append(entry)
            self._markers.sort(key=lambda entry: int(entry["frame"]))
            self.changed = True

    def add_note(self, key: str, value: object) -> None:
        """Says something more in the file, under a key of its own; replaces what was there."""
        self._notes[key] = _plain(value)
        self.changed = True

    def add_status(self, status: Mapping[str, object]) -> None:
        """Takes over the status; a source's state and bindings are kept with their frame.

        It is made plain only when it is written: this runs every second.
        """
        fresh = {key: value for key, value in status.items() if key not in _OF_THEIR_OWN}
        if _words_of(fresh) != _words_of(self._status):
            self.changed = True
        self._status = fresh
        loudness = status.get("loudness")
        if isinstance(loudness, Mapping):
            self._loudness |= loudness  # what it was stays of a track that has gone
        sources = status.get("sources")
        if not isinstance(sources, Mapping):
            return
        for name, now in sources.items():
            if not isinstance(now, Mapping):
                continue
            entry = self._sources.setdefault(str(name), {"now": {}, "history": []})
            before = entry["now"]
            if not before or any(now.get(key) != before.get(key) for key in _KEPT_OVER_TIME):
                kept = {key: _plain(now[key]) for key in _KEPT_OVER_TIME if key in now}
                history = entry["history"]
                history.append({"frame": self.frames, **kept})
                del history[:-_MOST_CHANGES]
                self.changed = True
            entry["now"] = now

    def add_track(self, track: TrackFile) -> None:
        """Takes in the file of a track that has come while the session runs."""
        self._tracks.append(track)
        self.changed = True

    def set_file(self, track: str, file: str) -> None:
        """Says where the file of a track is now, if not in the folder by its path."""
        for entry in self._tracks:
            if entry.track == track:
                entry.file = file
                self.changed = True

    def set_frames(self, frames: int, files: list[int], clipped: list[int]) -> None:
        """Takes over the session's length so far, each file's, and how much of it was clipped."""
        self.frames = frames
        for track, held, loud in zip(self._tracks, files, clipped, strict=True):
            track.frames = held
            track.clipped_frames = loud

    def write(self) -> None:
        """Replaces the file. Raises OSError; the one before stays then."""
        text = json.dumps(_plain(self._document()), indent=1, allow_nan=False) + "\n"
        folder = self._place.fd
        part = self._place.name(f".{self._name}.part")
        try:
            # A folder may be shared: what lies under the name, maybe a link to another file, goes,
            # and "x" then creates the file or fails, but follows no link.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            fd = os.open(part, flags, self._mode, dir_fd=folder)
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
            replace_file(part, self._place.name(self._name), dir_fd=folder)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part, dir_fd=folder)
            raise
        self.changed = False

    def is_there(self) -> bool:
        """Tells whether the file is still in the folder. Raises nothing."""
        try:
            os.stat(self._place.name(self._name), dir_fd=self._place.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            pass
        return True

    def _loudness_of(self, track: str) -> dict[str, Any]:
        return {"loudness": self._loudness[track]} if track in self._loudness else {}

    def _document(self) -> dict[str, Any]:
        info = self._info
        return {
            "manifest": 1,
            "state": self.state,
            "error": self.error,
            "session": info.session,
            "start": {"wall": info.start_wall.isoformat(), "host_ns": info.start_host_ns},
            "sample_rate": info.sample_rate,
            "frames": self.frames,
            "written": datetime.now().astimezone().isoformat(timespec="seconds"),
            "output": self._output,
            "tracks": [
                {
                    "name": track.track,
                    "file": track.file,
                    "channels": track.channels,
                    "format": track.format,
                    "encoding": track.encoding,
                    "frames": track.frames,
                    "clipped_frames": track.clipped_frames,
                    **self._loudness_of(track.track),
                }
                for track in self._tracks
            ],
            "ledger": self._ledger,
            "incidents": self._incidents,
            "markers": self._markers,
            **self._notes,
            "sources": self._sources,
            **{key: self._status[key] for key in ("outputs",) if key in self._status},
            "status": {key: self._status[key] for key in self._status if key != "outputs"},
            "versions": info.versions,
            "profile_name": info.profile_name,
            "profile": info.profile,
        }


class Ledger:
    """``ledger.jsonl``: one line per incident, in the file as soon as it is known.

    A line is ``Incident.to_json()`` followed by ``message``, its plain sentence. A line that does
    not fit on the disk is kept for the next try; the file never ends in half a line.
    """

    def __init__(self, place: Place, name: str, sample_rate: int, mode: int) -> None:
        self._sample_rate = sample_rate
        self._place = place
        self._name = name
        self._mode = mode
        self._pending = b""
        self._size = 0
        self._fd = self._create()

    def _create(self) -> int:
        # Append only. O_BINARY is Windows': no carriage returns, and sizes that are true.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        return os.open(self._place.name(self._name), flags, self._mode, dir_fd=self._place.fd)

    def restore(self) -> None:
        """Writes the file again if somebody has deleted it. Raises OSError."""
        if self._fd < 0 or find(self._fd, self._place.folder / self._name) is not None:
            return
        fresh = self._create()
        os.lseek(self._fd, 0, os.SEEK_SET)
        lines = b""
        while part := os.read(self._fd, 1 << 20):
            lines += part
        os.close(self._fd)
        self._fd = fresh
        self._size, self._pending = 0, lines + self._pending
        self.flush()

    def add(self, incident: Incident) -> None:
        """Appends the incident. Raises OSError."""
        line = {**incident.to_json(), "message": describe(incident, self._sample_rate)}
        self._pending += json.dumps(line).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        """Writes what is pending. Raises OSError."""
        rest = memoryview(self._pending)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(self._pending)
        self._pending = b""

    def close(self) -> None:
        """Closes the file. May be called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _words_of(status: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves out what changes all the time."""
    return {
        key: value
        for key, value in status.items()
        if isinstance(value, bool) or not isinstance(value, int | float)
    }


def _plain(value: object) -> Any:
    """Turns anything into what JSON knows; -inf dB, which it does not know, becomes null."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None
