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
    """Tells what is built in and what of it is present.

    The names are ``pipewire``, ``wasapi``, ``obs_plugin``, ``flac`` and ``rf64``; ``obs_plugin`` is
    the module that `pypac_obs.obs.install.plugin` puts into OBS.
    """
    pipewire = _core.pipewire_availability()
    wasapi = _core.wasapi_availability()
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
        "wasapi": Capability(
            "wasapi",
            built_in=_core.WITH_WASAPI,
            present=wasapi.loadable,
            version=wasapi.version,
            reason=wasapi.reason,
        ),
        "obs_plugin": _obs_plugin(),
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


def _obs_plugin() -> Capability:
    from pypac_obs.obs.install.plugin import built_module

    there = built_module() is not None
    return Capability(
        "obs_plugin",
        built_in=there,
        present=there,
        version=version("pypac-obs") if there else "",
        reason="" if there else "it was built on a machine without libobs-dev",
    )


def versions() -> dict[str, str]:
    """Gives the versions that a bug report needs."""
    return {
        "pypac-obs": version("pypac-obs"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "libsndfile": soundfile.__libsndfile_version__,
        "pipewire library": _core.pipewire_availability().version,
    }
