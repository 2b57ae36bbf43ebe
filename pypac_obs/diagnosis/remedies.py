# SPDX-License-Identifier: MIT
"""How to install what is missing, by the family of the distribution."""

from __future__ import annotations

import platform

from pypac_obs.wording import sentence

__all__ = ["install"]

# The packages that bring each part, by the family of the distribution.
_PACKAGES = {
    "library": {
        "debian": "libpipewire-0.3-0",
        "fedora": "pipewire-libs",
        "arch": "libpipewire",
    },
    "daemon": {"debian": "pipewire", "fedora": "pipewire", "arch": "pipewire"},
    "session manager": {
        "debian": "wireplumber",
        "fedora": "wireplumber",
        "arch": "wireplumber",
    },
    "pulse": {
        "debian": "pipewire-pulse",
        "fedora": "pipewire-pulseaudio",
        "arch": "pipewire-pulse",
    },
    "rtkit": {"debian": "rtkit", "fedora": "rtkit", "arch": "realtime-privileges rtkit"},
    "sndfile": {"debian": "libsndfile1", "fedora": "libsndfile", "arch": "libsndfile"},
}
_INSTALL = {
    "debian": "sudo apt install",
    "fedora": "sudo dnf install",
    "arch": "sudo pacman -S",
}


def install(what: str) -> str:
    """Says how to install a part here: the exact command where the distribution is known."""
    packages = _PACKAGES[what]
    family = _family()
    if family:
        return f"{_INSTALL[family]} {packages[family]}"
    return sentence(
        f"Install {packages['debian']} (Debian, Ubuntu), {packages['fedora']} (Fedora) or "
        f"{packages['arch']} (Arch), or what your distribution calls it"
    )


def _family() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    if "ubuntu" in names or "debian" in names:
        return "debian"
    if "fedora" in names or "rhel" in names:
        return "fedora"
    return "arch" if "arch" in names else ""
