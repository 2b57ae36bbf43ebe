# SPDX-License-Identifier: MIT
"""The contract of an output that is written in Python, and the thread that runs it.

The native core fans every track out into one bounded ring per output. An `OutputThread` takes big
blocks from such a ring, through a `BlockReader`, and hands them to an `Output`. An output that is
slow or fails loses its own frames, and nobody else's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pypac_obs.errors import OutputFailed, PypacError
from pypac_obs.incidents import DISK_FULL, OUTPUT_ADDED, OUTPUT_FAILED, Incident
from pypac_obs.profile.paths import unsafe_characters
from pypac_obs.working_folder import is_working_folder_gone

__all__ = [
    "Block",
    "BlockReader",
    "Marker",
    "Output",
    "OutputThread",
    "SessionInfo",
    "TrackInfo",
    "output_failure",
]


# How long an output that is not wanted may take to go.
_DISCARD_S = 5.0


@dataclass(frozen=True)
class TrackInfo:
    """A track as an output sees it: its name and how many channels it has."""

    name: str
    channels: int


@dataclass(frozen=True)
class SessionInfo:
    """What an output is told before the first block.

    ``tracks`` are those that this output gets. ``start_wall`` (with its time zone) and
    ``start_host_ns`` are the same moment, frame 0, in wall time and in host time (ns).
    """

    session: str
    profile_name: str
    profile: Mapping[str, object]
    sample_rate: int
    tracks: tuple[TrackInfo, ...]
    start_wall: datetime
    start_host_ns: int
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Marker:
    """A moment that somebody marked: its frame on the timeline, its wall time, and a text."""

    frame: int
    wall: datetime
    text: str


@dataclass(frozen=True)
class Block:
    """A run of frames of every track, from timeline frame ``start`` on.

    ``audio`` has one array per track: float32, C-contiguous, shape (frames, channels), full scale
    at ±1.0. The arrays are views into the ring, valid until ``Output.write`` returns: keep a copy,
    never the view.
    """

    start: int
    frames: int
    sample_rate: int
    audio: Mapping[str, NDArray[np.float32]]


class Output(ABC):
    """Where tracks go. Derive from it to send them anywhere.

    All methods but `keeps_marks` are called on the output's own thread, in this order: ``open``
    once, any number of the others, then either ``close`` once, or ``abort`` once after any of them
    has raised or the session was given up. An exception ends this output only, unless ``recover``
    says otherwise. If ``close`` raises, ``abort`` follows; if ``open`` raises, nothing does, and
    ``open`` has to leave nothing behind.

    Blocks come in the order of the timeline. Where ``block.start`` is greater than the end of the
    block before, this output was too slow and the frames between are lost.

    >>> class Loudest(Output):
    ...     name, tracks = "loudest", ("voice",)
    ...     def open(self, info):
    ...         self.peak = 0.0
    ...     def write(self, block):
    ...         self.peak = max(self.peak, float(np.abs(block.audio["voice"]).max()))
    ...     def close(self, end):
    ...         print(f"the loudest of {end} frames is {self.peak}")
    ...     def abort(self):
    ...         print("given up")
    """

    name: str
    tracks: tuple[str, ...] | None = None  # which ones it wants, in its order; None: all

    @abstractmethod
    def open(self, info: SessionInfo) -> None:
        """Gets ready. Raise OutputFailed, or any other error, to refuse."""

    @abstractmethod
    def write(self, block: Block) -> None:
        """Takes a block. May take its time, as long as it keeps up on average."""

    @abstractmethod
    def close(self, end: int) -> None:
        """Ends a session of ``end`` frames. What was not written by then is to be silence."""

    @abstractmethod
    def abort(self) -> None:
        """Stops at once and saves what there is, without an exception if at all possible."""

    def kept(self) -> int | None:
        """Tells up to which frame `abort` will keep what was written; None: all of it.

        Asked after a failure, so that the incident tells from where on frames are missing.
        """
        return None

    def recover(self) -> bool:
        """Puts away what has failed, after an exception; True if the output goes on with the rest.

        The block at hand does not come again. Asked before ``abort``, which follows where this is
        False, as it is by default. Not asked after ``open`` and ``close``.
        """
        return False

    def failure(self) -> PypacError | None:
        """Tells what has gone wrong although it goes on, such as a deleted file. [any-thread]

        The session counts it among its errors. By default nothing.
        """
        return None

    def new_incidents(self, *, ends: bool = False) -> Sequence[Incident]:
        """Gives what has happened to its own frames since the last call, such as clipping.

        Frames count on the timeline. Asked after each block; where the session ``ends``, what still
        goes on ends, too. The output does not get them back by `on_incident`. By default none.
        """
        return ()

    def prepare_tracks(self, tracks: Sequence[TrackInfo]) -> None:  # noqa: B027 - optional
        """Gets ready for tracks that are about to come. [any-thread]

        Raise OutputFailed, or any other error, to refuse: then they do not come. What was got ready
        for is told by `tracks_changed`, or given up by `forget_tracks`. By default does nothing.
        """

    def forget_tracks(self) -> None:  # noqa: B027 - optional
        """Gives up what `prepare_tracks` has made. [any-thread]"""

    def tracks_changed(self, tracks: Sequence[TrackInfo]) -> None:  # noqa: B027 - optional
        """Takes note that the next block has these tracks: all before, and some more.

        Where `tracks` is None, or names one that has just come. Tracks that the profile has no
        longer go on as silence. By default ignores it.
        """

    def discard(self) -> None:
        """Undoes ``open``: what it was opened for is refused. Instead of ``close`` or ``abort``.

        By default aborts. What was written is not wanted.
        """
        self.abort()

    def on_incident(self, incident: Incident) -> None:  # noqa: B027 - optional
        """Takes an incident of the session, soon after it happened. By default ignores it."""

    def on_marker(self, marker: Marker) -> None:  # noqa: B027 - optional
        """Takes a mark that somebody set, soon after it was set. By default ignores it."""

    def keeps_marks(self) -> bool:
        """Tells whether a mark of this moment is kept. [any-thread]

        By default, whether the class has an `on_marker` of its own.
        """
        return type(self).on_marker is not Output.on_marker

    def on_status(self, status: Mapping[str, object]) -> None:  # noqa: B027 - optional
        """Takes the state of the session, about once a second. By default ignores it.

        ``status["sources"]`` has a mapping per source with at least ``state`` and ``bindings``.
        """


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


class OutputThread:
    """Runs an `Output` on a thread of its own: reader in, ``write`` out.

    ``block_s`` is how much audio one ``write`` gets, in seconds, as long as the output keeps up:
    greater costs less CPU, smaller loses less in a crash. It must be less than half of the ring.
    ``status`` is called on this thread about once a second for what ``Output.on_status`` is given.
    ``on_incident`` is called when the output fails, which it may survive (`Output.recover`): with
    the cause ``disk_full`` or ``output_failed``, on this thread; by `stop` where the output hangs.
    It is called, too, with what `Output.new_incidents` tells. An output that is ``late`` was added
    while the session ran: it is told of the frames before its first block by an incident.

    `start`, `post_incident`, `post_marker`, `request_stop`, `join` and `stop` belong to any one
    other thread; `is_current` and the properties to any thread.
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
        late: bool = False,
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
        self._late = late  # and has had no block yet
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
        """Starts the thread and opens the output; returns when it is open.

        Raises OutputFailed (or another PypacError of the output) if it could not be opened: the
        thread has ended then.
        """
        self._thread.start()
        self._opened.wait()
        if not self._was_opened and self._error is not None:
            self._thread.join()
            raise self._error

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
        """Ends the output as if it had never been opened, and waits for it."""
        self._unwanted = True
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
            except BaseException as error:
                self._note_error(error)
                return
            self._was_opened = True
            self._opened.set()
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
            if self._late:
                self._tell_of_lateness(start)
            self._output.write(Block(start, wanted, self._info.sample_rate, audio))
        self._give_back(start + frames, frames)
        return frames

    def _tell_of_lateness(self, start: int) -> None:
        self._late = False
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


