# SPDX-License-Identifier: MIT
"""The secret that a program of this user's shows to control a session.

It is a file of the user's alone: ``pypac-obs/control-token`` in the folder of settings
(``$XDG_CONFIG_HOME`` or ``~/.config``), on Windows ``%USERPROFILE%\\.pypac-obs\\control-token``,
where a user's profile is closed to others.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pypac_obs.errors import OutputFailed, PermissionDenied
from pypac_obs.runtime_folder import runtime_folder
from pypac_obs.whole_file import replace_file

__all__ = ["TokenFile", "read_or_make_token", "renew_token", "token_file"]

_BYTES = 32
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{43}\n?")
_OWN = 0o600
# A new file is written well within that.
_WRITTEN_WITHIN_S = 1.0
_POLL_S = 0.01
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # 0 where the system has none of it
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def token_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Tells where the token is; it need not be there yet."""
    if sys.platform == "win32":
        # Not in AppData: what a packaged program makes there, no other program sees.
        return runtime_folder(environ) / "control-token"
    config = environ.get("XDG_CONFIG_HOME", "")
    if not config.startswith("/"):
        config = str(Path(environ.get("HOME") or Path.home()) / ".config")
    return Path(config) / "pypac-obs" / "control-token"


def read_or_make_token(environ: Mapping[str, str] = os.environ) -> str:
    """Gives the token of this user; the first call makes it.

    Raises PermissionDenied where the file is not the user's alone, OutputFailed where it cannot be
    made.
    """
    file = token_file(environ)
    until = time.monotonic() + _WRITTEN_WITHIN_S
    while True:
        try:
            data = _read(file)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                return _make(file)
            continue  # somebody else has just made it
        if _TOKEN.fullmatch(data):
            return data.decode().strip()
        if time.monotonic() > until:  # its writer has died, or somebody has edited it
            return renew_token(environ)
        time.sleep(_POLL_S)


def renew_token(environ: Mapping[str, str] = os.environ) -> str:
    """Makes another token, and gives it; the one before is worth nothing from then on.

    Raises OutputFailed where it cannot be written.
    """
    file = token_file(environ)
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    token = _make(new)
    try:
        replace_file(new, file)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise _cannot_be_made(file, error) from error
    return token


class TokenFile:
    """The token as it is now: one that is renewed counts from the next request on."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._file = token_file(environ)
        self._token = read_or_make_token(environ)
        self._seen = self._stamp()

    def __call__(self) -> str:
        """Gives the token. Raises nothing: where the file cannot be read the last one counts."""
        if (stamp := self._stamp()) != self._seen:
            with contextlib.suppress(OSError):
                data = _read(self._file)
                if _TOKEN.fullmatch(data):
                    self._token, self._seen = data.decode().strip(), stamp
        return self._token

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.lstat(self._file)
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino, found.st_size)


def _make(file: Path) -> str:
    """Writes a new token into a file that is not there yet. Raises FileExistsError."""
    token = secrets.token_urlsafe(_BYTES)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
        with open(os.open(file, flags, _OWN), "wb") as writer:
            writer.write(f"{token}\n".encode())
    except FileExistsError:
        if not file.parent.is_dir():
            raise OutputFailed(f"{file.parent} is no folder", remedy="Move it away.") from None
        raise
    except OSError as error:
        raise _cannot_be_made(file, error) from error
    return token


def _cannot_be_made(file: Path, error: OSError) -> OutputFailed:
    return OutputFailed(
        f"the token for control cannot be written to {file}: {error.strerror or error}",
        native_code=error.errno,
    )


def _read(file: Path) -> bytes:
    """Reads it. Raises FileNotFoundError, and PermissionDenied where it is not the user's alone."""
    try:
        descriptor = os.open(file, os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _BINARY)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _not_own(file, error.strerror or str(error), error.errno) from error
    with open(descriptor, "rb") as reader:
        found = os.fstat(reader.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _not_own(file, "it is no plain file")
        if sys.platform != "win32":
            if found.st_uid != os.geteuid():
                raise _not_own(file, "it is another user's")
            if found.st_mode & 0o077:
                raise _not_own(file, f"its mode is {stat.S_IMODE(found.st_mode):04o}")
        return reader.read(100)


def _not_own(file: Path, why: str, code: int | None = None) -> PermissionDenied:
    return PermissionDenied(
        f"the token for control in {file} is not yours alone: {why}",
        remedy=f"Remove {file}: a new one is made.",
        native_code=code,
    )
