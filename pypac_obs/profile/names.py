# SPDX-License-Identifier: MIT
"""Names of sources and tracks, in any script. A track's name becomes a file's on any system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from pypac_obs.profile.paths import invisible_in, is_reserved_name

__all__ = ["EXPECTED_NAME", "NAME_PATTERN", "as_track_name", "is_name", "name_key"]

LONGEST = 64
# What is shared with OBS has a name of three letters for each byte, in a file's name of 255.
LONGEST_BYTES = 80

EXPECTED_NAME = (
    f"a name of 1 to {LONGEST} letters and digits of any script, spaces and . _ - ( ) [ ] & + ' ! "
    f", = @ #, the first a letter, a digit, ( or [ (at most {LONGEST_BYTES} bytes of UTF-8)"
)
# For editors, which know no scripts: of ASCII the same, and everything else.
NAME_PATTERN = (
    r"^[^\u0000-'\)-/:-@\\-`{-\u00a0]"
    r'([^\u0000-\u001f"$%*/:;<>?\\^`{-\u00a0]{0,62}[^\u0000- "$%*./:;<>?\\^`{-\u00a0])?$'
)

_PLAIN = frozenset(" ._-()[]&+'!,=@#")
_JOINERS = re.compile("[\u200c\u200d\ufe0e\ufe0f]")


def is_name(text: str) -> bool:
    """Tells whether a source or track may bear it, as far as its characters go.

    >>> is_name("Музыка 2"), is_name("音声"), is_name("a/b"), is_name("-a"), is_name("a\\u00a0b")
    (True, True, False, False, False)
    """
    return (
        1 <= len(text) <= LONGEST
        and len(text.encode("utf-8", "surrogatepass")) <= LONGEST_BYTES
        and _begins_a_name(text[0])
        and all(map(_is_in_names, _JOINERS.sub("", text)))
        and not invisible_in(text)
    )


def name_key(name: str) -> str:
    """What names are told apart by: equal for those that a file system may take for one.

    >>> name_key("CAFE\\u0301") == name_key("Caf\\u00e9")
    True
    """
    decomposed = unicodedata.normalize("NFD", _JOINERS.sub("", name))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", decomposed.casefold()))


def as_track_name(text: str, taken: Collection[str] = ()) -> str:
    """Makes a track's name of a program's, or of a pattern, that says which it is.

    ``taken`` are names that other tracks have.

    >>> as_track_name("Game [Demo]"), as_track_name("*.exe"), as_track_name("音楽*")
    ('Game [Demo]', 'exe', '音楽')
    >>> as_track_name("???"), as_track_name("nul"), as_track_name("discord", {"Discord"})
    ('question mark', 'program nul', 'discord 2')
    """
    text = unicodedata.normalize("NFC", text)
    hidden = set(invisible_in(text))
    base = "".join(
        c if at not in hidden and (_is_in_names(c) or _JOINERS.match(c)) else "_"
        for at, c in enumerate(text)
    )
    if base != text:
        base = re.sub("_{2,}", "_", base).strip(" ._-")
    while base and not _begins_a_name(base[0]):
        base = base[1:]
    if not base:
        # Signs alone: by what they are called.
        called = dict.fromkeys(unicodedata.name(c, f"U+{ord(c):04X}").lower() for c in text)
        base = re.sub(r"[^a-z0-9 -]+", " ", " and ".join(called)).strip(" -")
    if is_reserved_name(base):
        base = f"program {base}"
    base = _cut(base, 48, LONGEST_BYTES - 8)
    keys = set(map(name_key, taken))
    name, count = base, 1
    while name_key(name) in keys:
        count += 1
        name = f"{base} {count}"
    return name


def _is_in_names(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in _PLAIN
    return unicodedata.category(character)[0] in "LMNPS" and not invisible_in(character)


def _begins_a_name(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in "(["
    kind = unicodedata.category(character)
    return (kind[0] in "LN" or kind == "So") and not invisible_in(character)


def _cut(text: str, characters: int, size: int) -> str:
    text = text[:characters]
    while len(text.encode()) > size:
        text = text[:-1]
    return text.rstrip(" .\u200c\u200d")
