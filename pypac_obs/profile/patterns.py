# SPDX-License-Identifier: MIT
"""Names of programs and inputs that no program and no input has, and what was meant by them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pypac_obs.profile.paths import invisible_in

__all__ = ["NamedIn", "Slip", "loose_slip_of", "names_in", "slip_of"]

_QUOTES = "\"'`\u00ab\u00bb\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\u300c\u300d"
_PATH = re.compile(r"(~|\.{1,2}|\*|%\w+%|\$\w+)?[/\\]|[A-Za-z]:[/\\]")
_PAGE = re.compile(r"https?://", re.IGNORECASE)
_OPTIONS = re.compile(r"(?<=\S) --?\w")
_SHORTCUT = re.compile(r"\.(desktop|lnk|url|app)$", re.IGNORECASE)
# Of regular expressions: what names hardly have, and what some do have.
_REGEX = re.compile(r"\(\?[a-z:=!]|\.\*|\.\+|\\[dwsbDWSB.]|^\^.*\$$")
_REGEX_TOO = re.compile(r"^\^|\$$|\|")
_CLASS = re.compile(r"(?<=\w)\[[^\] ]+\]|\[[^\] ]+\](?=\w)|\[[!^]?\w-\w\]")
_DEFAULT = re.compile(r"@default_(audio_)?(source|input)@", re.IGNORECASE)
_ALSA = re.compile(r"(plug)?hw:", re.IGNORECASE)
_MONITOR = re.compile(r"\.monitor$|^monitor of ", re.IGNORECASE)


@dataclass(frozen=True)
class NamedIn:
    """A name or pattern, and the source that has it: to take a program, or to leave it out."""

    source: str
    pattern: str
    is_device: bool = False


@dataclass(frozen=True)
class Slip:
    """What speaks against a name, as the end of "NAME ...", and what was meant ("": not known)."""

    why: str
    meant: str = ""

    def sentence(self, named: NamedIn) -> str:
        """Says it of a source."""
        hidden = set(invisible_in(named.pattern))
        shown = "".join(
            f"<U+{ord(c):04X}>" if at in hidden else c for at, c in enumerate(named.pattern)
        )
        meant = f' Write "{self.meant}".' if self.meant else ""
        return f'The source "{named.source}": "{shown}" {self.why}, so it matches nothing.{meant}'


def names_in(sources: Mapping[str, Any]) -> Iterator[NamedIn]:
    """Finds the names in the plain data of a profile's sources; PIDs are none."""
    for source, rule in sources.items():
        if not isinstance(rule, Mapping):
            continue
        if isinstance(device := rule.get("device"), str):
            yield NamedIn(source, device, is_device=True)
        named = [*_items(rule.get("process")), *_items(rule.get("except"))]
        for entry in _items(rule.get("everything_except")):
            if isinstance(entry, Mapping):
                named += _items(entry.get("process"))
        for pattern in named:
            if isinstance(pattern, str):
                yield NamedIn(source, pattern)


def slip_of(named: NamedIn) -> Slip | None:
    """Tells what no name is like; None where nothing speaks against it.

    >>> slip_of(NamedIn("music", "/usr/bin/vlc"))
    Slip(why='is a path (programs are found by the names of their files)', meant='vlc')
    >>> slip_of(NamedIn("game", "Game [Demo]"))
    """
    pattern = named.pattern
    hidden = set(invisible_in(pattern))
    # A no-break space is seen as a space, and typed as one.
    visible = "".join(c for at, c in enumerate(pattern) if at not in hidden)
    meant = visible.strip()
    if hidden:
        first = pattern[min(hidden)]
        name = unicodedata.name(first, "a control character").lower()
        return Slip(f"has an invisible character in it (U+{ord(first):04X}, {name})", meant)
    if meant != pattern:
        return Slip("has a blank at its end or beginning", meant)
    if len(pattern) > 2 and (pattern[0] in _QUOTES or pattern[-1] in _QUOTES.replace("'", "")):
        inner = pattern.strip(_QUOTES)
        both = pattern[0] in _QUOTES and pattern[-1] in _QUOTES
        if inner and (both or pattern[0] not in "'`"):
            return Slip("has quotes of its own", inner)
    if pattern[-1] in ",;" or pattern[0] in ",;":
        return Slip("has a comma at its end or beginning", pattern.strip(",; "))
    if named.is_device:
        return _device_slip(pattern)
    return _program_slip(pattern)


def loose_slip_of(pattern: str) -> Slip | None:
    """Tells what only few names are like: for one that nothing here is called."""
    if _CLASS.search(pattern):
        meant = _CLASS.sub("?", pattern)
        return Slip("has brackets, which stand for themselves (patterns have * and ? alone)", meant)
    if _REGEX_TOO.search(pattern):
        return _regular_expression(pattern)
    for sign in (", ", "; "):
        if sign in pattern:
            several = ", ".join(f'"{one.strip()}"' for one in pattern.split(sign.strip()))
            return Slip(f"may be several names (they go into a list: [{several}])")
    return None


def _device_slip(pattern: str) -> Slip | None:
    if _DEFAULT.fullmatch(pattern):
        return Slip("is PulseAudio's word for the default input", "default")
    if _ALSA.match(pattern):
        return Slip("is a name of ALSA's (`pypac-obs devices` lists those that count)")
    if _MONITOR.search(pattern):
        return Slip("is what an output plays, and no input (for all that plays: {system: true})")
    return None


def _program_slip(pattern: str) -> Slip | None:
    if _PAGE.match(pattern):
        return Slip("is a page (a browser plays all pages as one program: name the browser)")
    if _PATH.match(pattern):
        last = re.split(r"[/\\]", pattern.rstrip("/\\"))[-1]
        last = _OPTIONS.split(last)[0]
        return Slip("is a path (programs are found by the names of their files)", last)
    if _REGEX.search(pattern) and not re.fullmatch(r"[\w-]+(\.[\w-]+)+\.\*", pattern):
        return _regular_expression(pattern)
    if match := _OPTIONS.search(pattern):
        return Slip("is a command with its options", pattern[: match.start()])
    if match := _SHORTCUT.search(pattern):
        return Slip("is a shortcut to a program", pattern[: match.start()])
    return None


def _regular_expression(pattern: str) -> Slip:
    words = "is a regular expression (patterns have * and ? alone)"
    plain = re.sub(r"\(\?[a-z]+\)|^\^|\$$|\\b", "", pattern)
    if "|" in plain:
        several = ", ".join(f'"{one}"' for one in plain.strip("()").split("|"))
        return Slip(f"{words[:-1]}, and several names go into a list: [{several}])")
    plain = re.sub(r"\.[*+]|\\[dws][*+]?|\[[^\]]*\][*+]?", "*", plain)
    return Slip(words, re.sub(r"\\(.)", r"\1", plain))


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
