# SPDX-License-Identifier: MIT
"""How a profile names a plugin that somebody else wrote in Python, and what it gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pypac_obs.profile.checks import Check, check_text, describe, problem

__all__ = ["PluginSettings", "PluginValue", "Use"]

_ENTRY_POINT = re.compile(r"\w[\w.-]*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def _check_use(value: Any) -> Any:
    expected = "the name of an installed plugin, module:Class or file.py:Class"
    if not isinstance(value, str):
        raise problem(expected, describe(value))
    check_text(value)
    if value.endswith(".py"):
        raise problem(f'the class behind the file ("{value}:Class")', describe(value))
    target, colon, name = value.rpartition(":")
    if target.replace("\\", "/").startswith("//"):
        raise problem("a file on this computer", describe(value))
    if not colon:
        right = bool(_ENTRY_POINT.fullmatch(name))
    else:
        has_target = target.endswith(".py") or bool(_MODULE.fullmatch(target))
        right = has_target and bool(_MODULE.fullmatch(name))
    if not right:
        raise problem(expected, describe(value))
    return value


def _check_settings(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise problem("a mapping of the plugin's settings", describe(value))
    if not _is_plain(value):
        raise problem("text, numbers, true, false, lists and mappings", "something else")
    return dict(value)


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) for key in value) and all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, str | int | float | bool)


def _check_value(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool) or value != value:
        raise problem("a number, true, false or text", describe(value))
    return value


#: The name of an installed plugin, module:Class or file.py:Class.
Use = Annotated[str, Check(_check_use, {"minLength": 1, "maxLength": 256})]
#: What a filter that is a plugin can be set to; its own range is known where it runs.
PluginValue = Annotated[float | bool | str, Check(_check_value)]
#: Plain values.
PluginSettings = Annotated[dict[str, Any], Check(_check_settings)]
