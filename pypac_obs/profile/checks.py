# SPDX-License-Identifier: MIT
"""What a single value of a profile may be, as annotations for the model's fields.

Each check looks at the value as the user wrote it and raises ``problem(...)``, which says what was
expected in the words of the profile. Nothing is converted on the way: ``"5"`` is no number.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pypac_obs.profile.names import EXPECTED_NAME, is_name, name_key
from pypac_obs.profile.paths import is_reserved_name
from pypac_obs.profile.units import unit_of

__all__ = [
    "PROBLEM",
    "Between",
    "Check",
    "Many",
    "OneOf",
    "check_name",
    "check_process",
    "check_switch",
    "check_text",
    "describe",
    "listed",
    "nearest",
    "printable",
    "problem",
]

PROBLEM = "profile_problem"
LONGEST_TEXT = 256
_QUOTED_NUMBER = re.compile(r"\s*([-+]?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([A-Za-z%/]{0,5})\s*")
LARGEST_PID = 2**32 - 1  # Windows counts in 32 bits, Linux stays below


def problem(
    expected: str, found: str, choices: Iterable[str] = (), word: str = ""
) -> PydanticCustomError:
    """The error that every check raises; ``word`` is what ``choices`` are compared with."""
    context = {"expected": expected, "found": found, "choices": tuple(choices), "word": word}
    return PydanticCustomError(PROBLEM, "expected {expected}, found {found}", context)


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that looks most like ``word`` whatever its case, or None if none comes close.

    >>> nearest("Discrod", ["game", "discord"])
    'discord'
    """
    if not word or len(word) > LONGEST_TEXT:
        return None
    by_key = {name_key(choice): choice for choice in choices}
    close = difflib.get_close_matches(name_key(word), by_key, n=1)
    return by_key[close[0]] if close else None


def listed(choices: Iterable[str], last: str = "or") -> str:
    """Names choices for a message, cut short where they are many: "a, b or c"."""
    names = [printable(choice) for choice in choices]
    if len(names) > 10:
        return ", ".join(names[:9]) + f" {last} {len(names) - 9} more"
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def printable(text: str, longest: int = 60) -> str:
    """The text on one line, cut short, without characters that could upset a terminal."""
    cut = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def describe(value: object) -> str:
    """Says in a few words what was found."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{printable(value)}"'
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge number"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, Mapping):
        return "a mapping with " + listed(map(str, value), "and") if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return f"a Python {type(value).__name__}"


@dataclass(frozen=True, eq=False)
class Check:
    """Runs ``function`` on the raw value.

    ``json`` is added to the field's JSON Schema; ``short`` is the schema of a form that the
    function accepts besides.
    """

    function: Callable[[Any], Any]
    json: Mapping[str, Any] | None = None
    short: Mapping[str, Any] | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.function, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        full = {**handler(schema), **(self.json or {})}
        return {"anyOf": [dict(self.short), full]} if self.short else full


@dataclass(frozen=True)
class Between:
    """A number from ``lowest`` to ``highest``; a whole one where the field is an int."""

    lowest: float
    highest: float

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        numbers = (int,) if source is int else (int, float)
        kind = "a whole number" if source is int else "a number"

        def check(value: Any, info: core_schema.ValidationInfo) -> Any:
            right_type = isinstance(value, numbers) and not isinstance(value, bool)
            if not right_type or not self.lowest <= value <= self.highest:  # NaN compares false
                meant = _meant(value, _key_of(info)) if isinstance(value, str) else None
                whole = meant is not None and (float in numbers or meant.is_integer())
                fits = meant is not None and whole and self.lowest <= meant <= self.highest
                how = f", without quotes and unit ({meant:.10g})" if fits else ""
                raise problem(f"{kind} from {self.lowest} to {self.highest}{how}", describe(value))
            return value

        return core_schema.with_info_before_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "minimum": self.lowest, "maximum": self.highest}


def _key_of(info: core_schema.ValidationInfo) -> str:
    """The key of a value; one that is set by its address has it in the context."""
    context = info.context if isinstance(info.context, Mapping) else {}
    return info.field_name or str(context.get("key", ""))


def _meant(text: str, key: str) -> float | None:
    """The number that is in quotes, in the unit of its key; None: it is in another one."""
    found = _QUOTED_NUMBER.fullmatch(text)
    if found is None:
        return None
    known = unit_of(key)
    factor = 1.0 if not found[2] else known.factors.get(found[2].lower()) if known else None
    return None if factor is None else float(found[1]) * factor


@dataclass(frozen=True)
class OneOf:
    """One of the field's Literal values, of the same type: neither ``1.0`` nor ``true`` is 1.

    Where all of them are text that YAML reads as numbers, the numbers are taken, too.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices = get_args(source)
        words = [str(c).lower() if isinstance(c, bool) else str(c) for c in choices]
        numbers = _are_numbers(choices)

        def check(value: Any) -> Any:
            if numbers and type(value) is int and str(value) in choices:
                return str(value)
            if not any(type(value) is type(c) and value == c for c in choices):
                found = _QUOTED_NUMBER.fullmatch(value) if isinstance(value, str) else None
                if numbers and found and found[1] in choices:
                    raise problem(f"{listed(words)}, without a unit ({found[1]})", describe(value))
                if all(isinstance(c, str) for c in choices):
                    raise problem(listed(words), describe(value), words, str(value))
                number = "" if isinstance(choices[0], bool) else "the number "
                raise problem(number + listed(words), describe(value))
            return value

        return core_schema.no_info_before_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler(schema)
        choices = found.get("enum", ())
        if not _are_numbers(choices):
            return found
        either = {**found, "enum": [*choices, *map(int, choices)]}
        either.pop("type", None)
        return either


