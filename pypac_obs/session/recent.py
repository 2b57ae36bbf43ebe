# SPDX-License-Identifier: MIT
"""A list that does not grow without bound: sessions run for days."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

__all__ = ["Recent"]

T = TypeVar("T")


class Recent(Generic[T]):
    """The latest entries, ``most`` at a time, and how many there have been in ``total``.

    >>> recent = Recent[str](most=2)
    >>> recent.extend(["a", "b", "c"])
    >>> recent.total, recent.entries
    (3, ('b', 'c'))
    """

    def __init__(self, most: int) -> None:
        self._entries: deque[T] = deque(maxlen=most)
        self.total = 0

    @property
    def entries(self) -> tuple[T, ...]:
        """Those that are kept, in order."""
        return tuple(self._entries)

    def append(self, entry: T) -> None:
        """Adds an entry; the oldest goes where there is no room."""
        self._entries.append(entry)
        self.total += 1

    def extend(self, entries: Iterable[T]) -> None:
        """Adds entries in order."""
        for entry in entries:
            self.append(entry)
