# SPDX-License-Identifier: MIT
"""Reads a profile, and finds every mistake in it at once.

Four steps: bytes become text, text becomes YAML nodes, nodes become plain data whose places in the
text are remembered, and plain data becomes a Profile. Mistakes of the third and fourth step are
collected; one in the first two hides the rest.

A profile may come from anybody. So its size, its depth, its aliases and the nodes that they expand
to are bounded, its tags are refused, and nothing but the file itself is read.
"""

from __future__ import annotations

import math
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.reader import Reader

from pypac_obs.errors import ProfileError, ProfileMistake
from pypac_obs.profile import references
from pypac_obs.profile.checks import PROBLEM, describe, nearest, printable
from pypac_obs.profile.latency import latency_problems
from pypac_obs.profile.model import Profile
from pypac_obs.profile.outputs import OUTPUT_KINDS
from pypac_obs.profile.references import Loc, Problem
from pypac_obs.profile.rule import WRITTEN
from pypac_obs.profile.slips import slips_in
from pypac_obs.undecoded import readable
from pypac_obs.working_folder import is_working_folder_gone

__all__ = ["build_profile", "load_profile", "parse_profile"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_ALIASES = 1000
MAX_NODES = 50_000
MAX_HINTS = 100  # comparing names takes time: beyond these, mistakes come without the nearest name

_YAML = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")

# Here keys are numbers. Everywhere else a key is a name, and a number needs quotes to be one.
_NUMBERED: Loc = ("outputs", "obs", "recording", "names")
# Keys that are names, and where the names of tracks that are written stand.
_NAMES: tuple[Loc, ...] = (
    *(("sources",), ("presets",), ("tracks",), ("outputs",)),
    ("outputs", "obs", "tracks"),
)
_WRITTEN: tuple[Loc, ...] = (("outputs", "files", "tracks"), ("outputs", "plugin", "tracks"))
# What stands here is never shown: somebody may have written the password itself.
_SECRET: Loc = ("outputs", "obs", "password")


def _as_short(loc: Loc) -> Loc:
    """A place in an output with a name of its own, as it is in one that is named by its kind."""
    named = loc[:1] == ("outputs",) and loc[1:2] and loc[1] not in OUTPUT_KINDS
    return ("outputs", *loc[2:]) if named and loc[2:] else loc


Place = tuple[int, int]  # line and column, both from 1
START: Place = (1, 1)


def load_profile(path: str | Path) -> Profile:
    """Reads a profile from a file; raises ProfileError with every mistake in it."""
    path = Path(path)
    label = printable(readable(str(path)), longest=1000)
    try:
        return _parse(_decode(_read(path)), label, file=path)
    except _MistakesError as error:
        raise ProfileError(error.of(label)) from None


def parse_profile(text: str, file: str = "<profile>") -> Profile:
    """Reads a profile from text; ``file`` is what it is called in messages, and names it."""
    path = None if file == "<profile>" else Path(file)
    label = printable(file, longest=1000)
    try:
        return _parse(text, label, file=path)
    except _MistakesError as error:
        raise ProfileError(error.of(label)) from None


def build_profile(data: Any, *, name: str = "profile", file: Path | None = None) -> Profile:
    """Builds a profile from plain data; raises ProfileError with every mistake in it."""
    label = printable(str(file), longest=1000) if file else "<profile>"
    try:
        return _build(data, _Places(), name=name, file=file)
    except _MistakesError as error:
        raise ProfileError(error.of(label)) from None


class _MistakesError(Exception):
    """Mistakes on their way to the function that knows what the file is called."""

    def __init__(self, mistakes: Iterable[_Mistake]) -> None:
        super().__init__()
        self.mistakes = sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.place)

    def of(self, file: str) -> Iterable[ProfileMistake]:
        for index, m in enumerate(self.mistakes):
            hint = nearest(m.word, m.choices) if index < MAX_HINTS else None
            yield ProfileMistake(file, *m.place, m.path, m.expected, m.found, hint)