def output_failure(name: str, error: BaseException, folder: Path | None = None) -> OutputFailed:
    """Says what an exception means to the user of the output ``name``, and what to do about it.

    ``folder`` is where the output writes; by default it is taken from the exception's file name.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code is None:
        return OutputFailed(f"{name}: {type(error).__name__}: {error}")
    filename = getattr(error, "filename", None)
    if folder is None and isinstance(filename, str):
        folder = Path(filename).parent
    if code == errno.ENOENT and _is_blocked_by_a_file(folder):
        code = errno.ENOTDIR  # Windows tells the two not apart
    if folder is not None and not folder.is_absolute() and is_working_folder_gone():
        return OutputFailed(
            f"{name}: {folder} is to be in the working folder, which is deleted",
            remedy="Change to another folder (cd), or write the whole path in the profile.",
            native_code=code,
        )
    if code in _REFUSED_NAMES and (refused := _refused_name(folder, filename)) is not None:
        return OutputFailed(
            f"{name}: {refused}",
            remedy="Leave it out in the profile, or choose another drive.",
            native_code=code,
        )
    where = str(folder) if folder is not None else "where it writes"
    message, remedy = _SYSTEM_ERRORS.get(code, (os.strerror(code) + " ({where})", ""))
    # Only where it is told: asking fails where the disk does.
    free = _free_space(folder) if "{free}" in message else ""
    return OutputFailed(
        f"{name}: {message.format(where=where, free=free)}",
        remedy=remedy,
        native_code=code,
    )


# What file systems say to a name that they do not take.
_REFUSED_NAMES = (errno.EINVAL, errno.ENOENT, errno.EILSEQ)


def _refused_name(folder: Path | None, filename: object) -> str | None:
    """Says which character of a new name the drive can't hold (FAT, exFAT, NTFS); None: no name."""
    if folder is None:
        return None
    path = folder
    if isinstance(filename, str | os.PathLike):
        path = folder / filename  # the file name itself, where that is a full path
    # Not Path's own, which raise what these drives say to such a name.
    there = next((one for one in path.parents if os.path.isdir(one)), None)
    if there is None or os.path.lexists(path):
        return None
    # What has been made on the way is removed again by now.
    names = [part for part in path.relative_to(there).parts if unsafe_characters(part)]
    if not names:
        return None
    name = names[0]
    held = [f'"{character}"' for character in unsafe_characters(name)]
    what = f"the character {held[0]}" if len(held) == 1 else f"the characters {' '.join(held)}"
    return f'the drive of {there} can\'t hold {what} in a name, as in "{name}"'


