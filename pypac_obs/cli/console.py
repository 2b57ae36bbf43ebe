# SPDX-License-Identifier: MIT
"""How the commands write: tables, levels, lengths, and errors with what to do about them."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from pypac_obs.errors import ProfileError, PypacError

if TYPE_CHECKING:  # a command that prints a line is done before these are loaded
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pypac_obs.status import Level
from pypac_obs.wording import counted, ended, listed, sentence

__all__ = [
    "column_table",
    "counted",
    "ended",
    "level_text",
    "listed",
    "lufs_text",
    "make_console",
    "meter",
    "plain",
    "print_json",
    "printable",
    "say",
    "say_error",
    "sentence",
]

# A pipe has no width: names are whole there, and lines short enough to be read in a log.
_PIPE_COLUMNS = 200
_METER_FLOOR_DB = -60.0
_METER_COLUMNS = 30
# Where a meter turns yellow, and red.
_LOUD_DB, _TOO_LOUD_DB = -9.0, -1.0


def make_console() -> Console:
    """Makes the console of standard output, as wide as its terminal."""
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            """Leaves it to the command what a closed pipe means: rich would end with 1."""
            raise BrokenPipeError

    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    return _Console(width=width, highlight=False, markup=False, emoji=False)


def printable(text: str) -> str:
    """Replaces what a terminal would obey instead of show: names come from other programs.

    >>> printable("a\\x1b[31mb"), printable("\u30b2\u30fc\u30e0\u3000\uff11")
    ('a\ufffd[31mb', '\u30b2\u30fc\u30e0\u3000\uff11')
    """
    if text.isprintable():
        return text
    from pypac_obs.profile.paths import invisible_in  # seldom needed, and takes its time

    hidden = set(invisible_in(text))
    return "".join(
        c
        if c.isprintable() or (at not in hidden and unicodedata.category(c) in ("Zs", "Cf"))
        else "\N{REPLACEMENT CHARACTER}"
        for at, c in enumerate(text)
    )


def plain(text: str, style: str = "") -> Text:
    """Makes a cell of a table from any text."""
    from rich.text import Text

    return Text(printable(text), style=style)


def column_table(headings: Sequence[str], right: Iterable[str] = ()) -> Table:
    """Makes an empty table; the columns in ``right`` hold numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    numbers = set(right)
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in numbers else "left",
            no_wrap=heading in numbers,
            overflow="ellipsis" if heading in numbers else "fold",
        )
    return table


def say(text: str) -> None:
    """Writes a line to standard output at once."""
    click.echo(printable(text))


def print_json(value: object, *, indent: int | None = None) -> None:
    """Writes one JSON value, on one line unless indented, at once."""
    click.echo(json.dumps(value, indent=indent, allow_nan=False))


def say_error(error: PypacError) -> None:
    """Writes to standard error what went wrong, and what the user can do about it."""
    lines = [printable(line) for line in error.message.splitlines()]
    # A profile's mistakes begin with file:line:column, which editors know how to follow.
    if not isinstance(error, ProfileError):
        lines = [ended("Error: " + lines[0]) if lines else "Error.", *lines[1:]]
    click.echo("\n".join(lines), err=True)
    if error.remedy:
        click.echo(printable(error.remedy), err=True)


def level_text(db: float) -> str:
    """Writes a level in dBFS; nothing for one that was not measured.

    >>> level_text(-12.345), level_text(-math.inf), level_text(math.nan)
    ('-12.3 dB', 'silence', '')
    """
    if math.isnan(db):
        return ""
    return f"{db:.1f} dB" if db > -200 else "silence"


def lufs_text(lufs: float) -> str:
    """Writes a loudness; nothing where there is none.

    >>> lufs_text(-18.04), lufs_text(-math.inf)
    ('-18.0', '')
    """
    return f"{lufs:.1f}" if lufs > -200 else ""


def meter(level: Level, *, unicode: bool = True) -> Text:
    """Draws a level from -60 to 0 dBFS: a bar for the RMS, a line for the peak."""
    from rich.text import Text

    bar, tick, rest = ("█", "│", "·") if unicode else ("#", "|", ".")
    filled, peak = _columns(level.rms), _columns(level.peak)
    loud, too_loud = _columns(_LOUD_DB), _columns(_TOO_LOUD_DB)
    text = Text(bar * min(filled, loud), "green")
    text.append(bar * (min(filled, too_loud) - loud), "yellow")
    text.append(bar * (filled - too_loud), "red")
    if peak > filled:
        text.append(rest * (peak - filled - 1), "dim")
        text.append(tick, "green" if peak <= loud else "yellow" if peak <= too_loud else "red")
    text.append(rest * (_METER_COLUMNS - max(filled, peak)), "dim")
    return text


def _columns(db: float) -> int:
    if not math.isfinite(db):
        return 0
    share = 1 - db / _METER_FLOOR_DB
    return min(_METER_COLUMNS, max(0, round(share * _METER_COLUMNS)))
