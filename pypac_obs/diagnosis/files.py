# SPDX-License-Identifier: MIT
"""What is looked at for files: their formats, and the folder where recordings go."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import soundfile

from pypac_obs.capabilities import capabilities
from pypac_obs.diagnosis.finding import Finding
from pypac_obs.diagnosis.remedies import install

__all__ = ["RECORDINGS_FOLDER", "disk", "formats"]

_RECORDINGS = "~/Recordings"
RECORDINGS_FOLDER = "recordings folder"
# One stereo track in 32-bit float at 48 kHz.
_TRACK_BYTES_PER_HOUR = 48_000 * 2 * 4 * 3600
_LITTLE_SPACE = 5 * 10**9
_PROTECTED_FOLDERS = (
    " If it should be writable: Controlled folder access (Windows Security > Ransomware "
    f"protection) may refuse it; allow {Path(sys.executable).name} there."
)


def formats() -> Iterator[Finding]:
    """Looks whether libsndfile has all formats."""
    version = soundfile.__libsndfile_version__
    lacking = [one for one in ("flac", "rf64") if not capabilities()[one].present]
    if lacking:
        yield Finding(
            "libsndfile",
            "note",
            f"{version}, without {' and '.join(lacking).upper()}",
            install("sndfile"),
        )
    else:
        yield Finding("libsndfile", "good", f"{version}: WAV, RF64, FLAC")


def disk() -> Finding:
    """Looks whether the default folder for recordings can be written to, and has room."""
    part = RECORDINGS_FOLDER
    wanted = Path(os.path.expanduser(_RECORDINGS))
    # Not exists(): that raises where a folder above may not be looked into.
    there = next((f for f in (wanted, *wanted.parents) if os.path.exists(f)), Path("/"))
    try:
        _write_into(there, in_new_folder=there != wanted)
    except OSError as error:
        return Finding(
            part,
            "note",
            f"{wanted}: {there} cannot be written to ({error.strerror or error})",
            "Choose another folder in the profile (outputs.files.folder), or with --out."
            + (_PROTECTED_FOLDERS if sys.platform == "win32" else ""),
        )
    free = shutil.disk_usage(there).free
    hours = free / _TRACK_BYTES_PER_HOUR
    found = f"{wanted}: {free / 1e9:.1f} GB free, {hours:.0f} hours of one stereo track as WAV"
    if free < _LITTLE_SPACE:
        return Finding(part, "note", found, "Make room, or choose another folder.")
    return Finding(part, "good", found)


def _write_into(folder: Path, *, in_new_folder: bool) -> None:
    """Makes a file there, and takes it away. Raises OSError.

    Windows tells by nothing else whether it may be done: os.access() looks at an attribute there,
    and Controlled Folder Access shows when a file is made. (tempfile would try again for ever.)
    """
    name = f"pypac-obs-{secrets.token_hex(8)}.tmp"
    place = folder / name if in_new_folder else folder
    if in_new_folder:
        place.mkdir()
    try:
        file = place / name
        file.touch(exist_ok=False)
        file.unlink()
    finally:
        if in_new_folder:
            place.rmdir()
