# SPDX-License-Identifier: MIT
"""Values of OBS's answers: OBS is another program, so each is checked for its type before its use.

All raise ObsProtocolError where a value is of another kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pypac_obs.errors import ObsProtocolError

__all__ = ["mappings_in", "number_in", "text_in", "texts_in", "unexpected", "whole_number_in"]


def unexpected(key: str) -> ObsProtocolError:
    """Says that a value is missing, or of another kind."""
    return ObsProtocolError(f"what OBS says has no {key}, or another kind of it")


def text_in(values: Mapping[str, Any], key: str) -> str:
    """Gives a text, "" where there is none."""
    value = values.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise unexpected(key)
    return value


def number_in(values: Mapping[str, Any], key: str) -> float:
    """Gives a number."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unexpected(key)
    if not -1e15 < value < 1e15 or not math.isfinite(value):
        raise unexpected(key)
    return float(value)


def whole_number_in(values: Mapping[str, Any], key: str) -> int:
    """Gives a whole number, such as an id."""
    value = values.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise unexpected(key)
    return value


def texts_in(values: Mapping[str, Any], key: str) -> list[str]:
    """Gives the texts of a list."""
    return [item for item in _list_in(values, key) if isinstance(item, str)]


def mappings_in(values: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Gives the objects of a list."""
    return [item for item in _list_in(values, key) if isinstance(item, Mapping)]


def _list_in(values: Mapping[str, Any], key: str) -> list[Any]:
    found = values.get(key)
    if not isinstance(found, list):
        raise unexpected(key)
    return found
