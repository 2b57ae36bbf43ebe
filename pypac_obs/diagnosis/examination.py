# SPDX-License-Identifier: MIT
"""Looks at everything that recording needs."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable, Iterator

from pypac_obs.capabilities import versions
from pypac_obs.diagnosis import files, obs, pipewire, windows
from pypac_obs.diagnosis.finding import Finding
from pypac_obs.errors import PypacError
from pypac_obs.obs.install.programs import obs_programs

__all__ = ["examine"]


def examine() -> Iterator[Finding]:
    """Looks at everything, in the order in which one would repair it.

    What cannot be looked at is a finding, too, and costs nothing of the rest.
    """
    yield from _looked_at("pypac-obs", lambda: [_this_program()])
    if sys.platform.startswith("linux"):
        yield from _looked_at("PipeWire", pipewire.pipewire)
        yield from _looked_at("pipewire-pulse", lambda: [pipewire.pulse()])
    elif sys.platform == "win32":
        yield from _looked_at(windows.PROGRAM_FILES, windows.program_files)
        yield from _looked_at("Windows", windows.windows)
        yield from _looked_at(obs.OBS, lambda: obs.obs(obs_programs()))
    else:
        yield Finding(
            "audio system",
            "bad",
            f"capture on {platform.system()} is not part of this version",
            "Use Linux or Windows; profiles with synthetic sources run everywhere.",
        )
    yield from _looked_at("libsndfile", files.formats)
    yield from _looked_at(files.RECORDINGS_FOLDER, lambda: [files.disk()])


def _looked_at(part: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except PypacError as error:
        yield Finding(part, "bad", error.message, error.remedy)
    except Exception as error:
        # Whoever calls doctor is in trouble already; half a list would not help.
        yield Finding(part, "note", f"cannot be looked at: {error or type(error).__name__}")


def _this_program() -> Finding:
    known = versions()
    return Finding(
        "pypac-obs",
        "good",
        f"{known['pypac-obs']} on Python {known['python']}, {known['system']}",
    )
