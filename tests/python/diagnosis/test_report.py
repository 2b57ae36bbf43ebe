# SPDX-License-Identifier: MIT
"""The report of `doctor`: what it says of packets, what it keeps to itself, where it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pypac_obs.cli import commands
from pypac_obs.diagnosis.loopback_packets import Spread, measure
from pypac_obs.diagnosis.loopback_questions import Answer
from pypac_obs.diagnosis.report import Line, report_text, without_names

MS = 1_000_000


@dataclass
class Packet:
    """A packet of 10 ms, handed over 12 ms after its first frame was heard."""

    number: int
    frames: int = 480
    peak: float = 0.01
    silent: bool = False
    discontinuity: bool = False
    timestamp_error: bool = False
    late_ms: int = 12

    @property
    def stamp_ns(self) -> int:
        return 10**9 + self.number * 10 * MS

    @property
    def received_ns(self) -> int:
        return self.stamp_ns + self.late_ms * MS


def call(*args: object) -> Result:
    return CliRunner().invoke(commands, [str(arg) for arg in args])


@pytest.fixture
def no_audio_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own to be in, and no PipeWire to be found."""
    monkeypatch.setenv("PIPEWIRE_REMOTE", str(tmp_path / "no-such-socket"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/no-such-socket")
    monkeypatch.setattr("pypac_obs.cli.doctor.ask_all", lambda _: None)  # Windows', half a minute
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_packets_are_measured():
    packets = [Packet(number) for number in range(100)]
    packets[20].late_ms = 15
    found = measure(packets, 1.0)
    assert (found.count, found.frames, found.loud) == (100, 48000, 100)
    assert found.lengths == Spread(480, 480, 480)
    assert found.period_ms == Spread(7.0, 10.0, 13.0)
    assert found.age_ms == Spread(12.0, 12.0, 15.0)
    assert found.stamp_step_us == Spread(0.0, 0.0, 0.0)
    assert found.sound == "sound"


def test_silence_is_told_from_zeros():
    silent = Packet(0, peak=0, silent=True)
    zeros = Packet(1, peak=0)
    assert measure([silent], 1.0).sound == "silence, flagged so"
    assert measure([zeros], 1.0).sound == "zeros, not flagged as silence"
    both = measure([silent, zeros], 1.0)
    assert (both.silent, both.zeros, both.loud) == (1, 1, 0)
    assert both.sound == "silence, only some of it flagged so"


def test_a_gap_in_the_stamps_is_measured():
    steps = measure([Packet(0), Packet(1), Packet(4, discontinuity=True)], 1.0)
    assert steps.stamp_step_us == Spread(0.0, 0.0, 20_000.0)
    assert steps.discontinuities == 1


def test_stamps_that_windows_calls_wrong_are_left_out():
    packets = [Packet(0), Packet(1, timestamp_error=True, late_ms=900), Packet(2)]
    found = measure(packets, 1.0)
    assert found.age_ms == Spread(12.0, 12.0, 12.0)
    assert found.timestamp_errors == 1


def test_no_packet_is_a_measurement():
    found = measure([], 2.0)
    assert found.lines() == ["no packet in 2.00 s"]
    assert found.sound == "no packets"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (r"C:\Users\Anna\Recordings: 10 GB free", r"~\Recordings: 10 GB free"),
        ("c:/users/anna/x", "~/x"),
        ("Anna's microphone on PC-7", "USER's microphone on COMPUTER"),
        ("Annabelle", "Annabelle"),
        ("bluez_output.AA_BB_CC_00_11_22.1", "bluez_output.ADDRESS.1"),
    ],
)
def test_names_are_left_out(said: str, written: str):
    assert without_names(said, r"C:\Users\anna", "anna", "pc-7") == written


def test_each_answer_stands_in_the_list_and_with_its_numbers():
    answers = [Answer("Is it so?", "Looked.", "yes", ["1 packet", "2 frames"])]
    text = report_text([Line("a|b", "good", "1\n2")], answers, "")
    assert "| a\\|b | good | 1 2 |" in text
    assert "- [x] Is it so? **yes**" in text
    assert text.endswith("### 1. Is it so?\n\nLooked. **yes**\n\n- 1 packet\n- 2 frames\n")


@pytest.mark.linux("Windows' is in tests/windows")
def test_on_linux_the_report_tells_of_the_system(no_audio_system: Path):
    result = call("doctor", "--report")
    assert result.exit_code == 3
    text = (no_audio_system / "pypac-obs-report.md").read_text(encoding="utf-8")
    assert re.search(r"^\| PipeWire daemon \| missing \| PipeWire is not running", text, re.M)
    assert "Not measured: the open questions are those of Windows' process loopback." in text
    assert str(Path.home()) not in text
    assert "Written to pypac-obs-report.md" in result.stdout


def test_a_report_never_takes_the_place_of_a_file(no_audio_system: Path):
    mine = no_audio_system / "mine.md"
    mine.write_text("mine")
    result = call("doctor", "--report", mine)
    assert result.exit_code == 2
    assert "mine.md is there already, and is left as it is" in result.stderr
    assert mine.read_text() == "mine"
    for _ in range(2):
        call("doctor", "--report")
    names = sorted(path.name for path in no_audio_system.glob("pypac-obs-report*"))
    assert names == ["pypac-obs-report-2.md", "pypac-obs-report.md"]


def test_a_report_that_cannot_be_written_is_refused_at_once(no_audio_system: Path):
    result = call("doctor", "--report", no_audio_system / "none" / "report.md")
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stderr
    assert result.stdout == ""


def test_a_report_is_not_json(no_audio_system: Path):
    result = call("doctor", "--json", "--report", "x.md")
    assert result.exit_code == 2
    assert "--json and --report cannot be given together" in result.stderr
    assert not (no_audio_system / "x.md").exists()


def test_a_report_that_is_broken_off_leaves_no_file(
    no_audio_system: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken_off() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pypac_obs.cli.doctor.examine", broken_off)
    assert call("doctor", "--report").exit_code == 1
    assert list(no_audio_system.glob("*.md")) == []
