# SPDX-License-Identifier: MIT
"""What this build can do, and what of it is present on this machine."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version

import soundfile

from pypac_obs import _core

__all__ = ["Capability", "capabilities", "versions"]


@dataclass(frozen=True)
class Capability:
    """One ability: is it in this build, is it usable here, and if not, why not.

    ``present`` says only that what it needs is installed; an audio server may still be stopped.
    """

    name: str
    built_in: bool
    present: bool
    version: str
    reason: str


def capabilities() -> dict[str, Capability]:
    """Tells what is built in and what of it is present: ``pipewire``, ``flac``, ``rf64``."""
    pipewire = _core.pipewire_availability()
    formats = soundfile.available_formats()
    sndfile = soundfile.__libsndfile_version__
    return {
        "pipewire": Capability(
            "pipewire",
            built_in=_core.WITH_PIPEWIRE,
            present=pipewire.loadable,
            version=pipewire.version,
            reason=pipewire.reason,
        ),
        **{
            name: Capability(
                name,
                built_in=True,
                present=name.upper() in formats,
                version=sndfile,
                reason="" if name.upper() in formats else f"libsndfile {sndfile} lacks it",
            )
            for name in ("flac", "rf64")
        },
    }


def versions() -> dict[str, str]:
    """Gives the versions that a bug report needs."""
    return {
        "pypac-obs": version("pypac-obs"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "libsndfile": soundfile.__libsndfile_version__,
        "pipewire library": _core.pipewire_availability().version,
    }