@dataclass(frozen=True)
class _Mistake:
    place: Place
    expected: str
    found: str
    path: str = ""
    choices: tuple[str, ...] = ()
    word: str = ""


def _one(place: Place, expected: str, found: str) -> _MistakesError:
    return _MistakesError([_Mistake(place, expected, found)])


# Bytes and text --------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    nowhere: Place = (0, 0)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise _one(nowhere, "a file", "a folder")
        if not stat.S_ISREG(mode):  # reading a pipe or device might never end
            raise _one(nowhere, "a file", "a device, pipe or socket")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        found = "no file of this name"
        if not path.is_absolute() and is_working_folder_gone():
            found = "none, because the working folder is deleted: change to another one (cd)"
        raise _one(nowhere, "a file", found) from None
    except PermissionError:
        raise _one(nowhere, "a file", "one that you may not read") from None
    except OSError as error:
        raise _one(nowhere, "a file", f"one that cannot be read: {error.strerror}") from None
    except ValueError:
        raise _one(nowhere, "a file", "a name that no file can have") from None
    return data


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _too_long()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _one(START, "text in UTF-8", "UTF-16: save the file as UTF-8")
    if b"\0" in data:
        raise _one(START, "text in UTF-8", "a binary file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        place = _place_after(before)
        raise _one(place, "text in UTF-8", f"the byte 0x{data[error.start]:02x}") from None


def _too_long() -> _MistakesError:
    return _one(START, f"a file of at most {MAX_BYTES >> 20} MiB", "a longer one")


def _place_after(text: str) -> Place:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _check_characters(text: str) -> None:
    if len(text) > MAX_BYTES:
        raise _too_long()
    if bad := Reader.NON_PRINTABLE.search(text):
        place = _place_after(text[: bad.start()])
        raise _one(place, "text", f"the character U+{ord(bad[0]):04X}")


# YAML to nodes ---------------------------------------------------------------------------------


class _Composer(yaml.SafeLoader):
    """PyYAML's own, with bounds on depth, nodes and aliases while it reads."""

    depth = 0
    nodes = 0
    aliases = 0

    def __init__(self, text: str) -> None:
        super().__init__(text)
        # Where single values have an anchor, by its name, as long as no alias means it.
        self.idle_anchors: dict[str, Place] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            self.aliases += 1
            self.idle_anchors.pop(str(event.anchor), None)
        elif isinstance(event, yaml.ScalarEvent) and event.anchor:
            self.idle_anchors[event.anchor] = _place(mark)
        if self.aliases > MAX_ALIASES:
            raise _one(_place(mark), f"at most {MAX_ALIASES} aliases", "more")
        if self.depth >= MAX_DEPTH:
            raise _too_deep(_place(mark))
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _too_many(_place(mark))
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _place(mark: yaml.Mark | None) -> Place:
    return (mark.line + 1, mark.column + 1) if mark else START


def _too_deep(place: Place) -> _MistakesError:
    return _one(place, f"at most {MAX_DEPTH} levels", "a deeper nesting")


def _too_many(place: Place) -> _MistakesError:
    return _one(place, f"at most {MAX_NODES} keys and values, aliases expanded", "more")


def _compose(text: str) -> tuple[yaml.Node, list[_Mistake]]:
    """Gives the nodes, and the mistakes that they do not show."""
    composer = _Composer(text)
    try:
        node = composer.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax_mistake(error) from None
    except (ValueError, OverflowError):  # PyYAML's way to say that "\UFFFFFFFF" is no character
        place = _place(composer.get_mark())
        raise _one(place, "a character after the backslash", "a number that is none") from None
    finally:
        composer.dispose()
    if node is None or node.tag == _YAML + "null":
        raise _one(START, "a profile", "an empty file")
    # `process: &Co Game` names the value "Game": nobody means that without an alias of it.
    return node, [
        _Mistake(place, f'text in quotes ("&{printable(anchor)}...")', 'an unquoted "&"')
        for anchor, place in composer.idle_anchors.items()
    ]


# What PyYAML says (a part of it), what was expected, and what was found.
_SYNTAX = (
    (r"'\\t' that cannot start", "spaces", "a tab"),
    (r"character '(.)' that cannot start", "text in quotes", r'an unquoted "\1"'),
    (r"expected ',' or '\}'", 'a "," or the "}" that closes the mapping', "something else"),
    (r"expected ',' or '\]'", 'a "," or the "]" that closes the list', "something else"),
    (r"mapping values are not allowed", "one key with its value", 'a second ":"'),
    (r"could not find expected ':'", 'a ":" after the key', "none"),
    (r"unexpected end of stream", "the quote that closes the text", "the end of the file"),
    (
        r"undefined alias '(.*)'",
        "an anchor that is defined above",
        r'"*\1" (a pattern needs quotes)',
    ),
    (r"duplicate anchor '(.*?)'", "an anchor that is defined once", r'"&\1" again'),
    (r"expected a single document", "one document", "a second one"),
    (r"sequence entries are not allowed", "a list on lines of its own", 'a "-"'),
    (r"block collections", "a list or mapping on lines of its own", "one after other things"),
    (
        r"unknown escape character|expected escape sequence",
        "single quotes around text with backslashes",
        "a backslash in double quotes",
    ),
    (r"<block end>.*but found '-'", "a key, indented like the others", 'a "-"'),
    (r"<block end>.*but found", "a line that is indented like the others", "another indentation"),
    (r"document start", 'the end of the file, or "---"', "more text"),
    (r"expected the node content", "a value", "none"),
    (r"scanning an alias", 'a pattern in quotes, such as "*.exe"', 'an unquoted "*"'),
    (r"scanning an anchor", "text in quotes", 'an unquoted "&"'),
    (r"(parsing|scanning) a tag", "text in quotes", 'an unquoted "!"'),
    (r"block scalar", "text in quotes", 'an unquoted "|" or ">"'),
    (r"a directive", "text in quotes", 'an unquoted "%"'),
    (r"mapping keys are not allowed", "text in quotes", 'an unquoted "?"'),
)


def _syntax_mistake(error: yaml.MarkedYAMLError) -> _MistakesError:
    place = _place(error.problem_mark or error.context_mark)
    said = f"{error.context or ''} {error.problem or ''}"
    for pattern, expected, found in _SYNTAX:
        if match := re.search(pattern, said):
            return _one(place, expected, printable(match.expand(found)))
    return _one(place, "YAML", "something else")


# Nodes to plain data ---------------------------------------------------------------------------


@dataclass
class _Places:
    """Where each value and each key stands in the text."""

    values: dict[Loc, Place] = field(default_factory=dict)
    keys: dict[Loc, Place] = field(default_factory=dict)
    broken: set[Loc] = field(default_factory=set)  # have their mistake already
    mistakes: list[_Mistake] = field(default_factory=list)

    def is_broken(self, loc: Loc) -> bool:
        return any(loc[:length] in self.broken for length in range(len(loc) + 1))


class _Reader:
    """Turns nodes into plain data; a value with a mistake becomes None."""

    def __init__(self) -> None:
        self.places = _Places()
        self._nodes = 0
        self._open: set[int] = set()  # ids of the nodes that are being read: a loop meets one twice

    def read(self, node: yaml.Node, loc: Loc = ()) -> Any:
        place = _place(node.start_mark)
        self.places.values[loc] = place
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _too_many(place)
        if id(node) in self._open:
            return self._mistake(loc, place, "a value", "an alias of what it is part of: a loop")
        if len(self._open) >= MAX_DEPTH:
            raise _too_deep(place)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == _YAML + "map":
                return self._mapping(node, loc)
            if isinstance(node, yaml.SequenceNode) and node.tag == _YAML + "seq":
                return [self.read(item, (*loc, i)) for i, item in enumerate(node.value)]
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, loc, place)
            return self._tag(node, loc, place)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self._mistake(loc, place, "a name as key", "a list or mapping", broken=False)
                continue
            key = _normal(key_node.value) if _as_short(loc) in _NAMES else key_node.value
            here = (*loc, key)
            if key in data:
                line = self.places.keys[here][0]
                found = f"{describe(key)} again, after line {line}"
                self._mistake(here, place, "each key once", found, broken=False)
                continue
            self.places.keys[here] = place
            if key_node.tag == _YAML + "merge":
                self._mistake(here, place, "a key", '"<<": merge keys are not supported')
                continue
            numbered = _as_short(loc) == _NUMBERED and key_node.tag == _YAML + "int"
            if key_node.tag != _YAML + "str" and not numbered:
                what = _READ_AS.get(key_node.tag.removeprefix(_YAML), "something else")
                found = f"{printable(key)}, which YAML reads as {what}"
                self._mistake(
                    here, place, 'a name as key (write it in quotes: "...")', found, broken=False
                )
            data[key] = self.read(value_node, here)
        return data

    def _scalar(self, node: yaml.ScalarNode, loc: Loc, place: Place) -> Any:
        text, kind = node.value, node.tag.removeprefix(_YAML)
        if _as_short(loc)[: len(_SECRET)] == _SECRET:
            return text
        if kind == "str":
            return _normal(text) if _names_something(loc) else text
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind == "int" and _WHOLE.fullmatch(text):
            return int(text)
        if kind == "float" and _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        if kind == "null":
            found = 'nothing (text needs quotes: "~")' if text else "nothing"
            return self._mistake(loc, place, "a value", found)
        shown = printable(text)
        if kind == "bool":
            meaning = "true" if text.lower() in ("yes", "on") else "false"
            found = f"{shown}, which YAML reads as {meaning}"
            return self._mistake(loc, place, f'true, false, or text in quotes: "{shown}"', found)
        if kind == "int":
            found = f"{shown}, which is no plain decimal number of up to 18 digits"
            return self._mistake(loc, place, "a number such as 31, or text in quotes", found)
        if kind == "float":
            return self._mistake(loc, place, "a finite decimal number, or text in quotes", shown)
        if kind == "timestamp":
            return self._mistake(loc, place, f'text in quotes: "{shown}"', "a date")
        return self._tag(node, loc, place)

    def _tag(self, node: yaml.Node, loc: Loc, place: Place) -> None:
        tag = node.tag.replace(_YAML, "!!")
        return self._mistake(loc, place, "a value without a tag", f'the tag "{printable(tag)}"')

    def _mistake(
        self, loc: Loc, place: Place, expected: str, found: str, *, broken: bool = True
    ) -> None:
        self.places.mistakes.append(_Mistake(place, expected, found, _path(loc)))
        if broken:
            self.places.broken.add(loc)


