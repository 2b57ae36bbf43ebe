# SPDX-License-Identifier: MIT
"""What was in an OBS before we changed it, kept until it is put back.

An entry is written before its change is made, and the first one wins: applying again, whatever the
profile says by then, does not forget what the user had.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pypac_obs.errors import ObsError, OutputFailed, PypacError
from pypac_obs.state_folder import state_folder
from pypac_obs.whole_file import replace_file

__all__ = ["Entry", "Journal", "journal_folder", "journals"]

_VERSION = 1
_SINCE = "since"
_MAX_BYTES = 2**24
# How long another session may take to load an OBS profile again.
_ALONE_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.02
_LONGEST_NAME = 240  # a file's name has 255 bytes, and an ending


@dataclass(frozen=True)
class Entry:
    """A value of the journal, by the keys that lead to it. With ``replace`` the last one wins."""

    path: tuple[str, ...]
    value: Any
    replace: bool = False


def journal_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Tells where journals are."""
    return state_folder(environ) / "obs"


def journals(identity: str, environ: Mapping[str, str] = os.environ) -> list[Journal]:
    """Gives the journals of all profiles that changed the OBS of this `identity`, latest first.

    In this order they are put back: a later one may have noted what an earlier profile had set.
    """
    found = sorted(journal_folder(environ).glob(f"{_escaped(identity)}--*.json"))
    return sorted(map(Journal, found), key=lambda journal: journal.since, reverse=True)


