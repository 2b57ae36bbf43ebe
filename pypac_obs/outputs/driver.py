# SPDX-License-Identifier: MIT
"""The thread that drives an output: it reads what the pump leaves for it, and hands it over.

The native core fans every track out into one bounded ring per output. An `OutputThread` takes big
blocks from such a ring, through a `BlockReader`, and hands them to an `Output`. An output that is
slow or fails loses its own frames, and nobody else's.
"""

from __future__ import annotations

import contextlib
import errno
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pypac_obs.errors import OutputFailed, PypacError
from pypac_obs.incidents import DISK_FULL, OUTPUT_ADDED, OUTPUT_FAILED, Incident
from pypac_obs.log import LOGGER
from pypac_obs.outputs.failures import output_failure
from pypac_obs.outputs.output import Block, Marker, Output, SessionInfo, TrackInfo
from pypac_obs.status import OutputStatus

__all__ = ["BlockReader", "LateStart", "NativeOutput", "NoReader", "OutputThread"]

# How long an output that is not wanted may take to go.
_DISCARD_S = 5.0


class BlockReader(Protocol):
    """One reader of the fan-out: the ring that the pump fills for this output.

    One thread only. The pump never waits for it: what finds no room is dropped and counted.
    """

    @property
    def tracks(self) -> Sequence[str]:
        """The names of the tracks, in the order of ``peek``."""

    @property
    def channels(self) -> Sequence[int]:
        """How many channels each of them has."""

    @property
    def lost_frames(self) -> int:
        """How many frames were dropped so far because the ring was full."""

    @property
    def finished(self) -> bool:
        """True when the session has ended and everything was read."""

    def wait(self, frames: int, timeout_s: float) -> bool:
        """Waits, without the GIL, until that many frames are there or the session has ended.

        True for either, False after ``timeout_s`` seconds.
        """

    def peek(self, max_frames: int) -> tuple[int, int, list[NDArray[np.float32]]]:
        """Gives (start frame, frames, a view per track) of a run without a gap, maybe of 0 frames.

        The views have the shape (frames, channels) and are valid until ``release``.
        """

    def release(self, frames: int) -> None:
        """Gives the first ``frames`` frames of the ring back to the pump."""

    def close(self) -> None:
        """Detaches from the fan-out: the pump writes no more for this reader."""


@dataclass(frozen=True)
class LateStart:
    """How an output begins while the session runs.

    ``position`` tells how far the timeline is. ``attach`` begins its ring, which it has none of
    before: to write the silence up to now may take longer than a ring lasts.
    """

    position: Callable[[], int]
    attach: Callable[[], BlockReader]


class NoReader:
    """A `BlockReader` of an output that has none yet: nothing comes, and nothing is lost."""

    lost_frames = 0
    finished = False

    def __init__(self, tracks: Sequence[str], channels: Sequence[int]) -> None:
        self.tracks = tracks
        self.channels = channels

    def wait(self, frames: int, timeout_s: float) -> bool:
        """Nothing comes."""
        return False

    def peek(self, max_frames: int) -> tuple[int, int, list[NDArray[np.float32]]]:
        """Nothing is there."""
        return 0, 0, []

    def release(self, frames: int) -> None:
        """Nothing was taken."""

    def close(self) -> None:
        """Nothing is attached."""


