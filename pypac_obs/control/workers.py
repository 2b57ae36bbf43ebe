# SPDX-License-Identifier: MIT
"""Threads that do what may wait, so that the event loop never does."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from pypac_obs.control.replies import TooManyRequests

__all__ = ["Workers"]

Result = TypeVar("Result")
_Job = Callable[[], None]


class Workers:
    """A few threads, begun as they are needed, with a bounded queue.

    They are daemons, unlike those of `concurrent.futures`: a command that hangs does not keep the
    program from ending. [event loop, but for `close`]
    """

    def __init__(self, name: str, most: int, waiting: int) -> None:
        self._name = name
        self._most = most
        self._jobs: queue.Queue[_Job | None] = queue.Queue(waiting)
        self._threads: list[threading.Thread] = []
        self._busy = 0

    def submit(self, job: Callable[[], Result]) -> asyncio.Future[Result]:
        """Has a thread do it. Raises TooManyRequests where too much is waiting already."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def give(result: Result | None, error: BaseException | None) -> None:
            self._busy -= 1
            if done.cancelled():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result, error = None, None
            try:
                result = job()
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(give, result, error)

        try:
            self._jobs.put_nowait(run)
        except queue.Full:
            raise TooManyRequests("the session is busy", remedy="Ask again.") from None
        self._busy += 1
        if self._busy > len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return done

    def close(self) -> None:
        """Lets the threads end once they have done what waits; does not wait for them."""
        for _ in self._threads:
            with contextlib.suppress(queue.Full):
                self._jobs.put_nowait(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