class Journal:
    """The journal of one OBS and one profile: a JSON file, which is there while it has entries."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, identity: str, profile: str, environ: Mapping[str, str] = os.environ) -> Journal:
        """Names the journal by the `identity` of OBS and the name of the profile."""
        name = f"{_escaped(identity)}--{_escaped(profile)}"
        if len(name) > _LONGEST_NAME:
            digest = hashlib.sha256(name.encode()).hexdigest()
            name = name[: _LONGEST_NAME - len(digest)] + digest
        return cls(journal_folder(environ) / f"{name}.json")

    @property
    def since(self) -> float:
        """When its first entry was written, in s since 1970; 0 where it does not tell."""
        try:
            since = self.read().get(_SINCE)
        except PypacError:
            return 0.0
        return float(since) if isinstance(since, int | float) else 0.0

    def read(self) -> dict[str, Any]:
        """Gives all entries. Raises PypacError if the file is damaged."""
        try:
            with self.path.open("rb") as file:
                text = file.read(_MAX_BYTES + 1)
            data = json.loads(text)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise self.damaged(error) from None
        if not isinstance(data, dict) or data.get("version") != _VERSION:
            raise self.damaged(f"it is not of version {_VERSION}")
        return data

    def write(self, *entries: Entry) -> None:
        """Adds entries, safe on the disk when this returns. Raises OutputFailed."""
        if not entries:
            return
        with self._locked():
            data = self.read()
            before = json.dumps(data)
            data.setdefault(_SINCE, time.time())
            data["version"] = _VERSION
            for entry in entries:
                place = data
                for key in entry.path[:-1]:
                    place = place.setdefault(key, {})
                    if not isinstance(place, dict):
                        raise self.damaged(f"{key} has no entries")
                if entry.replace or entry.path[-1] not in place:
                    place[entry.path[-1]] = entry.value
            if json.dumps(data) != before:
                self._save(data)

    def missing(self, *entries: Entry) -> list[Entry]:
        """Gives those of the entries whose place is empty."""
        data = self.read()
        return [entry for entry in entries if entry.path[-1] not in _place(data, entry.path)]

    def forget(self, *paths: tuple[str, ...]) -> None:
        """Takes entries out; the file goes with the last one."""
        if not paths or not self.path.exists():
            return
        with self._locked():
            data = self.read()
            for path in paths:
                _remove(data, path)
            if set(data) <= {"version", _SINCE}:
                self.delete()
            else:
                self._save(data)

    def change(self, rewritten: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Rewrites all entries, unless there are none. Raises OutputFailed."""
        if not self.path.exists():
            return
        with self._locked():
            data = self.read()
            after = rewritten(data)
            if after != data:
                self._save(after)

    def keep(self, *paths: tuple[str, ...]) -> None:
        """Takes out all entries but these; the file goes where none of them is there."""
        if not self.path.exists():
            return
        with self._locked():
            data = self.read()
            kept: dict[str, Any] = {}
            for path in paths:
                place = _place(data, path)
                if path[-1] in place:
                    target = kept
                    for key in path[:-1]:
                        target = target.setdefault(key, {})
                    target[path[-1]] = place[path[-1]]
            if kept:
                self._save({"version": _VERSION, _SINCE: data.get(_SINCE, 0.0), **kept})
            else:
                self.delete()

    def delete(self) -> None:
        """Takes all entries out. Raises OutputFailed."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._failed(error) from error

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other sessions from loading OBS profiles in the same OBS meanwhile.

        Raises ObsError if another one does not come to its end.
        """
        of_obs, _, _ = self.path.name.partition("--")
        with self._lock_file(self.path.with_name(f"{of_obs}.lock")) as lock:
            deadline = time.monotonic() + _ALONE_WITHIN_S
            while not self._try_lock(lock):
                if time.monotonic() > deadline:
                    raise ObsError(
                        "another session is loading an OBS profile all the while",
                        remedy="See whether OBS waits for an answer in a dialog.",
                    )
                time.sleep(_LOOK_EVERY_S)
            yield

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keeps other processes of ours out, so that none of them loses another's entries."""
        with self._lock_file(self.path.with_suffix(".lock")) as lock:
            while not self._try_lock(lock):
                time.sleep(_LOOK_EVERY_S)
            yield

    def _try_lock(self, file: IO[bytes]) -> bool:
        try:
            if sys.platform == "win32":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # what each system says of a lock that is taken
            return False
        except OSError as error:
            if not error.errno:  # Wine says no more of it
                return False
            raise self._failed(error) from error
        return True

    def _lock_file(self, path: Path) -> IO[bytes]:
        """Opens a file to lock; closing it takes the lock away."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return path.open("ab")
        except OSError as error:
            raise self._failed(error) from error

    def _save(self, data: Mapping[str, Any]) -> None:
        try:
            handle, name = tempfile.mkstemp(prefix=".journal-", dir=self.path.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(data, file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                replace_file(name, self.path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> OutputFailed:
        return OutputFailed(
            f"{self.path} cannot be written: {error.strerror or error}",
            remedy="What was in OBS is noted there before it is changed, so nothing was changed.",
            native_code=error.errno,
        )

    def damaged(self, reason: object) -> PypacError:
        """Makes the error for a file with something in it that we never wrote."""
        return PypacError(
            f"{self.path}, which says what was in OBS before, cannot be read: {reason}",
            remedy="Move the file away; then OBS cannot be put back to what was before.",
        )


def _place(data: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The mapping that has the entry, if there is one; else maybe an empty one."""
    for key in path[:-1]:
        below = data.get(key)
        if not isinstance(below, dict):
            return {}
        data = below
    return data


def _remove(data: dict[str, Any], path: tuple[str, ...]) -> None:
    """Removes an entry, and the mappings that are empty without it."""
    places = [data]
    for key in path[:-1]:
        below = places[-1].get(key)
        if not isinstance(below, dict):
            return
        places.append(below)
    places[-1].pop(path[-1], None)
    for place, key in zip(reversed(places[:-1]), reversed(path[:-1]), strict=True):
        if place[key] != {}:
            return
        del place[key]


def _escaped(name: str) -> str:
    """Makes any text a part of a file's name, different texts different ones."""
    # Windows takes names that differ by case for one.
    escaped = r"[^a-z0-9_ -]" if sys.platform == "win32" else r"[^A-Za-z0-9_ -]"
    return re.sub(escaped, lambda match: "".join(f"%{b:02X}" for b in match[0].encode()), name)
