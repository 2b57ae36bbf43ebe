# SPDX-License-Identifier: MIT
"""Tables of `ps`: names stay whole, whatever the width of the terminal."""

from __future__ import annotations

import io
import math

import pytest
from rich.cells import cell_len
from rich.console import Console

from pypac_obs.cli.ps import process_table
from pypac_obs.processes import AudioStream, ProcessAudio


def process(program: str, application: str, device: str) -> ProcessAudio:
    stream = AudioStream(
        name="",
        playing=True,
        muted=False,
        volume=1.0,
        volume_db=0.0,
        peak_db=-math.inf,
        channels=2,
        sample_rate=48_000,
        device=device,
    )
    return ProcessAudio(1234567, program, application, (stream,))


PROGRAMS = [
    process("Discord", "WEBRTC VoiceEngine", "alsa_output.pci-0000_00_1f.3.analog-stereo"),
    process("steam_app_1091500", "Cyberpunk 2077", "alsa_output.usb-SteelSeries-00.analog-stereo"),
    process("ゲーム", "ゲーム", "speakers"),
]


def shown(processes: list[ProcessAudio], width: int) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, markup=False, emoji=False)
    console.print(process_table(processes, width))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 132, 200])
def test_every_programs_name_is_whole_and_no_line_too_wide(width: int):
    lines = shown(PROGRAMS, width)
    for name in ("Discord", "steam_app_1091500", "ゲーム"):
        assert any(name in line for line in lines), lines
    assert max(map(cell_len, lines)) <= width


def test_columns_of_less_weight_go_first():
    headings = {width: shown(PROGRAMS, width)[1].split() for width in (40, 60, 80, 200)}
    assert headings[40] == ["PID", "Program", "State"]
    assert headings[60] == ["PID", "Program", "State", "Peak"]
    assert {"PID", "Program", "Application", "to", "State", "Peak"} <= set(headings[80])
    assert headings[200][-4:] == ["State", "Volume", "Mute", "Peak"]


def test_devices_are_cut_short_before_a_column_goes():
    [row] = [line for line in shown(PROGRAMS, 110) if "Discord" in line]
    assert "alsa_output.pci" in row
    assert "…" in row
    [row] = [line for line in shown(PROGRAMS, 200) if "Discord" in line]
    assert "alsa_output.pci-0000_00_1f.3.analog-stereo" in row


def test_a_name_wider_than_the_terminal_is_folded_and_not_cut():
    name = "A game with a name that is longer than any terminal is wide, or nearly so"
    lines = shown([process(name, name, "speakers")], 40)
    folded = "".join(line[1:].ljust(39) for line in lines[3:])
    assert " ".join(folded.split()) == name
    assert max(map(cell_len, lines)) <= 40


def test_in_a_pipe_a_very_long_name_makes_no_table_of_several_hundred_columns():
    lines = shown([process("t" * 200, "t" * 200, "speakers")], 200)
    assert max(map(len, lines)) <= 200
    assert "".join("".join(lines[3:]).split()).count("t") >= 200
