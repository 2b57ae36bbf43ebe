# SPDX-License-Identifier: MIT
"""Paths in a profile: ``~``, environment variables and placeholders, checked and filled in.

A template such as ``~/Recordings/{date} {time}`` is taken apart once, from left to right. What is
filled in is never read again, so a variable that holds ``{`` or ``$`` does no harm.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from pypac_obs.errors import ProfileError, ProfileMistake

__all__ = [
    "PLACEHOLDERS",
    "TemplateError",
    "as_file_name",
    "check_template",
    "expand_path",
    "invisible_in",
    "is_network_path",
    "is_reserved_name",
    "placeholders",
    "unsafe_characters",
]

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

_CUT_OFF_BY_WINDOWS = re.compile(r"[. ]+$")
# Devices of Windows' in every folder there, whatever ending or spaces follow.
_RESERVED = re.compile(
    r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³]) *(\..*)?", re.IGNORECASE
)
# \\server\share, also with slashes; and \\?\ and \\.\, which lead past all checks.
_NETWORK = re.compile(r"[/\\]{2}")
# What is shown as nothing, or turns round what is beside it, beside the categories below:
# fillers, joiners, selectors of variants, tags, and a blank of Braille's.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)
_INVISIBLE_KINDS = ("Cc", "Cf", "Zl", "Zp")


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
    _check_path(_filled(template, {name: f"{{{name}}}" for name in PLACEHOLDERS}))


def expand_path(template: str, *, track: str, profile: str, session: str, start: datetime) -> Path:
    """Fills a template in: ``~``, ``$VARIABLE`` and ``${VARIABLE}``, and the placeholders.

    ``{date}`` and ``{time}`` are those of ``start``, written 2026-11-23 and 18-04-05 so that every
    file system takes them. ``{track}``, ``{profile}`` and ``{session}`` are the other arguments, as
    `as_file_name` writes them: no name can lead out of its folder. A relative path stays relative.
    Raises ProfileError if the template is wrong, or if a variable has gone since the profile was
    checked.

    >>> start = datetime(2026, 11, 23, 18, 4, 5)
    >>> path = expand_path("{date} {time}/{track}", track="voice", profile="p", session="s",
    ...                    start=start)
    >>> path.as_posix()
    '2026-11-23 18-04-05/voice'
    """
    values = {
        "date": start.strftime("%Y-%m-%d"),
        "time": start.strftime("%H-%M-%S"),
        "track": as_file_name(track),
        "profile": as_file_name(profile),
        "session": as_file_name(session),
    }
    try:
        check_template(template)
        filled = _filled(template, values)
        _check_path(filled)
    except TemplateError as mistake:
        raise ProfileError(
            [ProfileMistake("<profile>", 0, 0, "", mistake.expected, mistake.found)]
        ) from None
    return Path((_home(template) if template.startswith("~") else "") + filled)


def is_network_path(path: str) -> bool:
    r"""Tell whether a path names a computer, on any system. Windows logs on where it leads.

    >>> is_network_path(r"\\server\share"), is_network_path("//server/share"), is_network_path("/a")
    (True, True, False)
    """
    return _NETWORK.match(path) is not None


def is_reserved_name(name: str) -> bool:
    """Tell whether Windows takes a file's name for a device, in whatever folder.

    >>> is_reserved_name("nul"), is_reserved_name("Com1 .wav"), is_reserved_name("console")
    (True, True, False)
    """
    return _RESERVED.fullmatch(name) is not None


def unsafe_characters(name: str) -> list[str]:
    """Names the characters of a file's name that FAT, exFAT or NTFS does not hold.

    Bytes that are not UTF-8 are written as numbers.

    >>> unsafe_characters("12:30 caf\\udce9?")
    [':', '?', '0xE9']
    """
    found = list(dict.fromkeys(_UNSAFE_IN_A_FILE_NAME.findall(name)))
    bytes_ = [f"0x{ord(one) - 0xDC00:02X}" for one in name if "\udc80" <= one <= "\udcff"]
    return found + list(dict.fromkeys(bytes_))


def as_file_name(value: str) -> str:
    """Write any text as a part of a file's name that every system takes, and everybody can read.

    Characters that a name cannot hold, that are not to be seen or that turn round the text become
    "_", and so does what Windows cuts off at the end; its names for devices get one in front.

    >>> [as_file_name(text) for text in ("a/b", "cod\u202egpj.exe", "nul", " .")]
    ['a_b', 'cod_gpj.exe', '_nul', '_']
    """
    safe = _UNSAFE_IN_A_FILE_NAME.sub("_", value)
    invisible = set(invisible_in(safe))
    safe = "".join("_" if at in invisible else character for at, character in enumerate(safe))
    if not safe.strip(". "):
        return "_"
    safe = _CUT_OFF_BY_WINDOWS.sub("_", safe)
    return f"_{safe}" if is_reserved_name(safe) else safe


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template filled in, without the ``~`` in front: the user's home folder is no mistake."""
    fill = {"placeholder": values.__getitem__, "variable": os.environ.__getitem__}
    pieces = _pieces(template.removeprefix("~"))
    return "".join(fill[kind](value) if kind in fill else value for kind, value in pieces)


def _check_path(path: str) -> None:
    """Raises TemplateError for what no system should get, or Windows would take otherwise."""
    if is_network_path(path):
        raise TemplateError(
            "a folder of this computer (a network drive: by its letter, or where it is mounted)",
            f'"{path}"',
        )
    for character in (path[at] for at in invisible_in(path)):
        name = unicodedata.name(character, "a control character")
        raise TemplateError(
            "a path of visible characters", f'"U+{ord(character):04X} {name.lower()}" in it'
        )
    for name in re.split(r"[/\\]", path):
        if is_reserved_name(name):
            raise TemplateError("a name that Windows does not reserve for a device", f'"{name}"')
        if name not in (".", "..") and _CUT_OFF_BY_WINDOWS.search(name):
            raise TemplateError("a name that does not end in a dot or space", f'"{name}"')


def _is_invisible(character: str) -> bool:
    if character.isascii():
        return not character.isprintable()
    kind = unicodedata.category(character)
    return kind in _INVISIBLE_KINDS or _INVISIBLE.match(character) is not None


def invisible_in(text: str) -> list[int]:
    """The places of what is not seen in a text, or turns it round.

    Not of what scripts need to join letters (Persian's U+200C between two, U+200D), or emoji to be
    one (U+FE0F behind a symbol).

    >>> invisible_in("a\u200bb"), invisible_in("\u0645\u06cc\u200c\u062e"), invisible_in("a\u200cb")
    ([1], [], [1])
    """
    return [
        at
        for at, character in enumerate(text)
        if _is_invisible(character) and not _joins(character, text[at - 1 : at], text[at + 1 :][:1])
    ]


def _joins(character: str, before: str, after: str) -> bool:
    if not before or before.isascii():
        return False
    kinds = unicodedata.category(before), unicodedata.category(after) if after else ""
    if character in "\ufe0e\ufe0f":
        return kinds[0] == "So"
    if character not in "\u200c\u200d" or not after or after.isascii():
        return False
    letters = kinds[0][0] in "LM" and kinds[1][0] in "LM"
    symbols = (kinds[0] in ("So", "Sk") or before == "\ufe0f") and kinds[1] == "So"
    return letters or (character == "\u200d" and symbols)


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