def _names_something(loc: Loc) -> bool:
    """Tells whether the name of a source, preset or track stands there."""
    in_track = loc[:1] == ("tracks",) and (
        loc[2:3] == ("from",) or (loc[2:3] in (("filters",), ("compare",)) and len(loc) <= 4)
    )
    in_source = loc[:1] == ("sources",) and loc[2:3] == ("everything_except",)
    in_key = loc[:1] in (("tracks",), ("presets",)) and "key" in loc[-2:]
    written = _as_short(loc)[:3] in _WRITTEN
    return (in_track or in_source or written or in_key) and "process" not in loc[3:]


def _normal(name: str) -> str:
    """One spelling, however the editor stores accents."""
    return unicodedata.normalize("NFC", name)


_READ_AS = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
}


def _path(loc: Loc) -> str:
    """Writes a place as ``tracks.voice.from[1]``."""
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else "." + (printable(part) or '""')
    return path.removeprefix(".")


# Plain data to a profile -----------------------------------------------------------------------


def _parse(text: str, label: str, *, file: Path | None) -> Profile:
    _check_characters(text)
    try:
        root, mistakes = _compose(text)
    except _MistakesError as error:
        raise _MistakesError(_with_causes(error.mistakes, text, near=True)) from None
    if not isinstance(root, yaml.MappingNode):
        found = "a list" if isinstance(root, yaml.SequenceNode) else describe(root.value)
        raise _one(_place(root.start_mark), "a mapping with version, sources and tracks", found)
    reader = _Reader()
    reader.places.mistakes += mistakes
    data = reader.read(root)
    try:
        return _build(
            data, reader.places, name=readable(file.stem) if file else "profile", file=file
        )
    except _MistakesError as error:
        unmeant = {mistake.place[0] for mistake in mistakes}
        left = [m for m in error.mistakes if m in mistakes or m.place[0] not in unmeant]
        raise _MistakesError(_with_causes(left, text)) from None


