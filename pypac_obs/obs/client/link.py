# SPDX-License-Identifier: MIT
"""Keeps a connection to OBS up: connects, and connects again whenever it is lost."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from pypac_obs import _core
from pypac_obs.errors import (
    ObsDisabled,
    ObsNotAnswering,
    ObsNotRunning,
    ObsProtocolError,
    PypacError,
)
from pypac_obs.log import LOGGER
from pypac_obs.obs.client.connection import EventGroup, ObsAddress, ObsConnection

__all__ = ["ObsLink"]

_LOG = LOGGER.getChild("obs")

# An OBS that has just started is to be served within 5 s of its websocket being up.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0
# A connection that was lost sooner did not help: the next one is made after a longer pause.
LASTING_S = 5.0
# What only the user can mend (a password, a version) is tried less often: OBS tells him each time.
USERS_TURN_S = 10.0
# How long whatever holds up the link's thread may hold up the end: a keyring's dialog, or whoever
# listens at OBS's port.
ENDS_WITHIN_S = 2.0
# How long an OBS that has just come up is left alone. It answers while it still opens its windows,
# and waits for them with each scene that is made by websocket: where both happen at once, OBS 32
# has been seen to freeze for good.
SETTLING_S = 1.5
# Events that wait for us. OBS sends some ten a second when it is busy; far more than that is a
# flood, and the connection is made anew rather than acting on half of what happened.
MAX_WAITING = 1000
# And how large those may be in all: OBS's are of some hundred characters, but may be of 2**20 each.
MAX_WAITING_SIZE = 16 * 2**20


class ObsLink:
    """Has a thread that keeps a connection to OBS, and calls back on it.

    ``find`` tells where OBS is, and is asked again before each attempt: the password may have
    changed meanwhile. All callbacks run on the link's thread, one after the other, and may call
    `ObsConnection.request`: ``on_connected`` after each connecting, ``on_event`` with each event's
    type and data, in their order, and ``on_lost`` with the reason when the connection is gone.
    What a callback raises is kept in `error`, and the link goes on.

    An event may be of before ``on_connected``, and tell what that has seen already.

    `state` is for any thread; `start` and `stop` for one.
    """

    def __init__(
        self,
        find: Callable[[], ObsAddress],
        *,
        on_connected: Callable[[ObsConnection], None] | None = None,
        on_event: Callable[[ObsConnection, str, Mapping[str, Any]], None] | None = None,
        on_lost: Callable[[PypacError], None] | None = None,
        subscriptions: EventGroup = EventGroup.ALL,
        timeout_s: float = 5.0,
    ) -> None:
        self._find = find
        self._on_connected = on_connected
        self._on_event = on_event
        self._on_lost = on_lost
        self._subscriptions = subscriptions
        self._timeout_s = timeout_s
        self._connection: ObsConnection | None = None
        self._end_opening: Callable[[], None] | None = None  # while a connection is being made
        self._error: PypacError | None = None
        self._state = "not started"
        self._logged = ""  # why there is no connection, as it was logged last
        self._arrived_ns = 0  # the link's thread only
        self._was_away = False  # the link's thread only: OBS did not answer before, or has gone
        self._stopping = threading.Event()
        # What the link's thread has to do; None wakes it. A new one with each connection.
        self._waiting: queue.SimpleQueue[Callable[[ObsConnection], None] | None]
        self._waiting = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="obs link", daemon=True)

    @property
    def connection(self) -> ObsConnection | None:
        """The connection while there is one; it may be lost at any moment."""
        return self._connection

    @property
    def arrived_ns(self) -> int:
        """When the event at hand arrived, in host time: for ``on_event`` only."""
        return self._arrived_ns

    @property
    def error(self) -> PypacError | None:
        """Why there is no connection, or what a callback could not do; None while all is well."""
        return self._error

    @property
    def state(self) -> str:
        """What the link is doing, in plain words."""
        return self._state

    @property
    def running(self) -> bool:
        """True from `start` to `stop`."""
        return self._thread.ident is not None and not self._stopping.is_set()

    def start(self) -> None:
        """Starts the thread; returns at once, whether OBS runs or not."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the connection and the thread. May be called again.

        A thread that is held up is left behind: it does nothing in OBS any more, and ends by itself
        or with the process.
        """
        self._stopping.set()
        self._waiting.put(None)
        connection = self._connection
        if connection is not None:
            connection.close()  # a request that waits on the link's thread ends with it
        elif (end_opening := self._end_opening) is not None:
            end_opening()
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join(ENDS_WITHIN_S)

    def post(self, job: Callable[[ObsConnection], None]) -> bool:
        """Lets the link's thread do a job, between two events; False if there is no connection.

        Never waits. A job that is not done when the connection is lost is left undone.
        """
        if self._connection is None:
            return False
        self._waiting.put(job)
        return True

    # On the link's thread -------------------------------------------------------------------------

    def let_settle(self) -> None:
        """Gives an OBS that has just come up time to open its windows: for ``on_connected`` only.

        What is to change scenes calls it before. Events are kept meanwhile, with their times.
        """
        if self._was_away:
            self._stopping.wait(SETTLING_S)

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            self._state = "connecting to OBS"
            try:
                connection = self._connect()
            except PypacError as error:
                self._error = error
                waits = isinstance(error, ObsNotRunning | ObsNotAnswering | ObsDisabled)
                self._was_away = self._was_away or waits
                pause_s = pause_s if waits else USERS_TURN_S
                pause_s = self._pause(error, pause_s)
                continue
            since_s = time.monotonic()
            reason = self._serve(connection)
            self._was_away = isinstance(connection.error, ObsNotRunning)
            if time.monotonic() - since_s > LASTING_S:
                pause_s = FIRST_PAUSE_S
            if reason is not None:
                pause_s = self._pause(reason, pause_s)
        self._state = "stopped"

    def _pause(self, why: PypacError, pause_s: float) -> float:
        """Waits, and returns how long to wait the next time."""
        if str(why) != self._logged:  # it is tried again and again
            self._logged = str(why)
            _LOG.info("no connection: %s", why)
        self._state = f"{why}; tried again every {pause_s:g} s"
        self._stopping.wait(pause_s)
        return min(2 * pause_s, LONGEST_PAUSE_S)

    def _connect(self) -> ObsConnection:
        waiting = self._waiting = queue.SimpleQueue()
        on_event = self._on_event
        came = 0  # the size of events; written by the connection's thread only
        heeded = 0  # those that no longer wait; written by the link's thread only

        def take_event(kind: str, data: Mapping[str, Any], size: int) -> None:
            nonlocal came
            count, kept = waiting.qsize(), came - heeded
            if count >= MAX_WAITING or kept + size > MAX_WAITING_SIZE:
                raise ObsProtocolError(
                    f"OBS sends more events than can be heeded: {count} wait already, of {kept} "
                    "characters",
                    remedy="The connection is made again. Please report it with OBS's log.",
                )
            if on_event is not None:
                arrived_ns = _core.host_now_ns()
                came += size

                def tell(obs: ObsConnection) -> None:
                    nonlocal heeded
                    heeded += size
                    self._arrived_ns = arrived_ns
                    on_event(obs, kind, data)

                waiting.put(tell)

        return ObsConnection(
            self._find(),
            timeout_s=self._timeout_s,
            subscriptions=self._subscriptions,
            on_event=take_event,
            on_closed=lambda _: waiting.put(None),
            on_opening=self._opening,
        )

    def _opening(self, end: Callable[[], None]) -> None:
        self._end_opening = end
        if self._stopping.is_set():
            end()

    def _serve(self, connection: ObsConnection) -> PypacError | None:
        """Serves a connection to its end, and returns the reason; None: it was we who ended it."""
        waiting = self._waiting
        self._connection = connection
        self._error = None
        self._state = f"connected to OBS {connection.version.obs} at {connection.address}"
        self._logged = ""
        _LOG.info("%s", self._state)
        too_slow: PypacError | None = None
        try:
            if not self._stopping.is_set():
                undone = self._call(self._on_connected, connection)
                # That is tried again with the next connection.
                too_slow = undone if isinstance(undone, ObsNotAnswering) else None
            while not (too_slow or connection.closed or self._stopping.is_set()):
                job = waiting.get()
                if job is not None:
                    self._call(job, connection)
            reason = too_slow or connection.error
        finally:
            self._connection = None
            connection.close()
        if reason is None or self._stopping.is_set():
            return None
        self._error = reason
        _LOG.info("the connection is lost: %s", reason)
        self._call(self._on_lost, reason)
        return reason

    def _call(self, callback: Callable[..., None] | None, *arguments: Any) -> PypacError | None:
        if callback is None:
            return None
        try:
            callback(*arguments)
        except PypacError as error:
            self._error = error
        except Exception as error:  # a fault of ours: OBS is to be served all the same
            _LOG.exception("what is to be done in OBS failed")
            self._error = PypacError(
                f"what is to be done in OBS failed: {type(error).__name__}: {error}",
                remedy="Please report it.",
            )
        else:
            return None
        return self._error
