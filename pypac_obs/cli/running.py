# SPDX-License-Identifier: MIT
"""Runs a session for a command: the live view, lines for a pipe, signals, and the summary."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import click
import soundfile
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from pypac_obs.cli.console import (
    column_table,
    counted,
    ended,
    level_text,
    listed,
    make_console,
    meter,
    plain,
    print_json,
    say,
    say_error,
    sentence,
)
from pypac_obs.cli.console_events import console_events
from pypac_obs.cli.detached_output import detached_output, wait_until_read
from pypac_obs.cli.logoff import logoff_window
from pypac_obs.errors import PypacError
from pypac_obs.incidents import CLIPPED, Incident, describe, timeline_text
from pypac_obs.outputs.files import FilesOutput
from pypac_obs.outputs.following import FollowingFiles
from pypac_obs.session import Session
from pypac_obs.session.recent import latest
from pypac_obs.status import BoundProgram, SessionStatus, SourceStatus

__all__ = [
    "FileSummary",
    "Summary",
    "duration_option",
    "grouped",
    "parse_duration",
    "program_name",
    "run_session",
]

# The live view is drawn five times a second; a pipe gets lines, and JSON, once a second.
_LIVE_S = 0.2
_LINES_S = 0.25
_JSON_S = 1.0
_SHOWN_INCIDENTS = 5
_SHOWN_NEWS = 5
_SHOWN_WARNINGS = 8
_SAID_APART = 3
_BRIEF_S = 1.0
# `timeout` sends its signal twice, at once: to the program and to its group.
_SAME_REQUEST_S = 0.3

_STYLES = {
    "playing": "green",
    "silent": "yellow",
    "paused": "yellow",
    "muted": "yellow",
    "starting": "cyan",
    "not_running": "dim",
    "no_stream": "dim",
    "frozen": "red",
    "blind_tap": "red",
    "refused": "red",
    "stalled": "red",
    "failed": "red",
    "backend_lost": "red",
}

# Durations ---------------------------------------------------------------------------------------

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_DURATION = re.compile(
    rf"(?:(?P<h>{_NUMBER})h)?(?:(?P<m>{_NUMBER})m)?(?:(?P<s>{_NUMBER})s?)?", re.ASCII
)
_LONGEST_S = 366 * 86_400.0


def parse_duration(text: str) -> float:
    """Reads a duration in seconds; raises ValueError.

    >>> [parse_duration(text) for text in ("20", "1.5", "90s", "10m", "1h30m")]
    [20.0, 1.5, 90.0, 600.0, 5400.0]
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise ValueError("expected a time such as 20, 1.5, 90s, 10m or 1h30m")
    seconds = sum(float(value) * _UNITS[unit] for unit, value in match.groupdict("0").items())
    if not 0 < seconds <= _LONGEST_S:
        raise ValueError("expected more than no time, and a year at most")
    return seconds


