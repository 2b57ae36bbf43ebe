# SPDX-License-Identifier: MIT
"""What a session tells its user in sentences."""

from __future__ import annotations

import threading

from pypac_obs.events import EventBus, NewsTold, Warned
from pypac_obs.session.recent import Recent

__all__ = ["Notices"]

_MOST_WARNINGS = 1_000
_MOST_NEWS = 1_000


class Notices:
    """Warnings, each once, and news; the latest 1000 of both are kept. [any-thread]

    >>> notices = Notices(EventBus())
    >>> notices.warn("the disk is slow", "the disk is slow")
    >>> notices.warnings
    ('the disk is slow',)
    """

    def __init__(self, events: EventBus) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._warnings = Recent[str](_MOST_WARNINGS)
        self._news = Recent[str](_MOST_NEWS)

    def warn(self, *texts: str) -> None:
        """Warns of each of these, unless that was said before."""
        for text in texts:
            with self._lock:
                if text in self._warnings.entries:
                    continue
                self._warnings.append(text)
            self._events.publish(Warned(text))

    def tell(self, sentence: str) -> None:
        """Tells of something that was done, or cannot be done."""
        with self._lock:
            self._news.append(sentence)
        self._events.publish(NewsTold(sentence))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings so far."""
        with self._lock:
            return self._warnings.entries

    @property
    def news(self) -> tuple[tuple[str, ...], int]:
        """The news so far, and how many there have been."""
        with self._lock:
            return self._news.entries, self._news.total
