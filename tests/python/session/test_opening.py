# SPDX-License-Identifier: MIT
"""Outputs that open together, hang, or are disturbed by what is only a courtesy."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pypac_obs import Block, Output, Session
from pypac_obs.events import Warned
from pypac_obs.outputs.output import SessionInfo
from pypac_obs.session import output_set
from pypac_obs.session.courtesies import Courtesies

from .synthetic import RATE, base, hear, is_numbered, profile, read


class Opening(Output):
    """Waits in `open` until it is let go on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.let_go = threading.Event()
        self.began_s = 0.0
        self.aborted = threading.Event()
        self.blocks: list[int] = []

    def open(self, info: SessionInfo) -> None:
        self.began_s = time.monotonic()
        self.let_go.wait()

    def write(self, block: Block) -> None:
        self.blocks.append(block.start)

    def close(self, end: int) -> None:
        pass

    def abort(self) -> None:
        self.aborted.set()


def test_outputs_open_at_the_same_time(tmp_path: Path):
    one, other = Opening("one"), Opening("other")
    session = Session(profile(base(tmp_path / "take")), outputs=[one, other])
    starting = threading.Thread(target=session.start)
    starting.start()
    until = time.monotonic() + 20
    while not (one.began_s and other.began_s) and time.monotonic() < until:
        time.sleep(0.005)
    assert one.began_s
    assert other.began_s
    for output in (one, other):
        output.let_go.set()
    starting.join()
    hear(session, RATE // 4)
    session.stop()
    # The rings have kept what came in while they were opening.
    assert one.blocks[0] == other.blocks[0] == 0
    assert session.errors == ()


def test_an_output_that_hangs_in_open_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(output_set, "_OPEN_S", 0.2)
    hanging = Opening("network drive")
    session = Session(profile(base(tmp_path / "take")), outputs=[hanging])
    session.start()
    hear(session, RATE // 4)
    [error] = session.errors
    assert "network drive does not open" in str(error)
    hanging.let_go.set()
    assert hanging.aborted.wait(20)  # what it opened late is put away
    session.stop()
    assert hanging.blocks == []
    assert is_numbered(read(tmp_path / "take", "one"))
    [incident] = session.incidents
    assert incident.output == "network drive"


def test_a_fault_in_a_courtesy_ends_nothing_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    looks = threading.Semaphore(0)

    def fails(self: Courtesies) -> None:
        looks.release()
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Courtesies, "look", fails)
    with Session(profile(base(tmp_path / "take"))) as session:
        with session.events.subscribe(kinds={Warned.kind}) as warnings:
            warned = warnings.get(timeout_s=20)
        assert looks.acquire(timeout=20)
        assert looks.acquire(timeout=20)  # and it is tried again
        hear(session, RATE // 4)
        assert session.running
    assert isinstance(warned, Warned)
    assert "ZeroDivisionError: a bug" in warned.text
    assert is_numbered(read(tmp_path / "take", "one"))