def _with_causes(mistakes: list[_Mistake], text: str, *, near: bool = False) -> list[_Mistake]:
    """Puts slips of the pen in the place of the mistakes that they cause on the same line.

    ``near``: or on the line before, which is where YAML's own mistakes come from at times.
    """
    lines = dict(enumerate(text.split("\n"), 1))
    slips: dict[int, list[_Mistake]] = {}
    for number in {mistake.place[0] for mistake in mistakes} - {0}:
        rows = [number]
        if near:
            rows += [row for row, line in lines.items() if row < number and line.strip()][-1:]
        for row in rows:
            found = [
                _Mistake(
                    (row, slip.column), printable(slip.expected, 200), printable(slip.found, 100)
                )
                for slip in slips_in(lines.get(row, ""))
            ]
            if found:
                slips[number] = found
                break
    left = [mistake for mistake in mistakes if mistake.place[0] not in slips]
    return left + [slip for found in slips.values() for slip in found]


def _build(data: Any, places: _Places, *, name: str, file: Path | None) -> Profile:
    """Validates plain data, and adds what it finds to the mistakes that were made in the text."""
    profile = None
    found: list[Problem] = []
    try:
        profile = Profile.model_validate(data, context=WRITTEN)
    except ValidationError as error:
        found += [
            _problem(line)
            for line in error.errors(include_url=False)
            if line["type"] != references.PROBLEM
        ]
    if isinstance(data, Mapping):
        found += references.problems(data)
    if profile is not None and not found and not places.mistakes:
        found += latency_problems(profile)
    mistakes = list(places.mistakes)
    mistakes += [m for problem in found if (m := _mistake(problem, data, places))]
    if mistakes or profile is None:
        raise _MistakesError(mistakes)
    profile._name, profile._file = name, file
    return profile


