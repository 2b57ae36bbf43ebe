# SPDX-License-Identifier: MIT
"""A session's events in its log."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from pypac_obs import log
from pypac_obs.events import (
    Event,
    EventBus,
    IncidentNoted,
    Marked,
    NewsTold,
    OutputChanged,
    ProfileApplied,
    ProfileRefused,
    SessionEnding,
    SourceChanged,
    ValuesChanged,
    Warned,
)
from pypac_obs.incidents import Incident
from pypac_obs.log import LOGGER
from pypac_obs.session.binding_notes import binding_notes
from pypac_obs.session.log_events import EventLog
from pypac_obs.status import BoundProgram

GAME = "game.exe" if sys.platform == "win32" else "game"


@pytest.fixture(autouse=True)
def _nothing_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_private", set())
    monkeypatch.setattr(log, "_pattern", None)


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {log.without_secrets(record.getMessage())}")


def logged(*events: Event, clock: Any = None) -> list[str]:
    """What is logged of these events, at the level debug."""
    lines, bus, before = Lines(), EventBus(), LOGGER.level
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.addHandler(lines)
    try:
        with EventLog(bus, 48000, **({"clock": clock} if clock else {})):
            for event in events:
                bus.publish(event)
    finally:
        LOGGER.removeHandler(lines)
        LOGGER.setLevel(before)
    return lines.lines


def test_each_kind_of_event_is_a_line() -> None:
    program = BoundProgram(7, GAME, "Chat with Ann - Browser")
    assert logged(
        SourceChanged("game", "playing", "it plays", (program,)),
        OutputChanged("files", "", ""),
        OutputChanged("files", "", "the disk is full"),
        ProfileApplied(("+ track voice",), "file", 2),
        ProfileRefused(("a.yaml:1:1: expected a track",), "file"),
        ValuesChanged({"voice.gain_db": -6.0}, "live", "http", 3),
        Warned("the disk is slow"),
        NewsTold("OBS has come"),
        Marked(48000, datetime(2026, 1, 1, tzinfo=UTC), "my secret plan", in_file=True),
        IncidentNoted(Incident("stalled", "game", None, ("game",), 0, 480)),
        IncidentNoted(Incident("disk_full", None, "files", ("game",), 480, 0)),
        SessionEnding(),
    ) == [
        f"INFO source game is playing: it plays [{GAME} (PID 7)]",
        "INFO output files: it works",
        "ERROR output files: the disk is full",
        "INFO profile applied by file: + track voice",
        "WARNING profile refused to file: a.yaml:1:1: expected a track",
        "DEBUG live values by http: voice.gain_db=-6.0",
        "WARNING the disk is slow",
        "INFO OBS has come",
        "INFO marked at 0:01.000",
        "INFO incident: game gave nothing from 0:00.000 to 0:00.010: it was frozen, the machine "
        "was overloaded, or the system refused the capture",
        "WARNING incident: the output files stopped at 0:00.010: the disk is full",
        "INFO the session ends",
    ]


def test_a_flood_of_incidents_is_counted() -> None:
    now = [0.0] * 500 + [11.0] * 10
    flood = [IncidentNoted(Incident("late", "a", None, ("a",), n, 1)) for n in range(501)]
    lines = logged(*flood, clock=lambda: now.pop(0))
    assert sum("incident: " in line for line in lines) == 21
    assert "INFO 480 more incidents within 10 s, which ledger.jsonl has" in lines


def test_an_event_that_cannot_be_logged_ends_nothing() -> None:
    broken = IncidentNoted(None)  # type: ignore[arg-type]
    lines = logged(broken, NewsTold("on it goes"))
    assert lines == ["ERROR an event could not be logged: incident", "INFO on it goes"]


def test_the_title_of_a_window_is_in_the_warning_and_not_in_the_log() -> None:
    stream: Any = SimpleNamespace(
        serial=1, pid=7, program=GAME, claim="Chat with Ann", ancestor="", state="running"
    )
    status: Any = SimpleNamespace(streams=[stream], left_out=[])
    rule: Any = SimpleNamespace()
    [note] = binding_notes({"chat": status}, {"chat": rule})
    assert "Chat with Ann" in note
    [line] = logged(Warned(note))
    assert "Ann" not in line
    assert f"takes {GAME} (PID 7)" in line
