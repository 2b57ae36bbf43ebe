# SPDX-License-Identifier: MIT
"""The settings of a filter in the form that the core takes."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["NativeValue", "native_value", "native_values"]

NativeValue = bool | float | str | list[str]


def native_values(settings: Mapping[str, object]) -> dict[str, NativeValue]:
    """Turns the settings of a filter into what the core takes; a key that is left out is ""."""
    return {key: native_value(value) for key, value in settings.items()}


def native_value(value: object) -> NativeValue:
    """Turns one setting of a filter into what the core takes."""
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value)
    assert isinstance(value, list | tuple)
    return list(map(str, value))
