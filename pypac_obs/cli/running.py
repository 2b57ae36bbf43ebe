# SPDX-License-Identifier: MIT
"""Runs a session for a command: the live view, lines for a pipe, signals, and the summary."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

import soundfile
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pypac_obs.cli.console import (
    column_table,
    counted,
    ended,
    level_text,
    listed,
    lufs_text,
    make_console,
    plain,
    print_json,
    say,
    say_error,
    sentence,
)
from pypac_obs.cli.console_events import console_events
from pypac_obs.cli.detached_output import detached_output, wait_until_read
from pypac_obs.cli.logoff import logoff_window
from pypac_obs.cli.session_log import session_log
from pypac_obs.cli.status_view import has_unicode, state_words, status_lines
from pypac_obs.errors import PypacError
from pypac_obs.events import (
    Event,
    IncidentNoted,
    NewsTold,
    OutputChanged,
    SourceChanged,
    Subscription,
    Warned,
)
from pypac_obs.incidents import CLIPPED, Incident, describe, timeline_text
from pypac_obs.outputs.files import FilesOutput
from pypac_obs.outputs.following import FollowingFiles
from pypac_obs.session import Session
from pypac_obs.status import Loudness, SessionStatus

__all__ = ["FileSummary", "Summary", "grouped", "run_session"]

# The live view is drawn five times a second; a pipe gets lines, and JSON, once a second.
_LIVE_S = 0.2
_LINES_S = 0.25
_BRIEF_S = 1.0
_JSON_S = 1.0
_SHOWN_INCIDENTS = 5
_SAID_APART = 3
# `timeout` sends its signal twice, at once: to the program and to its group.
_SAME_REQUEST_S = 0.3

# Signals -----------------------------------------------------------------------------------------


class _StopRequest:
    """Ctrl-C, SIGTERM or a closed terminal: the first asks for the end, the second forces it.

    On Windows also Ctrl-Break, a logoff, a shutdown and `taskkill`.
    """

    _SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")

    def __init__(self) -> None:
        self.asked = False
        self._asked_at = 0.0
        self.leave_terminal: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        before = {}
        if threading.current_thread() is threading.main_thread():
            for name in self._SIGNALS:
                number = getattr(signal, name, None)
                # nohup and shells in the background have reasons to ignore one.
                if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                    before[number] = signal.signal(number, self._receive)
        try:
            with (
                console_events(on_key=self._request, on_closing=self._ask),
                logoff_window(on_end=self._ask),
            ):
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._request()

    def _ask(self) -> None:
        self._asked_at = time.monotonic()
        self.asked = True

    def _request(self) -> None:
        now = time.monotonic()
        if self.asked:
            if now < self._asked_at + _SAME_REQUEST_S:
                return
            with contextlib.suppress(Exception):
                self.leave_terminal()
            with contextlib.suppress(OSError):
                os.write(2, b"Aborted: the files hold what had been written by now.\n")
            # Threads that hang are why one asks twice: nobody waits for them here.
            os._exit(1)
        self._ask()


# The summary -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileSummary:
    """A file that was written, and how long it is on the disk."""

    output: str
    track: str
    path: Path
    frames: int
    deleted: bool = False


@dataclass(frozen=True)
class Summary:
    """How a session went. ``incidents`` are plain sentences, those alike in one."""

    session: str
    sample_rate: int
    frames: int
    peaks: dict[str, float]
    loudness: dict[str, Loudness]
    files: tuple[FileSummary, ...]
    incidents: tuple[str, ...]
    failures: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Gives plain values; a peak of minus infinity becomes None."""
        return {
            "session": self.session,
            "sample_rate": self.sample_rate,
            "frames": self.frames,
            "seconds": round(self.frames / self.sample_rate, 3),
            "tracks": {
                name: {
                    "max_peak": round(peak, 2) if math.isfinite(peak) else None,
                    **self.loudness[name].to_manifest(),
                }
                for name, peak in self.peaks.items()
            },
            "files": [
                {
                    "output": file.output,
                    "track": file.track,
                    "path": str(file.path),
                    "frames": file.frames,
                    "deleted": file.deleted,
                }
                for file in self.files
            ],
            "incidents": list(self.incidents),
            "failures": list(self.failures),
        }


def _summary(session: Session) -> Summary:
    status = session.status()
    return Summary(
        session=session.name,
        sample_rate=session.sample_rate,
        frames=status.frames,
        peaks={track.name: track.level.max_peak for track in status.tracks},
        loudness={track.name: track.loudness for track in status.tracks},
        files=tuple(_files(session)),
        incidents=tuple(_incidents(session, status)),
        failures=tuple(str(error) for error in session.errors),
    )