_ELSEWHERE = "choose another folder in the profile."
_SYSTEM_ERRORS = {
    errno.ENOSPC: ("the disk is full: {free} in {where}", f"Make room, or {_ELSEWHERE}"),
    errno.EDQUOT: ("your share of the disk is used up in {where}", f"Make room, or {_ELSEWHERE}"),
    errno.EACCES: ("no permission to write in {where}", f"Grant it, or {_ELSEWHERE}"),
    errno.EPERM: ("no permission to write in {where}", f"Grant it, or {_ELSEWHERE}"),
    errno.EROFS: ("{where} is on a disk that can only be read", _ELSEWHERE.capitalize()),
    errno.ENOENT: ("{where} is not there, or no longer", "Keep the folder while recording."),
    errno.ENOTDIR: ("{where} is no folder", _ELSEWHERE.capitalize()),
    errno.EFBIG: (
        "a file in {where} cannot grow any further",
        "Write to a disk that takes larger files (FAT32 ends at 4 GiB), or raise `ulimit -f`.",
    ),
    errno.EIO: ("the disk fails to write in {where}", "Check the disk and its cable."),
    errno.EMFILE: ("too many files are open", "Raise `ulimit -n`."),
    errno.ENAMETOOLONG: ("a file's name is too long in {where}", "Shorten it in the profile."),
}


def _is_blocked_by_a_file(folder: Path | None) -> bool:
    return folder is not None and any(map(os.path.isfile, (folder, *folder.parents)))


def _free_space(folder: Path | None) -> str:
    folder = folder or Path()
    try:
        there = next((f for f in (folder, *folder.parents) if f.is_dir()), Path())
        free = shutil.disk_usage(there).free
    except OSError:  # a parent may no longer be entered, or the disk fails
        return "an unknown amount free"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if free >= size:
            return f"{free / size:.1f} {unit} free"
    return f"{free} bytes free"
