# SPDX-License-Identifier: MIT
"""Split files that begin, pause, split and end with somebody else's recording, such as OBS's."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pypac_obs.errors import OutputFailed
from pypac_obs.incidents import DISK_FULL, LATE_START, OUTPUT_FAILED, Incident
from pypac_obs.outputs.files import FileSettings, FilesOutput
from pypac_obs.outputs.output import Block, Marker, Output, SessionInfo, TrackInfo

__all__ = ["FollowingFiles", "Take"]

# What is kept while nothing is written: how late one may be told that a recording has begun.
HISTORY_S = 5.0
# And how late its own file may be there, where that is to be seen first. What comes is kept.
FILE_WITHIN_S = 10.0
# An end waits this much longer, until what happened before it is sure to have been told.
MARGIN_S = 0.6


@dataclass(frozen=True)
class Take:
    """A recording to be followed.

    ``file`` is its own file, in the words of whoever records; ``stem`` and ``folder`` say how ours
    are named (None: the profile's folder). Where ``proof`` is given, that folder is taken only if
    there is a file of this name; the take waits for it, FILE_WITHIN_S at most. ``zero_ns`` is the
    host time of the recording's beginning, as well as it is known: ``uncertainty_s`` says how well
    (None: not at all, and only where the recording begins). ``seen`` is false where the recording
    had begun before we came: then ours begin with the first frame that is still there, from
    ``since_ns`` on if that is given.
    """

    file: str
    stem: str
    folder: Path | None
    zero_ns: int
    uncertainty_s: float | None
    seen: bool = True
    since_ns: int | None = None
    proof: Path | None = None


@dataclass(frozen=True)
class _Begin:
    host_ns: int
    take: Take


@dataclass(frozen=True)
class _Pause:
    host_ns: int


@dataclass(frozen=True)
class _Resume:
    host_ns: int


@dataclass(frozen=True)
class _Doubt:
    host_ns: int
    uncertainty_s: float | None


@dataclass(frozen=True)
class _End:
    host_ns: int


_Command = _Begin | _Pause | _Resume | _Doubt | _End


class FollowingFiles(Output):
    """Writes split files for each `Take`, and nothing in between.

    A take that fails, on a full disk say, is given up with what it has; the next one is written.

    `begin`, `pause`, `resume`, `doubt` and `end` are for any one thread, and tell of moments by
    their host time (ns), in order: they may have passed (up to HISTORY_S are kept) or be still to
    come. A take that begins while another runs ends that one without a frame between them. What has
    been written stays: a pause that is told late begins in the files where it was told, or is not
    in them at all if it is over by then.

    All numbers of frames in a take's session.json and ledger count from the beginning of its files,
    and pauses are left out. ``open_incidents`` gives those that are not over yet.
    """

    def __init__(
        self,
        rule: FileSettings,
        open_incidents: Callable[[], Sequence[Incident]],
        name: str = "files",
    ) -> None:
        self.name = name
        self.tracks = tuple(rule.tracks) if rule.tracks is not None else None
        self._rule = rule
        self._open_incidents = open_incidents
        self._lock = threading.Lock()  # the commands
        self._commands: deque[_Command] = deque()
        self._info: SessionInfo | None = None
        self._history: deque[Block] = deque()  # copies of what came last
        self._heard = 0  # the timeline up to which everything has come
        self._written = 0  # up to which the open take has got it
        self._take: _OpenTake | None = None
        self._waits = False  # a take is to begin, and its recording's file is not there yet
        self._pending: list[Incident] = []
        self._markers: list[Marker] = []
        self._paths: dict[str, Path] = {}
        self._own_news: list[Incident] = []  # of the timeline, not told yet
        self._lengths: dict[str, int] = {}
        self._gone: frozenset[str] = frozenset()
        self._failure: OutputFailed | None = None

    # For the thread that follows ------------------------------------------------------------------

    def begin(self, take: Take) -> None:
        """Begins a take at its ``zero_ns``, or where the session begins if that is later."""
        self._post(_Begin(take.zero_ns, take))

    def pause(self, host_ns: int) -> None:
        """Leaves out what comes from this moment on."""
        self._post(_Pause(host_ns))

    def resume(self, host_ns: int) -> None:
        """Goes on after a pause."""
        self._post(_Resume(host_ns))

    def doubt(self, host_ns: int, uncertainty_s: float | None) -> None:
        """Tells how well it is known from now on where frames lie in the recording's file.

        In seconds; None: not at all. What `begin` said of the first frame still holds.
        """
        self._post(_Doubt(host_ns, uncertainty_s))

    def end(self, host_ns: int) -> None:
        """Ends the take at this moment."""
        self._post(_End(host_ns))

    def _post(self, command: _Command) -> None:
        with self._lock:
            self._commands.append(command)

    # The output's own thread from here on ---------------------------------------------------------

    @property
    def paths(self) -> Mapping[str, Path]:
        """The file of each track of the take that runs, or of the last one."""
        return dict(self._paths)

    @property
    def lengths(self) -> Mapping[str, int]:
        """How many frames each of these files holds, once its take has ended."""
        return dict(self._lengths)

    @property
    def gone(self) -> frozenset[str]:
        """The tracks of that take whose files somebody has deleted."""
        return self._gone

    def failure(self) -> OutputFailed | None:
        """Tells which files of any take were deleted."""
        return self._failure

    def open(self, info: SessionInfo) -> None:
        """Gets ready; nothing is created yet."""
        self._info = info

    def tracks_changed(self, tracks: Sequence[TrackInfo]) -> None:
        """Writes tracks that have come from the next take on."""
        assert self._info is not None
        self._info = replace(self._info, tracks=tuple(tracks))

    def write(self, block: Block) -> None:
        """Keeps the block, and does what has come due. Raises OutputFailed."""
        audio = {name: view.copy() for name, view in block.audio.items()}
        self._history.append(replace(block, audio=audio))
        self._heard = block.start + block.frames
        self._advance(self._frames(MARGIN_S))
        oldest = self._heard - self._frames(HISTORY_S)
        if self._waits and (command := self._next()) is not None:
            oldest = min(oldest, self._frame(command.host_ns) - self._frames(HISTORY_S))
        while self._history and self._history[0].start + self._history[0].frames <= oldest:
            self._history.popleft()

    def close(self, end: int) -> None:
        """Ends the take that runs, if one does. Raises OutputFailed."""
        self._heard = max(self._heard, end)
        self._advance(0, ends=True)
        if self._take is not None:
            self._finish(end)

    def abort(self) -> None:
        """Saves what there is of the take that runs. Raises nothing."""
        if self._take is not None:
            with contextlib.suppress(Exception):  # there may be no room for these lines
                self._tell_what_happened(self._take.timeline(self._take.files.kept()))
            self._take.files.abort()
            self._note_files(self._take.files)
            self._take = None

    def recover(self) -> bool:
        """Gives up the take that has failed, and is ready for the next one."""
        self.abort()
        return True

    def kept(self) -> int | None:
        """Tells up to which frame of the timeline `abort` keeps the take that runs."""
        take = self._take
        return take.timeline(take.files.kept()) if take is not None else None

    def on_incident(self, incident: Incident) -> None:
        """Keeps it for the takes that it belongs to."""
        if incident.output != self.name or incident.cause not in (DISK_FULL, OUTPUT_FAILED):
            self._pending.append(incident)
        elif self._take is not None:  # it is just failing
            self._take.fail(incident)

    def new_incidents(self, *, ends: bool = False) -> Sequence[Incident]:
        """Tells what was clipped; it is in the take's ledger already."""
        if self._take is not None:
            self._collect_own(self._take, ends=ends)
        news, self._own_news = self._own_news, []
        return news

    def _collect_own(self, take: _OpenTake, *, ends: bool) -> None:
        self._own_news += [
            replace(incident, begin=take.timeline(incident.begin))
            for incident in take.files.new_incidents(ends=ends)
        ]
        self._note_files(take.files)

    def _note_files(self, files: FilesOutput) -> None:
        self._paths, self._lengths = dict(files.paths), dict(files.lengths)
        self._gone = files.gone
        self._failure = files.failure() or self._failure

    def on_marker(self, marker: Marker) -> None:
        """Keeps it for the take that it belongs to."""
        self._markers.append(marker)

    def keeps_marks(self) -> bool:
        """Tells whether a take runs, or is about to. [any-thread]"""
        return self._take is not None or self._waits

    def on_status(self, status: Mapping[str, object]) -> None:
        """Hands it to the take that runs."""
        if self._take is not None:
            self._take.files.on_status(status)

    # What has come due ----------------------------------------------------------------------------

    def _advance(self, margin: int, *, ends: bool = False) -> None:
        """Writes and does, in order, what has come due; an end waits ``margin`` frames longer.

        Where all ``ends``, nothing is waited for.
        """
        while (command := self._next()) is not None:
            at = self._frame(command.host_ns)
            if at > self._heard:
                break
            self._write_up_to(at)
            late = self._heard - at > self._frames(FILE_WITHIN_S)
            self._waits = isinstance(command, _Begin) and not (
                ends or late or _is_there(command.take)
            )
            if self._waits:
                return
            if self._take is not None and isinstance(command, _Begin | _End):
                self._take.note_open(self._open_incidents())
                if at + margin > self._heard:
                    return
                self._finish(at)
            self._next(take=True)
            if isinstance(command, _Begin):
                self._begin(command.take)
            elif self._take is not None and isinstance(command, _Pause):
                self._take.pause(at, self._written)
            elif self._take is not None and isinstance(command, _Resume):
                self._resume(self._take, at)
            elif self._take is not None and isinstance(command, _Doubt):
                self._take.doubt(command.uncertainty_s)
        self._write_up_to(self._heard)
        self._hand_on(self._written if self._take is not None else self._heard)

    def _next(self, *, take: bool = False) -> _Command | None:
        with self._lock:
            if not self._commands:
                return None
            return self._commands.popleft() if take else self._commands[0]

    def _write_up_to(self, end: int) -> None:
        """Gives the take what it has not got yet of the timeline before ``end``."""
        take = self._take
        if take is None or take.paused:
            return
        for block in self._history:
            begin = max(block.start, self._written)
            stop = min(block.start + block.frames, end)
            if begin < stop:
                part = slice(begin - block.start, stop - block.start)
                audio = {track.name: self._part(block, track, part) for track in take.tracks}
                run = Block(take.frame(begin), stop - begin, block.sample_rate, audio)
                take.files.write(run)
                self._written = stop

    @staticmethod
    def _part(block: Block, track: TrackInfo, part: slice) -> NDArray[np.float32]:
        """A piece of a track; silence from before the track came."""
        if track.name in block.audio:
            return block.audio[track.name][part]
        return np.zeros((part.stop - part.start, track.channels), np.float32)

    def _begin(self, take: Take) -> None:
        assert self._info is not None
        oldest = self._history[0].start if self._history else self._heard
        first = max(0, self._frame(take.zero_ns))
        lost = max(0, oldest - first) if take.seen else 0
        if not take.seen:
            first = max(first, oldest)
        if take.since_ns is not None:
            first = max(first, self._frame(take.since_ns))
        zero_s = self._seconds_from(take.zero_ns, first)
        info = replace(
            self._info,
            start_wall=self._info.start_wall + timedelta(seconds=first / self._info.sample_rate),
            start_host_ns=self._info.start_host_ns + round(first * 1e9 / self._info.sample_rate),
        )
        files = self._create(take, info)
        self._take = _OpenTake(take, files, first, zero_s, self._info)
        self._take.tell_of_obs()
        self._paths = dict(files.paths)
        self._written = first
        self._tell_of_lateness(files, 0, lost)

    def _resume(self, take: _OpenTake, at: int) -> None:
        if not take.paused:
            return
        take.resume(at)
        self._written = max(self._written, at)
        oldest = self._history[0].start if self._history else self._heard
        self._tell_of_lateness(take.files, take.frame(self._written), oldest - self._written)

    def _tell_of_lateness(self, files: FilesOutput, begin: int, lost: int) -> None:
        """Frames are gone already, because a beginning or the end of a pause was told so late."""
        if lost > 0:
            assert self._info is not None
            names = tuple(track.name for track in self._info.tracks)
            files.on_incident(Incident(LATE_START, None, self.name, names, begin, lost))

    def _create(self, take: Take, info: SessionInfo) -> FilesOutput:
        """Creates a take's files: in the folder that it names, else in the profile's."""
        if take.folder is not None and _is_there(take):
            files = FilesOutput(self._rule, self.name, stem=take.stem, folder=take.folder)
            try:
                files.open(info)
                return files
            except OutputFailed:  # on another computer, or not ours to write to
                pass
        files = FilesOutput(self._rule, self.name, stem=take.stem)
        files.open(info)
        return files

    def _finish(self, end: int) -> None:
        """Closes the take's files at ``end``. Raises OutputFailed, and keeps the take then."""
        take = self._take
        assert take is not None
        end = max(end, self._written)  # told late, it has got more already
        self._tell_what_happened(end)
        self._collect_own(take, ends=True)  # before the ledger is closed
        take.files.close(take.frame(end))
        self._collect_own(take, ends=True)
        self._take = None
        self._written = max(self._written, end)

    def _tell_what_happened(self, end: int) -> None:
        """Tells the take of all that is known to have happened before its ``end``."""
        take = self._take
        assert take is not None
        take.note_open(self._open_incidents())
        self._hand_on(end)
        known = {(incident.cause, incident.source, incident.begin) for incident in self._pending}
        known |= take.told
        for incident in take.open_incidents:
            if (incident.cause, incident.source, incident.begin) not in known:
                # It grows in steps; what is not over by now lasts at least to the end.
                take.tell(replace(incident, frames=max(incident.frames, end - incident.begin)), end)
        for incident in self._pending:  # what lasts beyond the end: the next take has the rest
            if incident.begin < end:
                take.tell(incident, end)

    def _hand_on(self, cursor: int) -> None:
        """Tells the take of what is over, and forgets what no take can be about any more."""
        take = self._take
        oldest = self._history[0].start if self._history else self._heard
        kept = []
        for incident in self._pending:
            ended = incident.begin + incident.frames
            if take is not None and ended <= cursor:
                take.tell(incident, cursor)
            elif take is not None or ended > oldest:
                kept.append(incident)
        self._pending = kept
        markers = []
        for marker in self._markers:
            if take is not None and marker.frame < cursor:
                take.mark(marker)
            elif take is not None or marker.frame >= oldest:
                markers.append(marker)
        self._markers = markers

    def _frame(self, host_ns: int) -> int:
        """The timeline's frame at a host time; below 0 for what was before the session."""
        assert self._info is not None
        return round((host_ns - self._info.start_host_ns) * self._info.sample_rate / 1e9)

    def _frames(self, seconds: float) -> int:
        assert self._info is not None
        return round(seconds * self._info.sample_rate)

    def _seconds_from(self, host_ns: int, frame: int) -> float:
        assert self._info is not None
        at_ns = self._info.start_host_ns + frame * 1e9 / self._info.sample_rate
        return (at_ns - host_ns) / 1e9


def _is_there(take: Take) -> bool:
    """Whether nothing is to be seen first, or it is there."""
    try:
        return take.proof is None or stat.S_ISREG(os.lstat(take.proof).st_mode)
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class _LeftOut:
    """A pause in a take's files, on the timeline: from, to (None: it is not over).

    ``kept`` frames of the recording's pause lie in the files, just before: they had been written
    when it was told.
    """

    begin: int
    end: int | None
    kept: int


class _OpenTake:
    """A take that is being written: its files, and where its frames lie on the timeline."""

    def __init__(
        self, take: Take, files: FilesOutput, first: int, zero_s: float, info: SessionInfo
    ) -> None:
        self.files = files
        self.tracks = info.tracks  # tracks that come later have files in the next take
        self.open_incidents: list[Incident] = []
        self.told: set[tuple[str, str | None, int]] = set()
        self._take = take
        self._first = first
        self._zero_s = zero_s if take.uncertainty_s is not None else None
        self._uncertainty_s = take.uncertainty_s
        self._sample_rate = info.sample_rate
        self._pauses: list[_LeftOut] = []

    @property
    def paused(self) -> bool:
        return bool(self._pauses) and self._pauses[-1].end is None

    def pause(self, at: int, written: int) -> None:
        """Begins a pause, behind what is written of the timeline."""
        if not self.paused:
            begin = max(at, written)
            self._pauses.append(_LeftOut(begin, None, begin - max(at, self._first)))
            self.tell_of_obs()

    def resume(self, at: int) -> None:
        if self.paused:
            pause = self._pauses[-1]
            # Told so late that all of it has been written: a place where nothing is left out.
            begin = min(pause.begin, at)
            kept = max(0, pause.kept - (pause.begin - begin))
            self._pauses[-1] = _LeftOut(begin, at, kept)
            self.tell_of_obs()

    def doubt(self, uncertainty_s: float | None) -> None:
        self._uncertainty_s = uncertainty_s
        self.tell_of_obs()

    def frame(self, timeline: int) -> int:
        """The frame of the files at a place of the timeline; a pause is one place."""
        left_out = sum(
            (timeline if pause.end is None else min(timeline, pause.end)) - pause.begin
            for pause in self._pauses
            if timeline > pause.begin
        )
        return max(0, timeline - self._first - left_out)

    def timeline(self, frame: int) -> int:
        """The place of the timeline where a frame of the files lies."""
        timeline = frame + self._first
        for pause in self._pauses:
            if timeline >= pause.begin and pause.end is not None:
                timeline += pause.end - pause.begin
        return timeline

    def note_open(self, incidents: Sequence[Incident]) -> None:
        """Remembers, once, what is not over at the end."""
        if not self.open_incidents:
            self.open_incidents = list(incidents)

    def tell(self, incident: Incident, end: int) -> None:
        """Writes the part of an incident that lies in the files, before ``end``."""
        begin = self.frame(incident.begin)
        frames = self.frame(min(incident.begin + incident.frames, end)) - begin
        if incident.frames and frames <= 0:
            return
        if incident.begin < self._first and not incident.frames:
            return
        self.told.add((incident.cause, incident.source, incident.begin))
        self.files.on_incident(replace(incident, begin=begin, frames=frames))

    def fail(self, incident: Incident) -> None:
        """Writes why the files end, which is told of a place on the timeline."""
        self.files.on_incident(replace(incident, begin=self.frame(incident.begin)))

    def mark(self, marker: Marker) -> None:
        """Takes a mark that lies in the files."""
        if marker.frame >= self._first:
            self.files.on_marker(replace(marker, frame=self.frame(marker.frame)))

    def tell_of_obs(self) -> None:
        """Says in session.json which recording this belongs to, and where in it frame 0 lies."""
        note: dict[str, object] = {
            "file": self._take.file,
            "frame_0_at_s": _rounded(self._zero_s),
            "uncertainty_s": _rounded(self._uncertainty_s),
        }
        if self._pauses:
            note["pauses"] = [self._pause_note(pause) for pause in self._pauses]
        self.files.add_note("obs", note)

    def _pause_note(self, pause: _LeftOut) -> dict[str, object]:
        left_out = None if pause.end is None else self._seconds(pause.end - pause.begin)
        note: dict[str, object] = {"frame": self.frame(pause.begin), "left_out_s": left_out}
        if pause.kept:
            note["kept_s"] = self._seconds(pause.kept)
        return note

    def _seconds(self, frames: int) -> float:
        return round(frames / self._sample_rate, 6)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6) + 0.0
