# SPDX-License-Identifier: MIT
"""`pypac-obs doctor --report` finds out what Windows does, whatever that is."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import Windows, in_windows

PATIENCE_S = 300.0  # it measures for half a minute and starts many processes
# The programs that are captured are this one's own Python.
PROGRAM = "program python.exe content=rendered\n"

PLAYS = "Do packets come while the program plays?"
PERIOD = "How long are the packets, and what is their period?"
STAMPS = "Are the packets' stamps of the performance counter?"
ZEROS = "Do packets come while its stream is open and silent?"
CLOSED = "Do packets come while it has no stream?"
GONE = "Do packets come after it has exited?"
DEAD = "What does a capture of a dead PID give?"
GRANDCHILD = "Is a grandchild captured?"
ORPHAN = "Is it still, after its parent has ended?"
LATE = "Does a capture that is opened after that have it?"
TWO = "Do two captures of one program both get its sound?"
STOP = "How long does it take to end a capture, and is anything left?"


@dataclass
class Report:
    """What was written, and what the double saw meanwhile."""

    text: str
    answers: dict[str, str]
    output: str
    violations: list[str]

    def measured(self, question: str) -> str:
        """The numbers below a question."""
        return self.text.partition(f". {question}\n")[2].partition("\n###")[0]


def report_of(windows: Windows, script: str) -> Report:
    windows.script(script)
    file = windows.folder / "report.md"
    process = windows.start("doctor", "--report", in_windows(file))
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    text = file.read_text(encoding="utf-8")
    found = re.findall(r"^- \[x\] (.+?\?) \*\*(.+)\*\*$", text, re.MULTILINE)
    seen = windows.report()
    assert not [line for line in seen if line["event"] == "open"]
    rules = [line["rule"] for line in seen if line["event"] == "violation"]
    return Report(text, dict(found), output, rules)


def test_silence_goes_on_in_packets_and_a_second_capture_hears_none(windows: Windows) -> None:
    report = report_of(windows, PROGRAM)
    answers = report.answers
    assert re.fullmatch(r"yes: \d+ packets in [\d.]+ s, with sound", answers[PLAYS])
    assert answers[PERIOD].startswith("480 frames, every ")
    assert answers[STAMPS].startswith("yes: ")
    for question in (ZEROS, CLOSED, GONE):
        assert answers[question].endswith("with silence, flagged so")
    assert answers[DEAD] == "it opens: silence, flagged so"
    for question in (GRANDCHILD, ORPHAN, LATE):
        assert re.fullmatch(r"yes: (\d+) of \1 packets with sound", answers[question])
    assert answers[TWO] == "no: the second gets silence, flagged so"
    assert "no more handles after 5 captures" in answers[STOP]
    assert "opened: 6 of 6" in report.measured(STOP)
    assert "frames a packet, least/median/most: 480/480/480" in report.measured(PLAYS)
    # It is the double that says this of the second one, not of this program.
    assert set(report.violations) == {"one-client"}
    # The file says no more of who and where than it must, the terminal says each answer.
    for name in (getpass.getuser(), "Fake Audio", "users", str(windows.folder)):
        assert not re.search(rf"\b{re.escape(name)}\b", report.text)
    assert "| output format | good | 48000 Hz, 2 channels, 32 bits, " in report.text
    for question, answer in answers.items():
        assert f"{question}\n   {answer}\n" in report.output


def test_silence_stops_the_packets_and_captures_are_refused(windows: Windows) -> None:
    report = report_of(
        windows,
        PROGRAM + "capture * idle=nothing frames=441 second=refused\n"
        "activate pid:* result=0x80070057\n",
    )
    answers = report.answers
    assert answers[PLAYS].endswith("with sound")
    assert answers[PERIOD].startswith("441 frames, every ")
    for question in (ZEROS, CLOSED, GONE):
        assert answers[question] == "no: the capture is open, and no packet comes"
    assert answers[DEAD].startswith(
        "it is refused: the capture cannot be activated (0x80070057, Windows build "
    )
    assert answers[TWO].startswith(
        "no: the second is refused: the capture cannot be started (0x8889000A, Windows build "
    )
    assert "no packet in 2." in report.measured(GONE)


def test_silence_is_zeros_and_stamps_are_of_another_clock(windows: Windows) -> None:
    report = report_of(
        windows,
        PROGRAM + "capture * idle=zeros second=heard\n"
        "packets * from=0 count=1000000 what=shift ms=-800\n"
        "packets * from=5 every=10 what=discontinuity\n",
    )
    answers = report.answers
    least = re.match(r"no: they are ([\d.]+)/", answers[STAMPS])
    assert least is not None, answers[STAMPS]
    assert 800 < float(least[1]) < 5000  # and what a busy machine adds
    for question in (ZEROS, CLOSED, GONE):
        assert answers[question].endswith("with zeros, not flagged as silence")
    assert answers[DEAD] == "it opens: zeros, not flagged as silence"
    assert answers[TWO] == "yes"
    assert re.search(r"discontinuities: [1-9]", report.measured(PLAYS))
    assert report.violations == []


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            "endpoint {mic} flow=capture default=yes\n",
            "not found out: the program to be captured: there is no default output (0x80070490, ",
        ),
        (
            PROGRAM + "activate python.exe result=0x80070005\n",
            "no: failed: the capture cannot be activated (0x80070005, ",
        ),
    ],
    ids=["nothing-to-play-to", "nothing-to-be-captured"],
)
def test_what_fails_is_an_answer(windows: Windows, script: str, why: str) -> None:
    report = report_of(windows, script)
    assert report.answers[PLAYS].startswith(why)
    assert len(report.answers) == 12


def test_an_audio_service_that_hangs_is_not_measured(windows: Windows) -> None:
    windows.script(
        "fail * method=IMMDeviceEnumerator::EnumAudioEndpoints times=forever delay_ms=600000\n"
    )
    file = windows.folder / "report.md"
    done = windows.call("doctor", "--report", in_windows(file))
    assert done.returncode == 3
    said = (
        "Not measured: Windows' audio service does not answer (no reply yet, Windows build 22631)."
    )
    assert said in file.read_text()


def test_a_file_that_is_there_is_left_alone(windows: Windows) -> None:
    file: Path = windows.folder / "report.md"
    file.write_text("mine")
    refused = windows.call("doctor", "--report", in_windows(file))
    assert refused.returncode == 2
    assert "is there already" in refused.stdout
    assert file.read_text() == "mine"
