# SPDX-License-Identifier: MIT
"""How a session's status is shown: as a table, or a line for each change."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.table import Table

from pypac_obs.cli.console import (
    column_table,
    counted,
    ended,
    level_text,
    lufs_text,
    meter,
    plain,
    say,
    sentence,
)
from pypac_obs.cli.fitted_table import Column, fitted_table
from pypac_obs.events import SourceChanged
from pypac_obs.incidents import timeline_text
from pypac_obs.status import BoundProgram, SessionStatus, SourceStatus, TrackStatus

__all__ = ["StatusChanges", "has_unicode", "program_name", "state_words", "status_lines"]

_SHOWN_NEWS = 5
_SHOWN_WARNINGS = 8
_BRIEF_S = 1.0

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


class StatusChanges:
    """Writes a line for each change: states of sources and outputs, warnings, news."""

    def __init__(self) -> None:
        self._sources: dict[str, tuple[str, tuple[BoundProgram, ...]]] = {}
        self._outputs: dict[str, str] = {}
        self._warnings = 0
        self._news = 0

    def show(self, status: SessionStatus) -> None:
        """Writes what is new since the last time."""
        at = timeline_text(max(0, status.frames), status.sample_rate)
        for source in status.sources:
            if source.state == "starting" and status.seconds < _BRIEF_S:
                continue  # as everything does at the start
            known = (source.state, source.programs)
            if self._sources.get(source.name) != known:
                self._sources[source.name] = known
                say(f"{at}  {source.name}: {state_words(source)}")
        for output in status.outputs:
            if self._outputs.get(output.name, "") != output.state:
                self._outputs[output.name] = output.state
                say(f"{at}  {output.name}: {sentence(output.state)}")
        for warning in status.warnings[self._warnings :]:
            say(f"{at}  {sentence(warning)}")
        self._warnings = len(status.warnings)
        unseen = min(max(0, status.news_total - self._news), len(status.news))
        for news in status.news[len(status.news) - unseen :]:
            say(f"{at}  {ended(news)}")
        self._news = status.news_total


def has_unicode(console: Console) -> bool:
    """Tells whether a console can draw meters of blocks."""
    return console.encoding.lower().startswith("utf")


def status_lines(
    status: SessionStatus, *, unicode: bool = True, width: int = 200
) -> list[RenderableType]:
    """Makes what is shown of a session: its sources, its tracks, and what needs a look."""
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
    tracks = _tracks(status, unicode, width)
    length = timeline_text(max(0, status.frames), status.sample_rate)
    lines: list[RenderableType] = [plain(f"{status.session}  {length}", "bold"), sources, tracks]
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
    return lines


_TRACK_COLUMNS = (
    Column("Track"),
    Column("-60 to 0 dBFS"),
    Column("Peak", weight=6, right=True),
    Column("RMS", weight=3, right=True),
    Column("Highest", weight=2, right=True),
    Column("LUFS", weight=5, right=True),
    Column("Reduced", weight=4, right=True),
    Column("Frames", weight=1, right=True),
)


def _tracks(status: SessionStatus, unicode: bool, width: int) -> Table:
    """Makes the table of tracks: short-term loudness, and how much their filters take away."""
    rows = [
        (
            plain(track.name),
            meter(track.level, unicode=unicode),
            plain(level_text(track.level.peak)),
            plain(level_text(track.level.rms)),
            plain(level_text(track.level.max_peak)),
            plain(lufs_text(track.loudness.short_term)),
            plain(_reduction(track)),
            plain(str(track.frames)),
        )
        for track in status.tracks
    ]
    return fitted_table(_TRACK_COLUMNS, rows, width)


def _reduction(track: TrackStatus) -> str:
    """By how much its filters make it quieter, all together; nothing where none can."""
    return f"{sum(track.reduction_db.values()):.1f} dB" if track.reduction_db else ""


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


def _bound_to(source: SourceStatus | SourceChanged) -> str:
    return ", ".join(dict.fromkeys(map(program_name, source.programs)))


def state_words(source: SourceStatus | SourceChanged) -> str:
    """Says what a source does now, and what it is bound to."""
    words = _state_cell(source)
    if source.state in ("not_running", "no_stream"):
        words += " Its track is silence until it plays."
    bound = _bound_to(source)
    return f"{words} Bound to {bound}." if bound else words


def _state_cell(source: SourceStatus | SourceChanged) -> str:
    return "Playing." if source.state == "playing" else sentence(source.reason)


def _passing(source: SourceStatus) -> str:
    if not source.captured_frames:
        return ""
    return "bit-exact" if source.bit_exact else "resampled"
