# SPDX-License-Identifier: MIT
"""How much a client may ask for, and how often somebody may guess the token."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict, deque
from collections.abc import Callable

__all__ = [
    "LONGEST_MESSAGE",
    "MOST_CLIENTS",
    "CommandRate",
    "CommandRates",
    "TokenCheck",
]

LONGEST_MESSAGE = 64 * 1024
MOST_CLIENTS = 16
_PER_SECOND = 100
_KNOWN_CLIENTS = 64
_WRONG_A_MINUTE = 10
_MINUTE_S = 60.0
_DELAY_S = 1.0


class CommandRate:
    """A hundred commands a second, in bursts of as many."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left = float(_PER_SECOND)
        self._last = now()

    def take(self) -> bool:
        """Counts one; False: there were too many."""
        now = self._now()
        self._left = min(_PER_SECOND, self._left + (now - self._last) * _PER_SECOND)
        self._last = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class CommandRates:
    """One `CommandRate` for each client that asks over HTTP; the last few are known."""

    def __init__(self) -> None:
        self._rates: OrderedDict[str, CommandRate] = OrderedDict()

    def take(self, client: str) -> bool:
        """Counts a command of this client; False: there were too many."""
        rate = self._rates.setdefault(client, CommandRate())
        self._rates.move_to_end(client)
        if len(self._rates) > _KNOWN_CLIENTS:
            self._rates.popitem(last=False)
        return rate.take()


class TokenCheck:
    """Compares tokens. After ten wrong ones in a minute each more takes a second."""

    def __init__(
        self,
        token: Callable[[], str],
        now: Callable[[], float] = time.monotonic,
        delay_s: float = _DELAY_S,
    ) -> None:
        self._token = token
        self._now = now
        self._delay_s = delay_s
        self._wrong: deque[float] = deque(maxlen=_WRONG_A_MINUTE)

    async def __call__(self, shown: str) -> bool:
        """Whether it is the right one. [event loop]"""
        right = self._token().encode()
        if hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), right):
            return True
        now = self._now()
        often = len(self._wrong) == _WRONG_A_MINUTE and now - self._wrong[0] < _MINUTE_S
        self._wrong.append(now)
        if often:
            await asyncio.sleep(self._delay_s)
        return False