def duration_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --duration to a command: seconds, or None where it is left out."""
    return click.option(
        "--duration",
        metavar="TIME",
        callback=_read_duration,
        help="End after exactly this time: 20, 1.5, 90s, 10m, 1h30m. By default, until Ctrl-C.",
    )(command)


def _read_duration(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, found {text!r}", ctx, param) from None


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
                name: {"max_peak": round(peak, 2) if math.isfinite(peak) else None}
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
        ("Track", "Peak", "Length", "Frames", "File"), right=("Peak", "Length", "Frames")
    )
    for name, peak in summary.peaks.items():
        files = [file for file in summary.files if file.track == name]
        frames = max((file.frames for file in files), default=summary.frames)
        table.add_row(
            plain(name),
            plain(level_text(peak)),
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

    def show(self, session: Session, status: SessionStatus) -> None:
        """Shows how it is now."""


class _JsonLines:
    """One line of JSON a second."""

    period_s = _JSON_S

    def show(self, session: Session, status: SessionStatus) -> None:
        """Writes the status."""
        print_json(status.to_json())


class _EventLines:
    """Lines for what changes: states of sources, incidents, warnings."""

    period_s = _LINES_S

    def __init__(self) -> None:
        self._sources: dict[str, tuple[str, tuple[BoundProgram, ...]]] = {}
        self._outputs: dict[str, str] = {}
        self._incidents = 0
        self._warnings = 0
        self._news = 0

    def show(self, session: Session, status: SessionStatus) -> None:
        """Writes what is new since the last time."""
        at = timeline_text(max(0, status.frames), status.sample_rate)
        for source in status.sources:
            if source.state == "starting" and status.seconds < _BRIEF_S:
                continue  # as everything does at the start
            known = (source.state, source.programs)
            if self._sources.get(source.name) != known:
                self._sources[source.name] = known
                say(f"{at}  {source.name}: {_state_words(source)}")
        for output in status.outputs:
            if self._outputs.get(output.name, "") != output.state:
                self._outputs[output.name] = output.state
                say(f"{at}  {output.name}: {sentence(output.state)}")
        for warning in status.warnings[self._warnings :]:
            say(f"{at}  {sentence(warning)}")
        self._warnings = len(status.warnings)
        for news in latest(status.news, status.news_total - self._news):
            say(f"{at}  {ended(news)}")
        self._news = status.news_total
        self.show_incidents(session)

    def show_incidents(self, session: Session) -> None:
        """Writes the incidents that are new since the last time."""
        at = timeline_text(max(0, session.position), session.sample_rate)
        incidents, self._incidents = session.incidents_since(self._incidents)
        for incident in incidents:
            say(f"{at}  {ended(describe(incident, session.sample_rate))}")


class _LiveTable:
    """A table of sources and tracks, drawn again and again on a terminal."""

    period_s = _LIVE_S

    def __init__(self, live: Live) -> None:
        self._live = live
        self._unicode = live.console.encoding.lower().startswith("utf")

    def show(self, session: Session, status: SessionStatus) -> None:
        """Draws it."""
        self._live.update(self._render(session, status), refresh=True)

    def _render(self, session: Session, status: SessionStatus) -> RenderableType:
        headings = ("Source", "Bound to", "State", "Drift", "Samples")
        sources = column_table(headings, right=("Drift",))
        for source in status.sources:
            sources.add_row(
                plain(source.name),
                plain(_bound_to(source)),
                plain(_state_cell(source), _STYLES.get(source.state, "")),
                plain(f"{source.drift_ppm:+.1f} ppm" if source.captured_frames else ""),
                plain(_passing(source)),
            )
        tracks = column_table(
            ("Track", "-60 to 0 dBFS", "Peak", "RMS", "Highest", "Frames"),
            right=("Peak", "RMS", "Highest", "Frames"),
        )
        for track in status.tracks:
            tracks.add_row(
                plain(track.name),
                meter(track.level, unicode=self._unicode),
                plain(level_text(track.level.peak)),
                plain(level_text(track.level.rms)),
                plain(level_text(track.level.max_peak)),
                plain(str(track.frames)),
            )
        length = timeline_text(max(0, status.frames), status.sample_rate)
        lines: list[RenderableType] = [plain(f"{session.name}  {length}", "bold"), sources, tracks]
        lines += [plain(sentence(text), "yellow") for text in status.warnings[-_SHOWN_WARNINGS:]]
        for output in status.outputs:
            if output.state:
                lines.append(plain(f"{output.name}: {sentence(output.state)}"))
            if output.error:
                lines.append(plain(sentence(output.error), "red"))
            if output.lost_frames:
                lost = counted(output.lost_frames, "frame")
                lines.append(plain(f"The output {output.name} has lost {lost}.", "red"))
        lines += [plain(ended(news), "dim") for news in status.news[-_SHOWN_NEWS:]]
        lines += self._incident_lines(session, status)
        lines.append(plain("Ctrl-C ends it.", "dim"))
        return Group(*lines)

    @staticmethod
    def _incident_lines(session: Session, status: SessionStatus) -> Iterator[Text]:
        incidents = session.incidents
        hidden = status.incidents - _SHOWN_INCIDENTS
        if hidden > 0:
            yield plain(f"{counted(hidden, 'incident')} before these:", "dim")
        for incident in incidents[-_SHOWN_INCIDENTS:]:
            yield plain(ended(describe(incident, session.sample_rate)))


def program_name(program: BoundProgram) -> str:
    """Names a program as users know it, with its PID, and its devices where they are several."""
    name = program.program or program.application_name or "an unknown program"
    if _says_more(program):
        name = program.application_name
    if not program.pid:
        return name
    plays = f", to {' and '.join(program.devices)}" if len(program.devices) > 1 else ""
    return f"{name} (PID {program.pid}{plays})"


def _says_more(program: BoundProgram) -> bool:
    """Firefox is nicer than firefox-esr; but Discord is not Chromium, whatever it calls itself."""
    return (
        bool(program.application_name)
        and program.application_name.casefold() in program.program.casefold()
    )


def _bound_to(source: SourceStatus) -> str:
    return ", ".join(dict.fromkeys(map(program_name, source.programs)))


def _state_words(source: SourceStatus) -> str:
    words = _state_cell(source)
    if source.state in ("not_running", "no_stream"):
        words += " Its track is silence until it plays."
    bound = _bound_to(source)
    return f"{words} Bound to {bound}." if bound else words


def _state_cell(source: SourceStatus) -> str:
    return "Playing." if source.state == "playing" else sentence(source.reason)


def _passing(source: SourceStatus) -> str:
    if not source.captured_frames:
        return ""
    return "bit-exact" if source.bit_exact else "resampled"


# Running -----------------------------------------------------------------------------------------


def run_session(session: Session, *, as_json: bool = False) -> Summary:
    """Runs a session to its end, or until a signal asks for it, and prints the summary.

    Nothing that becomes of standard output and error ends it (`detached_output`). A session whose
    outputs have all failed is ended, too. Returns the summary; its ``failures`` are
    what makes the exit code 1. Raises what `Session.start` raises.
    """
    stop = _StopRequest()
    with stop.installed(), detached_output():
        console = make_console()
        session.start()
        try:
            _watch(session, stop, console, as_json)
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


def _watch(session: Session, stop: _StopRequest, console: Console, as_json: bool) -> None:
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
            view = _EventLines()
            say(_start_line(session))
        due = time.monotonic()
        said = False
        while not stop.asked:
            try:
                status = session.status()
                view.show(session, status)
                if status.outputs and all(output.error for output in status.outputs):
                    break  # nobody would notice for hours that nothing is written any more
            except Exception as error:  # a bug in what is shown is no reason to end a recording
                if not said:
                    said = True
                    what = f"{type(error).__name__}: {error}"
                    say_error(PypacError(f"the session cannot be shown ({what}); it goes on"))
            due = max(due + view.period_s, time.monotonic())
            if _ended(session, stop, due):
                break
        if isinstance(view, _EventLines):
            session.stop()  # so that the last incidents are known
            view.show_incidents(session)


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
            say(f"{source.name}: {_state_words(source)}")
