# SPDX-License-Identifier: MIT
"""Keeps the live values of a profile for its next run, where the profile asks for it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pypac_obs.errors import InvalidValue
from pypac_obs.model import Target, Value, addresses, clean_value, value_of, with_value
from pypac_obs.profile import Profile
from pypac_obs.profile.checks import listed
from pypac_obs.profile.references import problems
from pypac_obs.state_folder import state_folder
from pypac_obs.whole_file import replace_file

__all__ = ["MAX_BYTES", "RememberedValues", "remembered_file"]

# Some thousands of values.
MAX_BYTES = 1 << 18
# Somebody who drags a fader makes one change of it. A page that changes something all the time
# costs a write every ten seconds.
_STILL_S = 1.0
_LATEST_S = 10.0

# Else a pipe that lies there holds up the session, and a link leads elsewhere.
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def remembered_file(profile: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Tells where the live values of a profile's file are kept, under whatever name it is reached.

    Raises RuntimeError where nobody tells where the user's folder is, OSError where the file's
    folder is gone.
    """
    real = os.path.normcase(os.path.realpath(profile))
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(real).stem)[:40].strip("._")
    return state_folder(environ) / "live" / f"{stem or 'profile'}-{digest}.json"


class RememberedValues:
    """The state file of one profile's live values.

    ``load`` it before the session starts, tell each change (`changed`), and `write` when it is
    `due` and at the end. Nothing here raises: what goes wrong is a sentence of `take_warnings`, at
    most one of each kind. ``clock`` gives seconds. [any-thread]

    The file is a JSON object: for each address its value, and what the profile's file said there.
    Where that says something else at the next run, the profile's file wins.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._lock = threading.Lock()  # the fields below; never held while writing
        self._writing = threading.Lock()  # one writer at a time; taken before _lock
        self._file: Path | None = None
        self._values: Mapping[str, Value] | None = None
        self._said: Profile | None = None  # what the profile's file says
        self._written_profile: Profile | None = None
        self._first_change: float | None = None  # that has not been written yet
        self._last_change = 0.0
        self._warnings: dict[str, str] = {}  # by kind; those that were taken are empty

    def load(self, profile: Profile) -> dict[str, Value]:
        """Gives the live values of the last run that have their place in the profile.

        A profile that was read from no file, or does not ask for it, gives nothing.
        """
        self._written_profile = profile
        if profile.file is None:
            return {}
        try:
            self._file = remembered_file(profile.file, self._environ)
            if not profile.control.remember:  # it may begin to while the session runs
                return {}
            data = self._read(self._file)
        except FileNotFoundError:
            return {}
        except (OSError, RuntimeError) as error:
            self._warn("file", f"the values of the last run cannot be read: {_reason(error)}")
            return {}
        return self._checked(profile, data)

    def changed(self, values: Mapping[str, Value], written: Profile | None = None) -> None:
        """Notes what the live values are now; the mapping is not to be changed any more.

        ``written`` is what the profile's file says (None: as it was loaded).
        """
        written = written if written is not None else self._written_profile
        now = self._clock()
        with self._lock:
            if values is self._values and written is self._said:
                return  # something else has changed, such as what is held
            self._values, self._said = values, written
            self._last_change = now
            if self._first_change is None:
                self._first_change = now

    def due(self, now: float) -> bool:
        """Tells whether it is time to `write`: a second after the last change."""
        with self._lock:
            if self._first_change is None:
                return False
            return now >= min(self._last_change + _STILL_S, self._first_change + _LATEST_S)

    def write(self) -> None:
        """Writes what has changed, if anything. Readers find the old file whole, or the new one."""
        with self._writing:
            with self._lock:
                if self._first_change is None:
                    return
                self._first_change = None
                values, said = self._values or {}, self._said
            if self._file is None:
                return
            entries = _entries(values, said)
            try:
                if entries:
                    _write(self._file, json.dumps(entries, indent=1).encode())
                else:
                    self._file.unlink(missing_ok=True)
            except OSError as error:
                self._warn("write", f"live values cannot be kept for the next run: {error}")

    def take_warnings(self) -> list[str]:
        """Gives the sentences that have come since the last call."""
        with self._lock:
            sentences = list(filter(None, self._warnings.values()))
            self._warnings = dict.fromkeys(self._warnings, "")
        return sentences

    def _warn(self, kind: str, sentence: str) -> None:
        with self._lock:
            self._warnings.setdefault(kind, sentence)

    def _read(self, path: Path) -> Mapping[Any, Any]:
        """Reads the file; where there is something else, warns, and gives nothing."""
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return self._refuse(path, "is not a plain file")
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _FLAGS)) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            return self._refuse(path, f"has more than {MAX_BYTES} bytes")
        try:
            read = json.loads(data)
        except (ValueError, RecursionError):
            return self._refuse(path, "is not JSON")
        if not isinstance(read, Mapping):
            return self._refuse(path, "has no addresses with their values")
        return read

    def _refuse(self, path: Path, why: str) -> Mapping[Any, Any]:
        self._warn("file", f"the values of the last run are ignored: {path} {why}")
        return {}

    def _checked(self, profile: Profile, data: Mapping[Any, Any]) -> dict[str, Value]:
        there = {target.address: target for target in addresses(profile)}
        good: dict[Target, Value] = {}
        unknown: list[str] = []
        invalid: list[str] = []
        for address, entry in data.items():
            target = there.get(address)
            if target is None:
                unknown.append(address or '""')
                continue
            fields = entry if isinstance(entry, Mapping) else {"value": entry}
            try:
                value = clean_value(target, fields.get("value"))
                if "file" not in fields or _says(profile, target, fields["file"]):
                    good[target] = value
            except InvalidValue as error:
                invalid.append(error.message)
        fits, wrong = _fitting(profile, good)
        invalid += wrong
        if unknown:
            names = listed(unknown, "and")
            self._warn("unknown", f"values of the last run have no place any more: {names}")
        if invalid:
            more = f", and {len(invalid) - 1} more like it" if invalid[1:] else ""
            self._warn("invalid", f"a value of the last run is ignored: {invalid[0]}{more}")
        return fits


def _entries(values: Mapping[str, Value], written: Profile | None) -> dict[str, dict[str, Value]]:
    """What is written: the values, and what the profile's file says there."""
    there = {} if written is None else {one.address: one for one in addresses(written)}
    entries: dict[str, dict[str, Value]] = {}
    for address, value in values.items():
        entries[address] = {"value": value}
        if written is not None and address in there:
            entries[address]["file"] = value_of(written, there[address])
    return entries


def _says(profile: Profile, target: Target, said: object) -> bool:
    """Tells whether the profile says the same as it did then."""
    now = value_of(profile, target)
    return (list(now) if isinstance(now, tuple) else now) == said


def _fitting(
    profile: Profile, values: Mapping[Target, Value]
) -> tuple[dict[str, Value], list[str]]:
    """Leaves out what makes the profile as a whole wrong: a key that is no track, a circle."""
    whole = profile
    for target, value in values.items():
        whole = with_value(whole, target, value)
    if not any(problems(whole.model_dump())):
        return {target.address: value for target, value in values.items()}, []
    fits: dict[str, Value] = {}
    wrong: list[str] = []
    for target, value in values.items():
        candidate = with_value(profile, target, value)
        if problem := next(problems(candidate.model_dump()), None):
            wrong.append(str(problem))
        else:
            profile = candidate
            fits[target.address] = value
    return fits, wrong


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with open(os.open(new, flags | getattr(os, "O_BINARY", 0), 0o600), "wb") as file:
            file.write(data)
        replace_file(new, path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
