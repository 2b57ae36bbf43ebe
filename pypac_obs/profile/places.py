# SPDX-License-Identifier: MIT
"""Folders for recordings that are allowed, but not what somebody means who records a game."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

__all__ = ["folder_warnings"]

# Below the user's folder of settings, and elsewhere: what lies there is run at a login or start.
_STARTED_CONFIG = ("autostart", "autostart-scripts", "plasma-workspace", "systemd")
_STARTED_HOME = (".local/share/systemd", ".kde/Autostart", ".kde4/Autostart", ".config/autostart")
_STARTED = ("/etc/xdg/autostart", "/etc/systemd", "/etc/profile.d", "/etc/init.d", "/etc/cron.d")
_STARTED_WINDOWS = ("start menu", "programs", "startup")

# Where drives are mounted; on some systems /mnt and /media lead into /var.
_DRIVES = ("/mnt", "/media", "/run/media", "/var/mnt", "/var/media")
_SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/nix", "/opt", "/proc"),
    *("/run", "/sbin", "/snap", "/sys", "/usr", "/var"),
)
_EVERYBODYS = ("/tmp", "/var/tmp", "/dev/shm")
_HOMES = ("/home", "/var/home")
_SYSTEM_WINDOWS = ("SystemRoot", "ProgramFiles", "ProgramFiles(x86)", "ProgramW6432", "ProgramData")


def folder_warnings(
    folder: PurePath,
    environ: Mapping[str, str] = os.environ,
    *,
    home: PurePath | None = None,
    platform: str = sys.platform,
) -> list[str]:
    """Tell what speaks against recordings in a folder, one sentence each.

    Nothing does for the user's own folders, nor for a drive's: ``D:\\Recordings``, ``/mnt/data``.
    ``folder`` is absolute; it need not be there.
    """
    home = home or Path.home()
    if platform == "win32":
        return _on_windows(PureWindowsPath(folder), environ, PureWindowsPath(home))
    # What is a link in the path is looked through, as far as the path is there.
    real, own = Path(os.path.realpath(folder)), Path(os.path.realpath(home))
    return _on_linux(real, environ, own)


def _on_linux(folder: Path, environ: Mapping[str, str], home: Path) -> list[str]:
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    started = [
        *(config / name for name in _STARTED_CONFIG),
        *(home / name for name in _STARTED_HOME),
        *map(Path, _STARTED),
    ]
    if _is_in(folder, started):
        return [_is_started(folder)]
    if _is_in(folder, [home]):
        return []
    if _is_in(folder, map(PurePosixPath, _EVERYBODYS)):
        there = _nearest(folder)
        if _owner(there) == os.geteuid() and not there.stat().st_mode & stat.S_IWOTH:
            return []
        return [f"{folder} is for everybody's temporary files: recordings there may be deleted."]
    if _is_in(folder, map(PurePosixPath, _DRIVES)):
        return []
    homes = [Path(name) for name in _HOMES]
    if _is_in(folder, homes) or _is_in(folder, [Path("/root")]):
        return [f"{folder} is in another user's home folder."]
    if _is_in(folder, map(PurePosixPath, _SYSTEM)):
        return [f"{folder} is a folder of the system's, which is not for recordings."]
    owner = _owner(_nearest(folder))
    if owner not in (None, 0, os.geteuid()):
        return [f"{folder} belongs to another user (UID {owner})."]
    return []


def _on_windows(
    folder: PureWindowsPath, environ: Mapping[str, str], home: PureWindowsPath
) -> list[str]:
    parts = [part.lower() for part in folder.parts]
    run = len(_STARTED_WINDOWS)
    if any(tuple(parts[at : at + run]) == _STARTED_WINDOWS for at in range(len(parts))):
        return [_is_started(folder)]
    if _is_in(folder, [home]):
        return []
    roots = [PureWindowsPath(environ[name]) for name in _SYSTEM_WINDOWS if environ.get(name)]
    if _is_in(folder, roots):
        return [f"{folder} is a folder of the system's, which is not for recordings."]
    others = home.parent
    if others != home and _is_in(folder, [others]) and not _is_in(folder, [others / "Public"]):
        return [f"{folder} is in another user's home folder."]
    return []


def _is_started(folder: PurePath) -> str:
    return f"What lies in {folder} is opened at each login: it is no place for recordings."


def _is_in(folder: PurePath, places: Iterable[PurePath]) -> bool:
    return any(folder.is_relative_to(place) for place in places)


def _nearest(folder: Path) -> Path:
    return next((one for one in (folder, *folder.parents) if os.path.exists(one)), Path("/"))


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except OSError:
        return None