def _are_numbers(choices: Collection[object]) -> bool:
    return bool(choices) and all(isinstance(one, str) and one.isdecimal() for one in choices)


@dataclass(frozen=True)
class Many:
    """A list; where ``or_one`` is set, a single item is the short form of a list of one."""

    or_one: bool = True
    least: int = 1
    most: int = 256

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def check(value: Any) -> Any:
            if not isinstance(value, list | tuple):
                if not self.or_one:
                    raise problem("a list", describe(value))
                return (value,)
            if not self.least <= len(value) <= self.most:
                found = f"{len(value)} of them" if value else "an empty list"
                raise problem(f"a list of {self.least} to {self.most} items", found)
            return tuple(value)

        return core_schema.no_info_before_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        array = {**handler(schema), "minItems": self.least, "maxItems": self.most}
        return {"anyOf": [array["items"], array]} if self.or_one else array


def check_text(value: Any) -> Any:
    """Text of 1 to 256 characters on one line."""
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= LONGEST_TEXT
        or not value.strip()
        or any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value)
    ):
        raise problem(f"text of 1 to {LONGEST_TEXT} characters on one line", describe(value))
    return value


def check_switch(value: Any) -> Any:
    """True or false."""
    if not isinstance(value, bool):
        raise problem("true or false", describe(value))
    return value


def check_process(value: Any) -> Any:
    """A program's name, a pattern of names, or a PID."""
    if isinstance(value, str):
        return check_text(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise problem("a program's name, a pattern or a PID", describe(value))
    if value == 0:
        raise problem("a PID above 0 (for the whole system use {system: true})", describe(value))
    if not 0 < value <= LARGEST_PID:
        raise problem(f"a PID from 1 to {LARGEST_PID}", describe(value))
    return value


def check_name(value: Any) -> Any:
    """The name of a source or track, which may become a file's name on any system."""
    if not isinstance(value, str) or not is_name(value):
        raise problem(EXPECTED_NAME, describe(value))
    if value[-1] in ". ":
        raise problem("a name that does not end in a dot or space", describe(value))
    if is_reserved_name(value):
        raise problem("a name that Windows does not reserve for a device", describe(value))
    return value
