# SPDX-License-Identifier: MIT
"""A running profile, as Python programs use it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pypac_obs.errors import PypacError, SessionClosed
from pypac_obs.events import EventBus
from pypac_obs.forked import leave_to_parent_on_fork
from pypac_obs.incidents import Incident
from pypac_obs.model import ProfileDiff, Value, find, value_of
from pypac_obs.outputs.callback import CallbackOutput
from pypac_obs.outputs.output import Block, Marker, Output
from pypac_obs.profile import Profile, load_profile
from pypac_obs.session.blocks import BlockStream
from pypac_obs.session.incident_log import IncidentLog
from pypac_obs.session.notices import Notices
from pypac_obs.session.output_set import STREAM_BLOCK_S, open_reader
from pypac_obs.session.profile_outputs import ProfileOutputs
from pypac_obs.session.running import Running
from pypac_obs.status import SessionStatus
from pypac_obs.undecoded import readable

__all__ = ["Session"]

_PATIENCE_S = 0.1


class Session:
    """Runs a profile.

    As a context manager it starts on entry and ends on exit; iterate over it (also ``async for``)
    for blocks of all tracks:

        with Session("game-and-discord.yaml") as session:
            for block in session:
                print(block.start, block.audio["discord"].shape)

    ``outputs`` are added to those of the profile, ``on_block`` is called with each block of 20 ms
    on a thread of its own (its arrays are valid until it returns), and ``duration_s`` ends
    the session after exactly that time. ``offline`` runs synthetic sources as fast as the readers
    take them, on the calling thread, with `run_offline`, and leaves OBS out, which lives in real
    time.

    Raises ProfileError before anything is opened, BackendUnavailable, PermissionDenied or
    Unsupported where there is no audio system, PluginFailed where a source or a filter of the
    profile's cannot be loaded, and OutputFailed where an output cannot be opened or, at once,
    loaded.
    All methods are for any thread. A session runs once, in the process that has started it: in
    a forked child `stop` and the end of a ``with`` block do nothing, and what needs the session
    raises SessionClosed.
    """

    def __init__(
        self,
        profile: Profile | str | Path,
        *,
        outputs: Sequence[Output] = (),
        on_block: Callable[[Block], None] | None = None,
        duration_s: float | None = None,
        name: str | None = None,
        offline: bool = False,
    ) -> None:
        self.profile = profile if isinstance(profile, Profile) else load_profile(profile)
        self.name = readable(name or self.profile.name)
        self.sample_rate = self.profile.session.sample_rate
        self._duration_s = duration_s
        self._offline = offline
        self._events = EventBus()
        self._notices = Notices(self._events)
        self._log = IncidentLog(self._events, self._deliver)
        self._profile_outputs = ProfileOutputs(
            self.profile,
            self.name,
            without_obs=offline,
            log=self._log,
            notices=self._notices,
            open_incidents=lambda: self._log.open_incidents(self._require().wiring),
        )
        self._given = tuple(outputs)
        if on_block is not None:
            self._given = (*self._given, CallbackOutput(on_block))
        self._running: Running | None = None
        self._started = False
        self._stop_asked = False
        self._ended = threading.Event()
        self._lock = threading.Lock()  # what the state is; never held while waiting
        self._is_parents = False  # this process was forked from the one that runs it
        leave_to_parent_on_fork(self)

    def _deliver(self, incident: Incident) -> None:
        if self._running is not None:
            self._running.outputs.post_incident(incident)

    # Running ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts capture and outputs; returns when frame 0 is fixed and outputs are open.

        Outputs are opened together: one that takes more than ten seconds is left behind with an
        error, and the session goes on. Raises SessionClosed if the session has been started or
        stopped before.
        """
        with self._lock:
            if self._started or self._ended.is_set():
                raise SessionClosed("a session starts only once", remedy="Make a new Session.")
            self._started = True
        try:
            self._running = Running(
                self.profile,
                self.name,
                events=self._events,
                notices=self._notices,
                log=self._log,
                profile_outputs=self._profile_outputs,
                offline=self._offline,
                on_profile=self._take_profile,
                on_ended=self._end,
                stop=self._ask_for_end,
            )
            self._running.start(self.outputs, self._duration_s, refuse=self._refuse_if_stopped)
        except BaseException:
            if self._running is not None:
                self._running.give_up()
            self._end()
            raise

    def _refuse_if_stopped(self) -> None:
        if self._stop_asked:
            raise SessionClosed("the session was stopped while it was starting")

    def _end(self) -> None:
        self._ended.set()
        self._events.close()

    def _take_profile(self, profile: Profile) -> None:
        self.profile = profile

    def leave_to_parent(self) -> bool:
        """Makes this the copy of a forked child, for `leave_to_parent_on_fork`."""
        if not self._started or self._ended.is_set():
            return False
        self._is_parents = True
        # What another thread of the parent may have held at that moment is nobody's here.
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._ended.set()
        return True

    def stop(self) -> None:
        """Ends the session now: all that has been heard until this moment is still written.

        Returns when every output is closed; on an output's own thread (in a callback) at once.
        May be called again, and before start(), which then refuses. Outputs that failed are in
        `errors`. In a forked child it does nothing.
        """
        if self._is_parents:
            return
        self._ask_for_end()
        running = self._running
        if running is not None and running.is_output_thread():
            return
        self.wait()
        if running is not None:
            running.join()  # it tells of the session's end just before its own

    def _ask_for_end(self) -> None:
        with self._lock:
            self._stop_asked = True
            if not self._started:
                self._end()
        if self._running is not None and not self._ended.is_set():
            self._running.finish()

    def run_offline(self, seconds: float) -> None:
        """Runs ``seconds`` of the timeline here and now, as fast as the outputs take it.

        Raises SessionClosed if the session is not `offline`, or not running. Streams of blocks have
        to be read on other threads meanwhile.
        """
        running = self._require_running()
        if not self._offline:
            raise SessionClosed(
                "the session runs in real time", remedy="Make it with `offline=True`."
            )
        running.run_offline(seconds)

    def mark(self, text: str) -> int:
        """Marks this moment with a text of one line, in ``session.json``, and gives its frame.

        While no files are being written the mark is in `markers` only.

        Raises ValueError for a text that is empty or too long, SessionClosed if the session is not
        running, OutputFailed if it has 10,000 marks already.
        """
        marks = self._require_changeable().marks
        assert marks is not None
        return marks.add(text).frame

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the session's end (its duration, or stop()); False: not in time."""
        until = math.inf if timeout_s is None else time.monotonic() + timeout_s
        # In pieces, because on Windows Ctrl-C does not end a wait; it is noticed between them.
        while not self._ended.wait(max(0.0, min(_PATIENCE_S, until - time.monotonic()))):
            if time.monotonic() >= until:
                return False
        return True

    @property
    def running(self) -> bool:
        """True from start() until every output is closed."""
        return self._running is not None and not self._ended.is_set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # Changing -----------------------------------------------------------------------------------

    def get(self, address: str) -> Value:
        """Gives the value that is heard at an address, such as ``voice.gain_db``.

        See `pypac_obs.model.addresses`. Raises UnknownAddress.
        """
        return value_of(self.profile, find(self.profile, address))

    def set(self, address: str, value: object) -> None:
        """Sets the value at an address, heard within a block and without a click.

        It holds until the session ends, or another profile that is applied changes it. Raises
        UnknownAddress, InvalidValue, or ChangeRefused where the tracks would steer each other in a
        circle; SessionClosed if the session is not running. Nothing has changed then.
        """
        self._require_changeable().controller.set(address, value)

    def fade(self, address: str, value: object, seconds: float) -> None:
        """Brings a number to a value within that time; returns at once.

        Whoever sets the same address ends the fade. Raises as `set` does.
        """
        self._require_changeable().controller.fade(address, value, seconds)

    def apply(self, profile: Profile | str | Path) -> ProfileDiff:
        """Has the running session do what another profile says, and tells what that changed.

        What stays loses no frame. Values that were `set` stay, too, where the profile says the same
        of them as before. Files get a track that comes with silence up to now; one that goes, as
        silence to the end. An output that comes begins with silence up to now, too; one that goes
        is closed here; one that is changed is closed, and begun anew. OBS gets what the profile
        says now, and its tracks go on meanwhile. All or nothing: raises ProfileError, ChangeRefused
        for what takes a restart, what opening a source raises (BackendUnavailable,
        PermissionDenied), OutputFailed for an output that cannot be begun, and SessionClosed;
        nothing has changed then.
        """
        return self._require_changeable().controller.apply(profile)

    def reload(self) -> ProfileDiff:
        """Has the running session do what its profile's file says now. Raises as `apply` does."""
        return self._require_changeable().controller.reload()

    def undo(self) -> ProfileDiff:
        """Goes back to the profile before the last `apply`. Raises ChangeRefused without one."""
        return self._require_changeable().controller.undo()

    def reset_loudness(self, track: str | None = None) -> None:
        """Begins integrated loudness, range and the highest values anew: of one track, or of all.

        Raises UnknownAddress where there is no such track, SessionClosed if the session is not
        running.
        """
        self._require_changeable().controller.reset_loudness(track)

    # Audio --------------------------------------------------------------------------------------

    def blocks(
        self, tracks: Sequence[str] | None = None, *, frames: int | None = None
    ) -> BlockStream:
        """Opens a stream of blocks of these tracks (None: all), from the present moment on.

        ``frames`` is the length of a block (None: 20 ms). Raises ValueError for a track that the
        profile does not have, SessionClosed before start() and after the end.
        """
        running = self._require_running()
        return BlockStream(
            open_reader(running.wiring, self._log, tracks, "a reader"),
            frames or round(STREAM_BLOCK_S * self.sample_rate),
            self.sample_rate,
        )

    def __iter__(self) -> Iterator[Block]:
        with self.blocks() as stream:
            yield from stream

    async def __aiter__(self) -> AsyncIterator[Block]:
        with self.blocks() as stream:
            async for block in stream:
                yield block

    # State --------------------------------------------------------------------------------------

    @property
    def events(self) -> EventBus:
        """What happens in the session; subscribe to it at any time::

        with session.events.subscribe(kinds={"source_changed"}) as changes:
            for event in changes:
                print(event.name, event.state)
        """
        return self._events

    @property
    def position(self) -> int:
        """How far the timeline has come, in frames."""
        return self._running.wiring.engine.position if self._running is not None else 0

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The ledger so far: what has ended, in the order of ending; the latest 10,000."""
        return self._log.entries

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The moments that were marked so far, by `mark` or by `pypac-obs mark`."""
        marks = self._running.marks if self._running is not None else None
        return marks.markers if marks is not None else ()

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Where its tracks go or went: the outputs that it was given, and those of its profile."""
        return (*self._given, *self._profile_outputs.made)

    @property
    def errors(self) -> tuple[PypacError, ...]:
        """Why outputs have failed, or OBS gets nothing; empty while all is well.

        An output may go on after a failure (`Output.recover`).
        """
        return self._running.outputs.errors() if self._running is not None else ()

    @property
    def has_failed(self) -> bool:
        """True while it has outputs, and all of them have failed."""
        states = self._running.outputs.states() if self._running is not None else ()
        return bool(states) and all(one.error for one in states)

    def status(self) -> SessionStatus:
        """Tells of every source, track and output as it is now; after the end, as it was then."""
        return self._require().status.read()

    def _require(self) -> Running:
        if self._is_parents:
            raise SessionClosed(
                "the session runs in the process that this one was forked from",
                remedy="Use it there, or make a new Session here.",
            )
        if self._running is None:
            raise SessionClosed("the session has not been started", remedy="Call start() first.")
        return self._running

    def _require_running(self) -> Running:
        running = self._require()
        if self._ended.is_set():
            raise SessionClosed("the session has ended", remedy="Make a new Session.")
        return running

    def _require_changeable(self) -> Running:
        running = self._require_running()
        if not running.begun:
            raise SessionClosed("the session is still starting", remedy="Change it when it runs.")
        return running
