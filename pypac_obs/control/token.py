# SPDX-License-Identifier: MIT
"""The secret that a session's control API asks for: one for each user, in a file of theirs."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from pypac_obs.errors import PermissionDenied
from pypac_obs.own_folder import NotPlainFile, OwnFolder

__all__ = ["read_or_make_token", "renew_token"]

_FILE = "control-token"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def _config_folder(environ: Mapping[str, str]) -> Path:
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if sys.platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "pypac-obs"
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pypac-obs"


def read_or_make_token(environ: Mapping[str, str] = os.environ) -> str:
    """Gives the user's token, and makes one at first. Raises PermissionDenied."""
    try:
        with _opened(environ) as folder:
            with contextlib.suppress(FileNotFoundError, NotPlainFile):
                token = folder.read(_FILE, 100)[0].decode("ascii", "replace").strip()
                if _TOKEN.fullmatch(token):
                    return token
            return _write_new(folder)
    except OSError as error:
        raise _denied(error) from error


def renew_token(environ: Mapping[str, str] = os.environ) -> str:
    """Makes another token, and gives it: the old one is of no use then."""
    try:
        with _opened(environ) as folder:
            return _write_new(folder)
    except OSError as error:
        raise _denied(error) from error


def _opened(environ: Mapping[str, str]) -> OwnFolder:
    path = _config_folder(environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    return OwnFolder(path, make=True)


def _write_new(folder: OwnFolder) -> str:
    token = secrets.token_urlsafe(32)
    folder.write(_FILE, token.encode())
    return token


def _denied(error: OSError) -> PermissionDenied:
    return PermissionDenied(f"the control token cannot be read or made: {error}")
