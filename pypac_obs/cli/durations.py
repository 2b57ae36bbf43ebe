# SPDX-License-Identifier: MIT
"""Times as users write them: 20, 1.5, 90s, 10m, 1h30m."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

__all__ = ["duration_option", "parse_duration", "read_duration"]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_DURATION = re.compile(
    rf"(?:(?P<h>{_NUMBER})h)?(?:(?P<m>{_NUMBER})m)?(?:(?P<s>{_NUMBER})s?)?", re.ASCII
)
_LONGEST_S = 366 * 86_400.0


def parse_duration(text: str) -> float:
    """Reads a duration in seconds; raises ValueError.

    >>> [parse_duration(text) for text in ("20", "1.5", "90s", "10m", "1h30m")]
    [20.0, 1.5, 90.0, 600.0, 5400.0]
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise ValueError("expected a time such as 20, 1.5, 90s, 10m or 1h30m")
    seconds = sum(float(value) * _UNITS[unit] for unit, value in match.groupdict("0").items())
    if not 0 < seconds <= _LONGEST_S:
        raise ValueError("expected more than no time, and a year at most")
    return seconds


def duration_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --duration to a command: seconds, or None where it is left out."""
    return click.option(
        "--duration",
        metavar="TIME",
        callback=read_duration,
        help="End after exactly this time: 20, 1.5, 90s, 10m, 1h30m. By default, until Ctrl-C.",
    )(command)


def read_duration(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """Reads a duration for click, which gives None where there is none."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, found {text!r}", ctx, param) from None