def _incidents(session: Session, status: SessionStatus) -> Iterator[str]:
    kept = session.incidents
    if status.incidents > len(kept):
        earlier = counted(status.incidents - len(kept), "earlier incident")
        yield f"{earlier}, which ledger.jsonl has"
    yield from grouped(kept, session.sample_rate)


def _files(session: Session) -> Iterator[FileSummary]:
    for output in session.outputs:
        if isinstance(output, FilesOutput | FollowingFiles):
            for track, path in output.paths.items():
                if track in output.gone:
                    yield FileSummary(output.name, track, path.absolute(), 0, deleted=True)
                    continue
                frames = output.lengths.get(track, 0)
                # As any player would find it, not as we believe to have written it. By an open
                # file, because its name need not be text.
                with (
                    contextlib.suppress(OSError, soundfile.SoundFileError),
                    path.open("rb") as file,
                ):
                    frames = soundfile.info(file).frames
                yield FileSummary(output.name, track, path.resolve(), frames)


def grouped(incidents: Sequence[Incident], sample_rate: int) -> Iterator[str]:
    """Says what happened in plain sentences; many alike of one subject become one sentence.

    >>> gaps = [Incident("stalled", "game", None, ("game",), at * 48000, 480) for at in range(9)]
    >>> list(grouped(gaps, 48000))[0].split("; ")[1]
    'so 8 more times until 0:08.010, 4320 frames in all'
    """
    groups: dict[tuple[object, ...], list[Incident]] = {}
    for incident in incidents:
        track = incident.tracks if incident.cause == CLIPPED else None
        key = (incident.cause, incident.source, incident.output, track)
        groups.setdefault(key, []).append(incident)
    for group in groups.values():
        # What goes on is told in ever longer stretches.
        if len(group) <= (1 if group[0].cause == CLIPPED else _SAID_APART):
            yield from (describe(incident, sample_rate) for incident in group)
            continue
        until = timeline_text(max(one.begin + one.frames for one in group), sample_rate)
        more = "once more" if len(group) == 2 else f"{len(group) - 1} more times"
        text = f"{describe(group[0], sample_rate)}; so {more} until {until}"
        frames = sum(one.lost for one in group)
        yield f"{text}, {counted(frames, 'frame')} in all" if frames else text


def _file_cell(files: list[FileSummary]) -> Text:
    if not files:
        return plain("none", "dim")
    names = [f"{file.path.name}{' was deleted' if file.deleted else ''}" for file in files]
    return plain(", ".join(names), "red" if any(file.deleted for file in files) else "")


def _print_summary(console: Console, session: Session, summary: Summary) -> None:
    length = timeline_text(summary.frames, summary.sample_rate)
    say(f"{summary.session}: {length}, {counted(summary.frames, 'frame')} a track")
    table = column_table(
        ("Track", "Peak", "LUFS", "Length", "Frames", "File"),
        right=("Peak", "LUFS", "Length", "Frames"),
    )
    for name, peak in summary.peaks.items():
        files = [file for file in summary.files if file.track == name]
        frames = max((file.frames for file in files), default=summary.frames)
        table.add_row(
            plain(name),
            plain(level_text(peak)),
            plain(lufs_text(summary.loudness[name].integrated)),
            plain(timeline_text(frames, summary.sample_rate)),
            plain(str(frames)),
            _file_cell(files),
        )
    console.print(table)
    written = [(file.output, file.path.parent) for file in summary.files if not file.deleted]
    for output, folder in dict.fromkeys(written):
        say(f"Files in {folder}" if output == "files" else f"Files of {output} in {folder}")
    if summary.incidents:
        say("Incidents:")
        for text in summary.incidents:
            say(f"  {ended(text)}")
    else:
        say("No incidents: nothing is missing.")
    for error in session.errors:
        say_error(error)


# What is shown while it runs ---------------------------------------------------------------------


class _View(Protocol):
    """Shows a session while it runs."""

    period_s: float

    def show(self, session: Session) -> None:
        """Shows how it is now."""


class _JsonLines:
    """One line of JSON a second."""

    period_s = _JSON_S

    def show(self, session: Session) -> None:
        """Writes the status."""
        print_json(session.status().to_json())


class _EventLines:
    """A line for each event: states of sources and outputs, incidents, warnings, news."""

    period_s = _LINES_S

    def __init__(self, events: Subscription) -> None:
        self._events = events

    def show(self, session: Session) -> None:
        """Writes what has happened since the last time."""
        at = timeline_text(max(0, session.position), session.sample_rate)
        while (event := self._events.get(timeout_s=0)) is not None:
            for line in _lines_of(event, session):
                say(f"{at}  {line}")