class OutputThread:
    """Runs an `Output` on a thread of its own: reader in, ``write`` out.

    ``block_s`` is how much audio one ``write`` gets, in seconds, as long as the output keeps up:
    greater costs less CPU, smaller loses less in a crash. It must be less than half of the ring.
    ``status`` is called on this thread about once a second for what ``Output.on_status`` is given.
    ``on_incident`` is called when the output fails, which it may survive (`Output.recover`): with
    the cause ``disk_full`` or ``output_failed``, on this thread; by `stop` where the output hangs.
    It is called, too, with what `Output.new_incidents` tells. An output that begins ``late`` was
    added while the session ran: it is told of the frames before its first block by an incident.

    `start`, `begin`, `wait_open`, `leave`, `post_incident`, `post_marker`, `request_stop`, `join`
    and `stop` belong to any one other thread; `is_current` and the properties to any thread.
    """

    def __init__(
        self,
        output: Output,
        reader: BlockReader,
        info: SessionInfo,
        *,
        on_incident: Callable[[Incident], None] | None = None,
        status: Callable[[], Mapping[str, object]] | None = None,
        block_s: float = 0.25,
        status_s: float = 1.0,
        late: LateStart | None = None,
    ) -> None:
        pairs = zip(reader.tracks, reader.channels, strict=True)
        self._info = replace(info, tracks=tuple(TrackInfo(*pair) for pair in pairs))
        self._output = output
        self._reader = reader
        # What follows the reader, each where the one before ends: another thread in, this one out.
        self._next_readers: deque[BlockReader] = deque()
        self._lost_before = 0  # by readers that this one has followed
        self._on_incident = on_incident
        self._status = status
        self._block_s = block_s
        self._block_frames = max(1, round(block_s * info.sample_rate))
        self._status_s = status_s
        self._next_status = 0.0
        self._late = late
        self._is_new = late is not None  # and has had no block yet
        self._news: deque[Incident | Marker] = deque()  # any thread in, this thread out
        self._position = 0  # of the next frame; this thread only writes it
        self._in_hand = 0  # frames of the ring that the output has not given back
        self._error: PypacError | None = None
        self._ending = threading.Lock()  # _failed, and for the one that sets it: it tells of it
        self._failed = False  # and has not recovered
        self._own_incident: Incident | None = None  # which the output has been told of already
        self._end: int | None = None  # the length of the session, once it is known
        self._give_up = False
        self._unwanted = False
        self._closing = False  # this thread only
        self._was_opened = False
        self._left = False  # it hung in open
        self._reads_no_more = False
        self._opened = threading.Event()  # or could not be
        # stop() joins it, and so nothing is cut off. But an output that hangs in a write, on a dead
        # network drive say, is left behind, and must not keep the process from ending: a daemon.
        self._thread = threading.Thread(target=self._run, name=f"output {output.name}", daemon=True)

    @property
    def output(self) -> Output:
        """The output that this thread runs."""
        return self._output

    @property
    def error(self) -> PypacError | None:
        """What the output failed at last, with a plain sentence and a remedy; None: at nothing.

        It may go on all the same: see `running`.
        """
        return self._error

    @property
    def position(self) -> int:
        """The timeline frame up to which the output has taken everything that it got."""
        return self._position

    @property
    def lost_frames(self) -> int:
        """How many frames this output has lost so far because it was too slow."""
        return self._lost_before + self._reader.lost_frames

    @property
    def reader(self) -> BlockReader:
        """What it reads from, or will read from next."""
        try:
            return self._next_readers[-1]
        except IndexError:
            return self._reader

    def switch(self, reader: BlockReader) -> None:
        """Has the output read on from another reader, which begins where the present one ends."""
        self._next_readers.append(reader)
        if self._reads_no_more:  # it has failed meanwhile
            reader.close()

    @property
    def running(self) -> bool:
        """True while the output is open and taking frames."""
        return self._was_opened and self._thread.is_alive() and not self._failed

    def is_current(self) -> bool:
        """Tells whether the caller runs on the output's own thread, which cannot join itself."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Begins, and waits until the output is open. Raises what `wait_open` raises."""
        self.begin()
        self.wait_open()

    def begin(self) -> None:
        """Starts the thread, which opens the output; returns at once."""
        self._thread.start()

    def wait_open(self, timeout_s: float | None = None) -> bool:
        """Waits until the output is open; False: it is not by then.

        Raises OutputFailed (or another PypacError of the output) if it could not be opened: the
        thread has ended then.
        """
        if not self._opened.wait(timeout_s):
            return False
        if not self._was_opened and self._error is not None and not self._left:
            self._thread.join()
            raise self._error
        return True

    def leave(self, waited_s: float, *, told: bool = True) -> None:
        """Leaves an output behind that hangs in ``open``, with an error and an incident.

        What it opens later is discarded. Does nothing if it is open by now. One that nobody knows
        of yet is not ``told`` of.
        """
        hangs = OutputFailed(
            f"{self._output.name} does not open: it was given {waited_s:g} s",
            remedy="See whether what it writes to (a disk, a network drive) answers.",
        )
        with self._ending:
            self._left = not self._was_opened
        if self._left and self._note_error(hangs) and told:
            self._tell_session(self._incident(hangs, begin=0))

    def post_incident(self, incident: Incident) -> None:
        """Hands an incident of the session to the output. Never waits. [any-thread]

        What is posted before `request_stop` is sure to arrive.
        """
        if incident is not self._own_incident:
            self._news.append(incident)

    def post_marker(self, marker: Marker) -> None:
        """Hands a mark to the output. Never waits. [any-thread]

        What is posted before `request_stop` is sure to arrive.
        """
        self._news.append(marker)

    def request_stop(self, end: int) -> None:
        """Tells that the session has ended after ``end`` frames; returns at once.

        The output still gets what is in the ring up to there, and is then closed.
        """
        self._end = end

    def discard(self) -> None:
        """Ends the output as if it had never been opened, and waits for it.

        One that hangs in ``open`` is left behind.
        """
        self._unwanted = True
        if self._left:
            return
        self.join(_DISCARD_S)

    def join(self, timeout_s: float | None = None) -> bool:
        """Waits until the thread has ended; False if it had not after ``timeout_s`` seconds."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stop(self, end: int, timeout_s: float = 10.0) -> bool:
        """Ends the output after ``end`` frames and waits for it.

        An output that has not taken everything after ``timeout_s`` seconds is given up: aborted
        after the block that it is at, with an error. False only if it hangs in that block for two
        more seconds: no thread can be ended from outside. It is left behind then, with an error and
        an incident.
        """
        self.request_stop(end)
        if self._left:  # long ago, and told of
            return False
        if self.join(timeout_s):
            return True
        self._give_up = True
        if self.join(2.0):
            return True
        hangs = OutputFailed(
            f"{self._output.name} hangs: given up at frame {self._position}, it does not come back",
            remedy="See whether what it writes to (a disk, a network drive) still answers.",
        )
        if self._note_error(hangs):
            self._tell_session(self._incident(hangs, begin=self._position))
        return False

    # On either thread: an output that hangs cannot tell of it.

    def _note_error(self, error: BaseException) -> bool:
        """Keeps why the output fails, in plain words; False if another reason is known already."""
        with self._ending:
            if self._failed:
                return False
            self._failed = True
            # First of all something, so that no output ends without a word whatever fails below.
            self._error = OutputFailed(f"{self._output.name}: {type(error).__name__}")
        with contextlib.suppress(Exception):
            self._error = self._as_pypac_error(error)
        LOGGER.warning("the output %s has failed", self._output.name, exc_info=error)
        return True

    def _as_pypac_error(self, error: BaseException) -> PypacError:
        if isinstance(error, PypacError):
            return error
        failure = output_failure(self._output.name, error)
        failure.__cause__ = error
        return failure

    def _incident(self, failure: PypacError, begin: int) -> Incident:
        full = failure.native_code in (errno.ENOSPC, errno.EDQUOT)
        reason = str(failure).removeprefix(f"{self._output.name}: ")
        if full:  # the incident's own sentence says so already
            reason = reason.removeprefix("the disk is full: ")
        return Incident(
            cause=DISK_FULL if full else OUTPUT_FAILED,
            source=None,
            output=self._output.name,
            tracks=tuple(self._reader.tracks),
            begin=begin,
            frames=0,
            detail=reason,
        )

    def _tell_session(self, incident: Incident) -> None:
        self._own_incident = incident
        if self._on_incident is not None:
            self._on_incident(incident)

    # On the output's own thread from here on.

    def _run(self) -> None:
        try:
            try:
                self._output.open(self._info)
                if self._late is not None:
                    self._catch_up(self._late)
            except BaseException as error:
                self._note_error(error)
                return
            with self._ending:
                self._was_opened = not self._left
            self._opened.set()
            if self._left:
                with contextlib.suppress(Exception):
                    self._output.discard()
                return
            while True:
                try:
                    self._pull()
                    break
                except BaseException as error:
                    if not self._outlives(error):
                        break
        finally:
            self._reads_no_more = True
            for reader in (self._reader, *self._next_readers):
                reader.close()
            self._opened.set()

    def _catch_up(self, late: LateStart) -> None:
        """Has the output write what came before it, and then begins its ring."""
        end, written = late.position(), -1
        while not self._left and not self._unwanted and end - written > self._block_frames:
            self._output.skip_to(end)
            written, end = end, late.position()
        self._reader = late.attach()

    def _pull(self) -> None:
        self._tell(status_too=True)
        while not self._give_up:
            if self._unwanted:
                self._closing = True
                self._output.discard()
                return
            # A timeline that stands still leaves less than a block: that is taken, too.
            ready = self._reader.wait(self._block_frames, 2 * self._block_s)
            taken = self._take()
            if not taken and self._next_readers and self._reader.finished:
                self._take_next_reader()
                continue
            self._tell_own()
            self._tell(status_too=time.monotonic() >= self._next_status)
            end = self._end
            at_end = self._reader.finished and not self._next_readers
            if end is not None and (at_end or self._position >= end):
                self._tell(status_too=True)
                self._tell_own(ends=True)
                self._closing = True
                self._output.close(end)
                return
            if ready and not taken:
                time.sleep(0.01)  # the session has ended, and its length is not known here yet
        raise OutputFailed(
            f"{self._output.name} was too slow to finish: given up at frame {self._position}",
            remedy="Write to a faster disk, or send fewer tracks to this output.",
        )

    def _take_next_reader(self) -> None:
        before, reader = self._reader, self._next_readers[0]
        self._lost_before += before.lost_frames
        self._reader = reader  # before it leaves the queue: see `reader`
        self._next_readers.popleft()
        before.close()
        pairs = zip(reader.tracks, reader.channels, strict=True)
        self._info = replace(self._info, tracks=tuple(TrackInfo(*pair) for pair in pairs))
        self._output.tracks_changed(self._info.tracks)

    def _take(self) -> int:
        """Hands over one block; returns how many frames it took from the ring."""
        start, frames, views = self._reader.peek(self._block_frames)
        if frames == 0:
            return 0
        wanted = frames if self._end is None else max(0, min(frames, self._end - start))
        if wanted:
            audio = {
                name: view[:wanted] if wanted < frames else view
                for name, view in zip(self._reader.tracks, views, strict=True)
            }
            self._in_hand = frames
            if self._is_new:
                self._tell_of_lateness(start)
            self._output.write(Block(start, wanted, self._info.sample_rate, audio))
        self._give_back(start + frames, frames)
        return frames

    def _tell_of_lateness(self, start: int) -> None:
        self._is_new = False
        tracks = tuple(self._output.tracks or self._reader.tracks)
        if start:
            self._output.on_incident(
                Incident(OUTPUT_ADDED, None, self._output.name, tracks, 0, start)
            )

    def _give_back(self, position: int, frames: int) -> None:
        self._in_hand = 0
        self._reader.release(frames)
        self._position = position

    def _tell_own(self, *, ends: bool = False) -> None:
        """Tells the session what the output says of its own frames."""
        for incident in self._output.new_incidents(ends=ends):
            self._tell_session(incident)

    def _tell(self, *, status_too: bool) -> None:
        """Hands over the incidents and marks that have come in, and the status."""
        while self._news:
            news = self._news.popleft()
            if isinstance(news, Marker):
                self._output.on_marker(news)
            else:
                self._output.on_incident(news)
        if status_too and self._status is not None:
            self._next_status = time.monotonic() + self._status_s
            try:
                status = self._status()
            except Exception:
                return  # it is no fault of the output's: there is another status in a second
            self._output.on_status(status)

    def _outlives(self, error: BaseException) -> bool:
        """Tells of a failure; True if the output goes on, else it is put away."""
        is_news = self._note_error(error)
        assert self._error is not None
        # The exception's frames hold views of the ring, and the ring has to be free to go.
        traceback.clear_frames(error.__traceback__)
        incident = self._incident(self._error, begin=min(self._position, self._kept()))
        # The output has failed already: what else goes wrong while it is put away tells no more.
        with contextlib.suppress(Exception):
            self._tell_own(ends=True)
        with contextlib.suppress(Exception):
            self._output.on_incident(incident)
        goes_on = False
        try:
            if is_news:
                self._tell_session(incident)
        finally:  # the last of all, because this may hang
            if isinstance(error, Exception) and not (self._give_up or self._closing):
                with contextlib.suppress(Exception):
                    goes_on = self._output.recover()
            if not goes_on:
                with contextlib.suppress(Exception):
                    self._output.abort()
        if goes_on:
            if self._in_hand:
                self._give_back(self._position + self._in_hand, self._in_hand)
            with self._ending:
                self._failed = False
        return goes_on

    def _kept(self) -> int:
        with contextlib.suppress(Exception):
            kept = self._output.kept()
            if kept is not None:
                return kept
        return self._position


class NativeOutput(Protocol):
    """An output that the pump feeds without Python, such as OBS. The session drives it."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def error(self) -> PypacError | None:
        """Why it does not get the tracks; None while all is well. [any-thread]"""

    def status(self) -> OutputStatus:
        """Tells how it is now. [any-thread]"""

    def start(self) -> None:
        """Begins what goes on beside the audio; returns at once."""

    def change(self) -> None:
        """Follows the profile that it was prepared for."""

    def forget(self) -> None:
        """Gives up what it was prepared for."""

    def post_marker(self, marker: Marker) -> None:
        """Takes a mark. Never waits. [any-thread]"""

    def look_after(self) -> Sequence[Incident]:
        """Mends what others have broken, and gives what that cost; a few times a second."""

    def stop_following(self) -> None:
        """Tells files no more of what is recorded elsewhere, so that they can be closed."""

    def close(self) -> None:
        """Ends it."""
