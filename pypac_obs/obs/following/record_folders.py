# SPDX-License-Identifier: MIT
"""The folders that OBS's own settings have it record into.

What OBS says over its websocket is not enough: something else may answer there.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pypac_obs.obs.client.settings import ObsFolder, obs_folders, portable_folder, read_ini
from pypac_obs.obs.install.programs import obs_programs

__all__ = ["RecordFolder", "is_one_of", "record_folders"]

_MOST_PROFILES = 200
_KEYS = (("SimpleOutput", "FilePath"), ("AdvOut", "RecFilePath"), ("AdvOut", "FFFilePath"))


@dataclass(frozen=True)
class RecordFolder:
    """A folder of OBS's; ``levels`` is how many folders below it the names of files may have."""

    path: Path
    levels: int = 0


def record_folders(
    environ: Mapping[str, str] = os.environ, *, platform: str = sys.platform
) -> tuple[RecordFolder, ...]:
    """Reads them from the profiles of each OBS of this user that is known."""
    installations = list(obs_folders(environ, platform=platform))
    if platform == "win32":
        portable = (one.folder for one in obs_programs(environ) if one.kind == "portable")
        installations += map(portable_folder, portable)
    found = dict.fromkeys(
        one for folder in installations for one in _of_installation(folder, environ, platform)
    )
    return tuple(found)


def _of_installation(
    folder: ObsFolder, environ: Mapping[str, str], platform: str
) -> Iterator[RecordFolder]:
    for ini in sorted((folder.config / "basic" / "profiles").glob("*/basic.ini"))[:_MOST_PROFILES]:
        try:
            values = {
                section: read_ini(ini, section) for section in ("Output", "SimpleOutput", "AdvOut")
            }
        except (OSError, ValueError):
            continue
        levels = values["Output"].get("FilenameFormatting", "").replace("\\", "/").count("/")
        for section, key in _KEYS:
            path = values[section].get(key)
            # OBS writes down only what is not its default.
            yield RecordFolder(Path(path) if path else _default(environ, platform), levels)


def _default(environ: Mapping[str, str], platform: str) -> Path:
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if platform == "win32":
        return Path(environ.get("USERPROFILE") or home) / "Videos"
    return home / "Movies" if platform == "darwin" else home


def is_one_of(folder: Path, known: Iterable[RecordFolder]) -> bool:
    """Tells whether a folder is one of OBS's, or as far below one as its names of files may go."""
    folder = _real(folder)
    for one in known:
        with contextlib.suppress(ValueError):
            below = folder.relative_to(_real(one.path)).parts
            if len(below) <= one.levels and not any(part.startswith(".") for part in below):
                return True
    return False


def _real(path: Path) -> Path:
    return Path(os.path.normcase(os.path.realpath(path)))
