# SPDX-License-Identifier: MIT
"""Paths in a profile: ``~``, environment variables and placeholders, checked and filled in.

A template such as ``~/Recordings/{date} {time}`` is taken apart once, from left to right. What is
filled in is never read again, so a variable that holds ``{`` or ``$`` does no harm.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pypac_obs.errors import ProfileError, ProfileMistake

__all__ = ["PLACEHOLDERS", "TemplateError", "check_template", "expand_path", "placeholders"]

PLACEHOLDERS = ("date", "time", "track", "profile", "session")

# One piece of a template: an escape, a placeholder, a variable, a stray mark, or plain text.
_PIECE = re.compile(
    r"(?P<escape>\{\{|\}\}|\$\$)"
    r"|\{(?P<placeholder>[^{}]*)\}"
    r"|\$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<variable>[A-Za-z_][A-Za-z0-9_]*))"
    r"|(?P<stray>[{}$])"
    r"|(?P<text>[^{}$]+)"
)

# Refused by Windows in a file's name; "/" by every system.
_UNSAFE_IN_A_FILE_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')


class TemplateError(ValueError):
    """A template is wrong: what was expected, what was found, the valid names to choose from."""

    def __init__(self, expected: str, found: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found
        self.choices = choices


def placeholders(template: str) -> set[str]:
    """Names the placeholders of a template, known or not.

    >>> sorted(placeholders("{date}/{{x}} {track}"))
    ['date', 'track']
    """
    return {value for kind, value in _pieces(template) if kind == "placeholder"}


def check_template(template: str) -> None:
    """Raises TemplateError unless ``expand_path`` can fill the template on this machine."""
    if template.startswith("~"):
        _home(template)
    for kind, value in _pieces(template):
        if kind == "stray":
            raise TemplateError(
                "a placeholder such as {date}" if value != "$" else "a variable such as $HOME",
                f'a lone "{value}" (write {value}{value} for the character itself)',
            )
        if kind == "placeholder" and value not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise TemplateError(f"one of {known}", f'"{{{value}}}"', PLACEHOLDERS)
        if kind == "variable" and not os.environ.get(value):
            raise TemplateError(
                "an environment variable that is set", f'"${value}", which is unset or empty'
            )


def expand_path(template: str, *, track: str, profile: str, session: str, start: datetime) -> Path:
    """Fills a template in: ``~``, ``$VARIABLE`` and ``${VARIABLE}``, and the placeholders.

    ``{date}`` and ``{time}`` are those of ``start``, written 2026-11-23 and 18-04-05 so that every
    file system takes them. ``{track}``, ``{profile}`` and ``{session}`` are the other arguments, in
    which characters that a file's name cannot hold become "_": no name can lead out of its folder.
    A relative path stays relative. Raises ProfileError if the template is wrong, or if a variable
    has gone since the profile was checked.

    >>> start = datetime(2026, 11, 23, 18, 4, 5)
    >>> path = expand_path("{date} {time}/{track}", track="voice", profile="p", session="s",
    ...                    start=start)
    >>> path.as_posix()
    '2026-11-23 18-04-05/voice'
    """
    try:
        check_template(template)
    except TemplateError as mistake:
        raise ProfileError(
            [ProfileMistake("<profile>", 0, 0, "", mistake.expected, mistake.found)]
        ) from None
    values = {
        "date": start.strftime("%Y-%m-%d"),
        "time": start.strftime("%H-%M-%S"),
        "track": _as_file_name(track),
        "profile": _as_file_name(profile),
        "session": _as_file_name(session),
    }
    home = ""
    if template.startswith("~"):
        home, template = _home(template), template[1:]
    fill = {"placeholder": values.__getitem__, "variable": os.environ.__getitem__}
    parts = (fill[kind](value) if kind in fill else value for kind, value in _pieces(template))
    return Path(home + "".join(parts))


def _pieces(template: str) -> Iterator[tuple[str, str]]:
    """Takes a template apart into (kind, value): text, placeholder, variable or stray."""
    for match in _PIECE.finditer(template):
        kind, value = str(match.lastgroup), str(match[str(match.lastgroup)])
        if kind == "escape":
            yield "text", value[0]
        elif kind == "braced":
            yield "variable", value
        else:
            yield kind, value


def _home(template: str) -> str:
    if template[1:2] not in ("", "/", os.sep):
        raise TemplateError('"~/" for your own home folder', f'"{template}"')
    home = os.path.expanduser("~")
    if home == "~":
        raise TemplateError("a full path", '"~", but this user has no home folder')
    return home


def _as_file_name(value: str) -> str:
    safe = _UNSAFE_IN_A_FILE_NAME.sub("_", value)
    return safe if safe.strip(". ") else "_"