def _lines_of(event: Event, session: Session) -> Iterator[str]:
    if isinstance(event, SourceChanged):
        brief = session.position < _BRIEF_S * session.sample_rate
        if not (event.state == "starting" and brief):  # as everything does at the start
            yield f"{event.name}: {state_words(event)}"
    elif isinstance(event, OutputChanged):
        if event.state:
            yield f"{event.name}: {sentence(event.state)}"
    elif isinstance(event, IncidentNoted):
        yield ended(describe(event.incident, session.sample_rate))
    elif isinstance(event, Warned):
        yield sentence(event.text)
    elif isinstance(event, NewsTold):
        yield ended(event.text)


class _LiveTable:
    """A table of sources and tracks, drawn again and again on a terminal."""

    period_s = _LIVE_S

    def __init__(self, live: Live) -> None:
        self._live = live
        self._unicode = has_unicode(live.console)

    def show(self, session: Session) -> None:
        """Draws it."""
        status = session.status()
        lines = status_lines(status, unicode=self._unicode, width=self._live.console.width)
        lines += self._incident_lines(session, status)
        lines.append(plain("Ctrl-C ends it.", "dim"))
        self._live.update(Group(*lines), refresh=True)

    @staticmethod
    def _incident_lines(session: Session, status: SessionStatus) -> Iterator[Text]:
        incidents = session.incidents
        hidden = status.incidents - _SHOWN_INCIDENTS
        if hidden > 0:
            yield plain(f"{counted(hidden, 'incident')} before these:", "dim")
        for incident in incidents[-_SHOWN_INCIDENTS:]:
            yield plain(ended(describe(incident, session.sample_rate)))


# Running -----------------------------------------------------------------------------------------


def run_session(session: Session, *, as_json: bool = False, log_level: str = "info") -> Summary:
    """Runs a session to its end, or until a signal asks for it, and prints the summary.

    Nothing that becomes of standard output and error ends it (`detached_output`). A session whose
    outputs have all failed is ended, too. Returns the summary; its ``failures`` are
    what makes the exit code 1. Raises what `Session.start` raises.
    """
    stop = _StopRequest()
    with stop.installed(), detached_output(), session_log(session, log_level):
        console = make_console()
        with session.events.subscribe() as events:
            session.start()
            try:
                _watch(session, stop, console, as_json, events)
            finally:
                session.stop()
        wait_until_read()  # a reader that has taken nothing for long misses lines, but not these
        summary = _summary(session)
        if as_json:
            print_json({"summary": summary.to_json()})
            for error in session.errors:
                say_error(error)
        else:
            _print_summary(console, session, summary)
        wait_until_read()  # here, where a second signal aborts it
    return summary


def _watch(
    session: Session, stop: _StopRequest, console: Console, as_json: bool, events: Subscription
) -> None:
    with contextlib.ExitStack() as stack:
        view: _View
        if as_json:
            view = _JsonLines()
        elif console.is_terminal:
            _say_who_is_absent(session)
            live = Live(console=console, auto_refresh=False, transient=True)
            stop.leave_terminal = live.stop
            view = _LiveTable(stack.enter_context(live))
        else:
            view = _EventLines(events)
            say(_start_line(session))
        carefully = _Carefully(view)
        due = time.monotonic()
        while not stop.asked:
            carefully.show(session)
            if session.has_failed:
                break  # nobody would notice for hours that nothing is written any more
            due = max(due + view.period_s, time.monotonic())
            if _ended(session, stop, due):
                break
        if isinstance(view, _EventLines):
            session.stop()  # so that the last incidents are known
            carefully.show(session)


class _Carefully:
    """Shows a session: a bug in what is shown is no reason to end a recording, and is told once."""

    def __init__(self, view: _View) -> None:
        self._view = view
        self._said = False

    def show(self, session: Session) -> None:
        try:
            self._view.show(session)
        except Exception as error:
            if not self._said:
                self._said = True
                what = f"{type(error).__name__}: {error}"
                say_error(PypacError(f"the session cannot be shown ({what}); it goes on"))


def _start_line(session: Session) -> str:
    tracks = listed(list(session.profile.tracks))
    folders = [str(o.folder) for o in session.outputs if isinstance(o, FilesOutput) and o.folder]
    where = f" into {listed(folders)}" if folders else ""
    return f"Started {session.name}: {tracks}{where}"


def _ended(session: Session, stop: _StopRequest, until: float) -> bool:
    """Waits until that time; True as soon as the session has ended or shall end."""
    while not stop.asked:
        left = until - time.monotonic()
        if left <= 0:
            return False
        # Short, because a signal does not end the wait.
        if session.wait(min(left, _LIVE_S)):
            return True
    return True


def _say_who_is_absent(session: Session) -> None:
    for source in session.status().sources:
        if source.state in ("not_running", "no_stream"):
            say(f"{source.name}: {state_words(source)}")
