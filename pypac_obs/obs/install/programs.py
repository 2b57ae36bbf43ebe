# SPDX-License-Identifier: MIT
"""Which OBS there is on this Windows: installed, by Steam, or unpacked somewhere and running."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from pypac_obs.obs.install.plugin import PROGRAMS

__all__ = ["ObsProgram", "obs_programs"]

_PROGRAM = Path("bin", "64bit", "obs64.exe")
_UNINSTALL = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
_STEAM_APP = "1905180"
# OBS is portable if it has one of these, or was told so.
_MARKS = ("portable_mode", "obs_portable_mode", "portable_mode.txt", "obs_portable_mode.txt")
_OPTIONS = ("--portable", "-p")

#: Gives a text of Windows' registry ("HKLM" or "HKCU", the key, the value's name), "" for none.
Registry = Callable[[str, str, str], str]


Kind = Literal["installed", "Steam", "portable"]


@dataclass(frozen=True, slots=True)
class ObsProgram:
    """One OBS: ``version`` is such as "31.0.2", "" where its program does not tell.

    ``folder`` is the one with `bin` in it.
    """

    kind: Kind
    folder: Path
    version: str
    running: bool


def obs_programs(
    environ: Mapping[str, str] = os.environ,
    registry: Registry | None = None,
    processes: Iterable[psutil.Process] | None = None,
) -> tuple[ObsProgram, ...]:
    """Tells each OBS of this Windows that can be found; a portable one is found while it runs."""
    running = dict(_running(psutil.process_iter() if processes is None else processes))
    places = list(_installed(environ, registry or _from_registry))
    places += [("portable", folder) for folder in running]
    found: dict[str, ObsProgram] = {}
    for kind, folder in places:
        program = folder / _PROGRAM
        key = os.path.normcase(folder)
        if key in found or not program.is_file():
            continue
        told = next((told for one, told in running.items() if os.path.normcase(one) == key), None)
        if told or any((folder / mark).exists() for mark in _MARKS):
            kind = "portable"
        found[key] = ObsProgram(kind, folder, _file_version(program), told is not None)
    return tuple(found.values())


def _installed(environ: Mapping[str, str], registry: Registry) -> Iterator[tuple[Kind, Path]]:
    """Where an OBS may be, and what kind it is then."""
    steam = registry("HKLM", rf"{_UNINSTALL}\Steam App {_STEAM_APP}", "InstallLocation")
    if steam:
        yield "Steam", Path(steam)
    for library in _steam_libraries(registry("HKCU", r"SOFTWARE\Valve\Steam", "SteamPath")):
        yield "Steam", library / "steamapps" / "common" / "OBS Studio"
    if folder := registry("HKLM", r"SOFTWARE\OBS Studio", ""):
        yield "installed", Path(folder)
    for name in ("ProgramW6432", "ProgramFiles", "ProgramFiles(x86)"):
        if programs := environ.get(name):
            yield "installed", Path(programs) / "obs-studio"


def _steam_libraries(steam: str) -> list[Path]:
    if not steam:
        return []
    text = ""
    with contextlib.suppress(OSError):
        path = Path(steam) / "steamapps" / "libraryfolders.vdf"
        text = path.read_text(encoding="utf-8", errors="replace")
    named = re.findall(r'^\s*"path"\s+"([^"]+)"', text, re.MULTILINE)
    return [Path(steam), *(Path(one.replace("\\\\", "\\")) for one in named)]


def _running(processes: Iterable[psutil.Process]) -> Iterator[tuple[Path, bool]]:
    """The folder of each OBS that runs, and whether it was told to be portable."""
    for process in processes:
        # One that nothing can be told of: another user's, or one that has just ended.
        with contextlib.suppress(psutil.Error, OSError):
            if process.name().lower() in PROGRAMS:
                folders = Path(process.exe()).parents
                if len(folders) > len(_PROGRAM.parts):
                    told = any(word in _OPTIONS for word in process.cmdline())
                    yield folders[len(_PROGRAM.parts) - 1], told


if sys.platform == "win32":
    import ctypes
    import winreg

    def _from_registry(root: str, key: str, name: str) -> str:
        hive = winreg.HKEY_LOCAL_MACHINE if root == "HKLM" else winreg.HKEY_CURRENT_USER
        for view in (winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY):
            with (
                contextlib.suppress(OSError),
                winreg.OpenKey(hive, key, access=winreg.KEY_READ | view) as opened,
            ):
                value, _ = winreg.QueryValueEx(opened, name)
                if isinstance(value, str) and value:
                    return value
        return ""

    def _file_version(program: Path) -> str:
        """What the program's version resource says, without its last number if that is 0."""
        library = ctypes.WinDLL("version")
        size = library.GetFileVersionInfoSizeW(str(program), None)
        data = ctypes.create_string_buffer(size or 1)
        # VS_FIXEDFILEINFO: thirteen numbers, of which the third and the fourth are the version.
        numbers = ctypes.POINTER(ctypes.c_uint32)()
        length = ctypes.c_uint()
        if (
            not size
            or not library.GetFileVersionInfoW(str(program), 0, size, data)
            or not library.VerQueryValueW(data, "\\", ctypes.byref(numbers), ctypes.byref(length))
        ):
            return ""
        high, low = numbers[2], numbers[3]
        parts = [high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF]
        return ".".join(map(str, parts if parts[3] else parts[:3]))

else:

    def _from_registry(root: str, key: str, name: str) -> str:
        return ""

    def _file_version(program: Path) -> str:
        return ""
