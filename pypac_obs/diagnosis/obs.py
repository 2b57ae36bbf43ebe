# SPDX-License-Identifier: MIT
"""Each OBS of this computer, and whether it has this version's module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pypac_obs.diagnosis.finding import Finding
from pypac_obs.obs.client.settings import ObsFolder, portable_folder
from pypac_obs.obs.install.plugin import built_module, default_folders, installation
from pypac_obs.obs.install.programs import ObsProgram

__all__ = ["OBS", "OBS_MODULE", "obs"]

OBS = "OBS Studio"
OBS_MODULE = "OBS module"
# It brought the websocket server that we speak with.
_OLDEST_OBS = 28


def obs(programs: Sequence[ObsProgram]) -> Iterator[Finding]:
    """Each OBS, and whether it has this version's module."""
    if not programs:
        yield Finding(
            OBS,
            "note",
            "not found: tracks can go to files only",
            "To have them in OBS, install it (https://obsproject.com). A portable one is found "
            "while it runs.",
        )
    for program in programs:
        yield _obs_program(program)
    if any(program.kind != "portable" for program in programs):
        for folder in default_folders():
            yield _obs_module(folder, "")
    for program in programs:
        if program.kind == "portable":
            yield _obs_module(portable_folder(program.folder), f' --portable "{program.folder}"')


def _obs_program(program: ObsProgram) -> Finding:
    words = [program.version or "of an unknown version", program.kind]
    words.append("running" if program.running else "not running")
    found = f"{', '.join(words)}; in {program.folder}"
    major = program.version.partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST_OBS:
        return Finding(OBS, "note", found, f"Update it: version {_OLDEST_OBS} or newer is needed.")
    return Finding(OBS, "good", found)


def _obs_module(folder: ObsFolder, option: str) -> Finding:
    if built_module() is None:
        return Finding(
            OBS_MODULE, "note", "not in this build of pypac-obs", "Install a released wheel."
        )
    there = installation(folder)
    if there.state == "current":
        return Finding(OBS_MODULE, "good", f"of this version; in {there.module}")
    found = {"absent": "not installed", "other": "of another version"}[there.state]
    return Finding(
        OBS_MODULE,
        "note",
        f"{found}; in {there.module}",
        f"If tracks are to go to OBS: close it, then pypac-obs obs install{option}",
    )
