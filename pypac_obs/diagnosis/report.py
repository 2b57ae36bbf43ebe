# SPDX-License-Identifier: MIT
"""The file of `pypac-obs doctor --report`: what was found and measured, for others to read."""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pypac_obs.capabilities import versions
from pypac_obs.diagnosis.devices import INPUTS
from pypac_obs.diagnosis.finding import Finding, State
from pypac_obs.diagnosis.loopback_questions import Answer
from pypac_obs.diagnosis.obs import OBS, OBS_MODULE
from pypac_obs.diagnosis.windows import PROGRAM_FILES
from pypac_obs.wording import counted

__all__ = ["WORDS", "Line", "line_of", "report_text", "without_names"]

WORDS: dict[State, str] = {"good": "good", "note": "look", "bad": "missing"}
# Of Bluetooth devices, in the names of their nodes.
_HARDWARE_ADDRESS = re.compile(
    r"(?<![0-9A-F])(?:[0-9A-F]{2}[:_-]){5}[0-9A-F]{2}(?![0-9A-F])", re.IGNORECASE
)


@dataclass(frozen=True)
class Line:
    """What the report says of one part of the system."""

    part: str
    state: str
    found: str


def line_of(finding: Finding) -> Line:
    """What a report for others says of a finding: without the names of devices and programs."""
    found = finding.found
    if finding.part in ("default output", "default input") and not found.startswith("none"):
        found = "there is one"
    elif finding.part == INPUTS:
        found = counted(found.count('", "') + 1, "input")
    elif finding.part == "audio graph":
        found = found.partition(", driven by")[0]
    elif finding.part == "frozen programs":
        found = "there are some"
    elif finding.part in (OBS, OBS_MODULE):
        found = found.partition("; in ")[0]
    elif finding.part == PROGRAM_FILES:
        found = found.rpartition("\\")[2]
    return Line(finding.part, WORDS[finding.state], found)


def report_text(lines: Sequence[Line], answers: Sequence[Answer], unasked: str) -> str:
    """The report in Markdown; ``unasked`` is why there are no answers."""
    known = versions()
    text = [
        "# What PyPAC-OBS found on this computer",
        "",
        f"pypac-obs {known['pypac-obs']}, Python {known['python']}, {known['system']}; "
        f"{date.today().isoformat()}. Nothing here names a user, a device, a file or a window.",
        "",
        "## The system",
        "",
        "| Part | State | Found |",
        "|---|---|---|",
        *(f"| {_cell(one.part)} | {one.state} | {_cell(one.found)} |" for one in lines),
        "",
        "## What captures of single programs do",
        "",
    ]
    if answers:
        text += [f"- [x] {one.question} **{one.answer}**" for one in answers]
    else:
        text.append(unasked)
    for number, one in enumerate(answers, 1):
        text += ["", f"### {number}. {one.question}", "", f"{one.done} **{one.answer}**"]
        text += ["", *(f"- {line}" for line in one.measured)] if one.measured else []
    return without_names("\n".join(text).rstrip() + "\n")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def without_names(text: str, home: str = "", user: str = "", computer: str = "") -> str:
    """Takes out who and where: the home folder, the user's and the computer's name, addresses.

    Those of whoever runs this, unless others are given.

    >>> without_names("/home/anna/Recordings of Anna", "/home/anna", "anna", "pc-7")
    '~/Recordings of USER'
    """
    home = home or str(Path.home())
    user = user or _user()
    computer = computer or platform.node()
    if len(home) > 1:
        for one in {home, home.replace("\\", "/")}:
            text = re.sub(re.escape(one), "~", text, flags=re.IGNORECASE)
    for name, instead in ((user, "USER"), (computer, "COMPUTER")):
        if len(name) > 1:
            # Only whole words: "root" is part of others.
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", instead, text, flags=re.IGNORECASE)
    return _HARDWARE_ADDRESS.sub("ADDRESS", text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return ""  # Nobody by that number has a name.
