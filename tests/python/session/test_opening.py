# SPDX-License-Identifier: MIT
"""Outputs that open together, hang, or are disturbed by what is only a courtesy."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pypac_obs import Block, Output, Session
from pypac_obs.errors import OutputFailed
from pypac_obs.events import Warned
from pypac_obs.outputs.files import FilesOutput
from pypac_obs.outputs.output import SessionInfo
from pypac_obs.session import output_set
from pypac_obs.session.courtesies import Courtesies
from pypac_obs.session_registry import running_sessions

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


def test_a_session_that_ends_while_it_starts_is_not_left_registered(tmp_path: Path):
    opening = Opening("slow")
    session = Session(profile(base(tmp_path / "take")), outputs=[opening], duration_s=0.05)
    starting = threading.Thread(target=session.start)
    starting.start()
    until = time.monotonic() + 20
    while not opening.began_s and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(0.5)  # the engine has come to its end meanwhile
    opening.let_go.set()
    starting.join()
    assert session.wait(20)
    session.stop()
    assert running_sessions() == ()
    assert "session control" not in [thread.name for thread in threading.enumerate()]


def test_files_that_come_late_hold_silence_up_to_there_and_lose_nothing(tmp_path: Path):
    data = base(tmp_path / "take")
    flac = {"files": {"folder": str(tmp_path / "late"), "format": "flac"}}
    data["session"] = {"rings": {"output_ms": 250}}
    data["outputs"] = {"take": {"files": data["outputs"]["files"]}}
    with Session(profile(data)) as session:
        hear(session, 2 * RATE)
        data["outputs"]["late"] = flac
        session.apply(profile(data))
        came = session.position
        hear(session, RATE // 2)
    causes = {one.cause for one in session.incidents}
    assert "output_overrun" not in causes
    late, _ = soundfile.read(tmp_path / "late" / "tone.flac")
    assert len(late) == len(read(tmp_path / "take", "tone"))
    assert not late[:RATE].any()
    assert np.abs(late[came:]).max() == pytest.approx(1.0, abs=0.01)


def test_a_late_output_that_hangs_is_refused_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(output_set, "_LATE_OPEN_S", 0.2)
    let_go = threading.Event()
    with Session(profile(base(tmp_path / "take"))) as session:
        hear(session, RATE // 10)
        data = base(tmp_path / "take")
        data["outputs"] = {
            "files": data["outputs"]["files"],
            "late": {"files": {"folder": str(tmp_path / "late")}},
        }
        with monkeypatch.context() as patch:
            patch.setattr(FilesOutput, "open", lambda *_: let_go.wait())
            with pytest.raises(OutputFailed, match="late does not open"):
                session.apply(profile(data))
        let_go.set()
        hear(session, RATE // 10)
        assert session.errors == ()
    assert session.incidents == ()
    assert is_numbered(read(tmp_path / "take", "one"))