def _problem(line: Mapping[str, Any]) -> Problem:
    """Says one of pydantic's errors in the words of the profile."""
    kind, context, value = line["type"], line.get("ctx", {}), line["input"]
    if kind == PROBLEM:
        choices, word = context["choices"], context["word"]
        return Problem(line["loc"], context["expected"], context["found"], choices, word)
    if kind == "missing":
        return Problem(line["loc"], "this key, which is required", "nothing")
    if kind in ("model_type", "dict_type"):
        return Problem(line["loc"], "a mapping", describe(value))
    if kind == "invalid_key":
        return Problem(line["loc"], "text as key", "another key")
    return Problem(line["loc"], "another value", describe(value))


def _mistake(problem: Problem, data: Any, places: _Places) -> _Mistake | None:
    """Finds the place of a problem; None if that place has had its mistake already.

    Parts of ``loc`` that the text does not have are dropped: the short form ``from: game`` stands
    for ``from[0].source``. What is missing is shown where its mapping begins. A last part "[key]"
    says that the problem is the key, not its value.
    """
    loc: Loc = ()
    value = data
    missing: Loc = ()
    for part in problem.loc:
        in_list = isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        if in_list or (isinstance(value, Mapping) and part in value):
            loc, value = (*loc, part), value[part]
        elif isinstance(value, Mapping) and isinstance(part, str) and part != "[key]":
            missing = (part,)
    if places.is_broken(loc):
        return None
    place = places.values.get(loc, (0, 0))
    if missing or problem.loc[-1:] == ("[key]",):
        place = places.keys.get(loc, place)
    path = _path((*loc, *missing))
    return _Mistake(place, problem.expected, problem.found, path, problem.choices, problem.word)
