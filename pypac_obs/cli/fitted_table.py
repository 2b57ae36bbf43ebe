# SPDX-License-Identifier: MIT
"""Tables that fit: what names things stays whole, and columns of less weight go first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from pypac_obs.cli.console import column_table

__all__ = ["Column", "fitted_table"]

_GAP = 3  # between two columns: one blank beside each cell, and what rich puts between them
_LEAST = 10


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Of those with a ``weight`` the least goes first where there is no room; 0 stays, whole, and is
    folded into several lines where it alone is too wide. One that ``shrinks`` is cut short before
    anything goes.
    """

    heading: str
    weight: int = 0
    right: bool = False
    shrinks: bool = False


def fitted_table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> Table:
    """Makes a table that is at most ``width`` columns wide, whatever is in its cells."""
    widths = [
        max(cell_len(column.heading), *(cell_len(row[at].plain) for row in rows), 1)
        for at, column in enumerate(columns)
    ]
    least = [
        min(wide, max(_LEAST, cell_len(column.heading))) if column.shrinks else wide
        for wide, column in zip(widths, columns, strict=True)
    ]
    shown = list(range(len(columns)))
    while sum(least[at] + _GAP for at in shown) > width:
        droppable = [at for at in shown if columns[at].weight]
        if not droppable:
            break
        shown.remove(min(droppable, key=lambda at: columns[at].weight))
    room = width - sum(least[at] + _GAP for at in shown)
    for at in sorted(shown, key=lambda at: -columns[at].weight):
        wanted = widths[at] - least[at]
        more = max(0, min(wanted, room))
        room -= more
        widths[at] = least[at] + more
    table = column_table([columns[at].heading for at in shown], _right(columns))
    for at, column in zip(shown, table.columns, strict=True):
        column.no_wrap = bool(columns[at].weight)
        column.overflow = "ellipsis" if columns[at].weight else "fold"
    for row in rows:
        table.add_row(*(_cut(row[at], widths[at], columns[at]) for at in shown))
    return table


def _right(columns: Sequence[Column]) -> list[str]:
    return [column.heading for column in columns if column.right]


def _cut(cell: Text, width: int, column: Column) -> Text:
    if not column.shrinks or cell_len(cell.plain) <= width:
        return cell
    return Text(set_cell_size(cell.plain, width - 1).rstrip() + "…", style=cell.style)
