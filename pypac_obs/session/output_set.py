# SPDX-License-Identifier: MIT
"""The outputs of a session: how they are opened together, changed while it runs, and closed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from pypac_obs.errors import PypacError, SessionClosed
from pypac_obs.incidents import Incident
from pypac_obs.outputs.callback import CallbackOutput
from pypac_obs.outputs.driver import (
    BlockReader,
    LateStart,
    NativeOutput,
    NoReader,
    OutputThread,
)
from pypac_obs.outputs.failures import output_failure
from pypac_obs.outputs.output import Marker, Output, SessionInfo, TrackInfo
from pypac_obs.profile import Profile
from pypac_obs.session.blocks import TrackReader
from pypac_obs.session.incident_log import IncidentLog
from pypac_obs.session.wiring import Wiring
from pypac_obs.status import OutputStatus

__all__ = ["CHANGE_S", "STREAM_BLOCK_S", "OutputChange", "OutputSet", "open_reader"]

# What iterators and callbacks get at once.
STREAM_BLOCK_S = 0.02
# An output that is not open by then is left behind. Rings keep what comes in meanwhile.
_OPEN_S = 10.0
# One that begins later writes silence up to now first: hours of it, into many FLAC files.
_LATE_OPEN_S = 25.0
# How long the end of a session waits for a change of it.
CHANGE_S = 15.0
_LONGEST_BLOCK_S = 0.25


def open_reader(
    wiring: Wiring, log: IncidentLog, tracks: Sequence[str] | None, output: str
) -> TrackReader:
    """Opens a ring with these tracks (None: all). Raises ValueError for one that is not there."""
    channels = wiring.track_channels
    names = tuple(tracks) if tracks is not None else tuple(channels)
    if unknown := [name for name in names if name not in channels]:
        raise ValueError(f"there is no track {unknown[0]!r} in {', '.join(channels)}")
    native = wiring.add_reader(log.new_sink(output, names), names)
    return TrackReader(native, names, [channels[name] for name in names])


@dataclass
class OutputChange:
    """What becomes of the outputs with another profile; nothing of it is in force yet.

    ``begun`` are open, ``ended`` are to go, ``natives`` have been prepared.
    """

    begun: list[OutputThread] = field(default_factory=list)
    ended: list[OutputThread] = field(default_factory=list)
    natives: list[NativeOutput] = field(default_factory=list)
    added_natives: list[NativeOutput] = field(default_factory=list)
    removed_natives: list[NativeOutput] = field(default_factory=list)


class OutputSet:
    """Runs outputs: each has a thread of its own, or is fed by the pump without Python.

    ``info`` is what an output is told at first, and ``status`` what it is told each second. Lists
    are replaced, never changed: whoever posts to them sees the old or the new ones. [any-thread]
    """

    def __init__(
        self,
        wiring: Wiring,
        log: IncidentLog,
        *,
        info: Callable[[Profile], SessionInfo],
        status: Callable[[], Mapping[str, object]],
    ) -> None:
        self._wiring = wiring
        self._log = log
        self._info = info
        self._status = status
        self._threads: tuple[OutputThread, ...] = ()
        self._past: tuple[OutputThread, ...] = ()  # that the profile no longer has
        self._natives: tuple[NativeOutput, ...] = ()
        self._changing = threading.Lock()
        self._closed = False

    @property
    def threads(self) -> tuple[OutputThread, ...]:
        """Those that run now."""
        return self._threads

    def prepare(self, output: Output) -> tuple[Output, TrackReader]:
        """Opens the ring of an output that is to be opened with `open`."""
        return output, open_reader(self._wiring, self._log, output.tracks, output.name)

    def begin(self, prepared: Sequence[tuple[Output, TrackReader]], profile: Profile) -> None:
        """Has outputs open at once, each on a thread of its own; returns at once."""
        made = [self._thread(output, reader, profile) for output, reader in prepared]
        self._threads = (*self._threads, *made)
        for thread in made:
            thread.begin()

    def wait_open(self, until: float) -> bool:
        """Waits for those that open, as long as ``time.monotonic()`` is not there yet.

        True if all are open. Raises what the first one raises that cannot be opened.
        """
        is_open = True
        for thread in self._threads:
            is_open &= thread.wait_open(max(0.0, until - time.monotonic()))
        return is_open

    def leave_hanging(self, begun_at: float) -> None:
        """Waits for those that still open, and leaves those behind that hang."""
        if not self.wait_open(begun_at + _OPEN_S):
            for thread in self._threads:
                thread.leave(_OPEN_S)

    def _thread(
        self,
        output: Output,
        reader: BlockReader,
        profile: Profile,
        *,
        late: LateStart | None = None,
    ) -> OutputThread:
        ring_s = profile.session.rings.output_ms / 1000
        stream = isinstance(output, CallbackOutput)
        return OutputThread(
            output,
            reader,
            self._info(profile),
            on_incident=self._log.note,
            status=self._status,
            block_s=STREAM_BLOCK_S if stream else min(_LONGEST_BLOCK_S, ring_s / 4),
            late=late,
        )

    def add_native(self, output: NativeOutput) -> None:
        """Adds an output that has been opened."""
        self._natives = (*self._natives, output)

    def start_natives(self) -> None:
        """Begins what goes on beside their audio."""
        for one in self._natives:
            one.start()

    # What happens -------------------------------------------------------------------------------

    def post_incident(self, incident: Incident) -> None:
        """Hands an incident to all. Never waits."""
        for thread in self._threads:
            thread.post_incident(incident)

    def post_marker(self, marker: Marker) -> bool:
        """Hands a mark to all, and tells whether a file keeps it. Never waits."""
        kept = any(thread.running and thread.output.keeps_marks() for thread in self._threads)
        for thread in self._threads:
            thread.post_marker(marker)
        for one in self._natives:
            one.post_marker(marker)
        return kept

    def look_after(self) -> None:
        """Mends what others have broken of what the pump feeds."""
        for one in self._natives:
            for incident in one.look_after():
                self._log.note(incident)

    def states(self) -> tuple[OutputStatus, ...]:
        """Tells of each how it is now."""
        states = [
            OutputStatus(
                thread.output.name,
                str(thread.error) if thread.error is not None else "",
                thread.lost_frames,
            )
            for thread in self._threads
        ]
        return (*states, *(one.status() for one in self._natives))

    def errors(self) -> tuple[PypacError, ...]:
        """Why outputs have failed, also those that the profile no longer has."""
        failed = [one.error or one.output.failure() for one in (*self._past, *self._threads)]
        failed += [one.error for one in self._natives]
        return tuple(error for error in failed if error is not None)

    # Changing -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """One change at a time, and none once they are being closed. Raises SessionClosed."""
        with self._changing:
            self._refuse_if_closed()
            yield

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise SessionClosed("the session has ended", remedy="Make a new Session.")

    def begin_late(self, outputs: Sequence[Output], profile: Profile, into: OutputChange) -> None:
        """Opens outputs beside those that run, with the tracks that are there already.

        Raises what the first one raises that cannot be opened, or is not open in time.
        """
        present = self._wiring.track_channels
        for output in outputs:
            wanted = profile.tracks if output.tracks is None else output.tracks
            there = [track for track in wanted if track in present]
            late = LateStart(
                lambda: self._wiring.engine.position,
                partial(open_reader, self._wiring, self._log, there, output.name),
            )
            reader = NoReader(there, [present[track] for track in there])
            thread = self._thread(output, reader, profile, late=late)
            into.begun.append(thread)
            thread.begin()
        until = time.monotonic() + _LATE_OPEN_S
        for thread in into.begun:
            if not thread.wait_open(max(0.0, until - time.monotonic())):
                thread.leave(_LATE_OPEN_S, told=False)
                assert thread.error is not None
                raise thread.error

    def prepare_tracks(self, change: OutputChange, profile: Profile) -> None:
        """Has outputs get ready for the tracks that are about to come."""
        self._refuse_if_closed()
        channels = {name: rule.channels for name, rule in profile.tracks.items()}
        staying = [one for one in self._threads if one not in change.ended]
        for thread in (*staying, *change.begun):
            new = _new_tracks(thread, channels)
            if new and thread.running:
                try:
                    thread.output.prepare_tracks([TrackInfo(one, channels[one]) for one in new])
                except PypacError:
                    raise
                except Exception as error:
                    raise output_failure(thread.output.name, error) from error

    def roll_back(self, change: OutputChange) -> None:
        """Undoes what was prepared; nothing of it has been in force. Raises nothing."""
        for thread in self._threads:
            with contextlib.suppress(Exception):
                thread.output.forget_tracks()
        for thread in change.begun:
            thread.discard()
        for native in change.natives:
            native.forget()
        for native in change.added_natives:
            native.close()

    def commit(self, change: OutputChange) -> None:
        """Puts a change in force, once the tracks have come; closes what goes."""
        self._past = (*self._past, *change.ended)
        self._threads = (*(one for one in self._threads if one not in change.ended), *change.begun)
        self._natives = (
            *(one for one in self._natives if one not in change.removed_natives),
            *change.added_natives,
        )
        try:
            self._give_new_tracks()
        finally:
            for native in change.natives:
                native.change()
            for native in change.added_natives:
                native.start()
            for native in change.removed_natives:
                native.close()
            self._close(change.ended)

    def _give_new_tracks(self) -> None:
        """Has outputs go on with the tracks that have come, if they want them."""
        present = self._wiring.track_channels
        for thread in self._threads:
            reader, wanted = thread.reader, thread.output.tracks
            new = _new_tracks(thread, present)
            if not new or not isinstance(reader, TrackReader) or reader.native.closed:
                continue
            names = (*reader.tracks, *new)
            if wanted is not None:
                names = tuple(sorted(names, key=wanted.index))
            channels = {**dict(zip(reader.tracks, reader.channels, strict=True)), **present}
            sink = self._log.new_sink(thread.output.name, names)
            try:
                native = self._wiring.add_reader(sink, names, reader.native)
            except ValueError:
                continue  # the output has failed just now, and let its reader go
            thread.switch(TrackReader(native, names, [channels[name] for name in names]))

    # Ending -------------------------------------------------------------------------------------

    def stop_following(self) -> None:
        """Tells files no more of what is recorded elsewhere."""
        for one in self._natives:
            one.stop_following()

    def close_threads(self) -> None:
        """Writes what has been heard, and closes; natives go on until `close_natives`."""
        # A change that is being made brings its outputs first, unless it hangs.
        alone = self._changing.acquire(timeout=CHANGE_S)
        self._closed = True
        if alone:
            self._changing.release()
        self._close(self._threads)

    def close_natives(self) -> None:
        """Closes them."""
        for one in self._natives:
            one.close()

    def _close(self, threads: Sequence[OutputThread]) -> None:
        end = self._wiring.engine.position
        for thread in threads:
            thread.request_stop(end)
        for thread in threads:
            if not thread.is_current():
                thread.stop(end)


def _new_tracks(thread: OutputThread, channels: Mapping[str, int]) -> tuple[str, ...]:
    """Which of these tracks an output wants, and does not have."""
    wanted, known = thread.output.tracks, thread.reader.tracks
    there = [one for one in channels if wanted is None or one in wanted]
    return tuple(name for name in there if name not in known)
