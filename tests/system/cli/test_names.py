# SPDX-License-Identifier: MIT
"""The names that programs and devices have, given back to the product as a user copies them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import termios

import pytest
import soundfile
import yaml

from ..conftest import PROGRAM, RATE, level_db, own, wait_until, wait_until_playing

pytestmark = pytest.mark.pipewire

NAMES = (
    "Game [Demo]",
    "[A]*",
    "[!a-z]",
    "1942",
    "a+b^c$",
    "x{1}",
    "back\\slash",
    "what?",
    "Ünïcödé 日本",
    "ゲーム\u3000タイトル",
    "PipeWire ALSA [aplay]",
)


def profile_of(sources: dict[str, object], folder: object) -> str:
    data = {
        "version": 1,
        "sources": sources,
        "tracks": {name: {"from": name} for name in sources},
        "outputs": {"files": {"folder": str(folder)}},
    }
    return yaml.safe_dump(data, allow_unicode=True)


def test_the_name_that_ps_shows_selects_that_program_and_no_other(sandbox, call, tmp_path):
    players = {name: sandbox.play_tone(name, 440.0) for name in NAMES}

    def shown() -> dict[int, str]:
        return {one["pid"]: one["program"] for one in json.loads(call("ps", "--json").stdout)}

    wait_until(lambda: len(shown()) == len(players))
    assert shown() == {player.pid: name for name, player in players.items()}
    profile = tmp_path / "p.yaml"
    sources = {f"s{i}": {"process": name} for i, name in enumerate(shown().values())}
    profile.write_text(profile_of(sources, tmp_path / "out"), encoding="utf-8")
    plan = json.loads(call("check", profile, "--json").stdout)
    bound = {
        one["rule"].removeprefix("process "): [binding["pid"] for binding in one["bindings"]]
        for one in plan["sources"]
    }
    # Of these, two are patterns besides.
    assert bound == {name: [player.pid] for name, player in players.items()}


def test_a_number_in_quotes_is_a_name_and_a_bare_one_a_pid(sandbox, call, tmp_path):
    named = sandbox.play_tone("1942", 440.0)
    other = sandbox.play_tone("other", 1000.0)
    wait_until_playing(sandbox, "1942", "other")
    profile = tmp_path / "p.yaml"
    sources = {"name": {"process": "1942"}, "pid": {"process": other.pid}}
    sources["rest"] = {"everything_except": [{"process": "1942"}]}
    profile.write_text(profile_of(sources, tmp_path / "out"))
    done = call("run", profile, "--duration", "1")
    assert done.returncode == 0, done.stderr
    assert named.pid != other.pid

    def level(track: str, frequency: float) -> float:
        samples, _ = soundfile.read(tmp_path / "out" / f"{track}.wav")
        return level_db(samples[RATE // 2 :, 0], frequency)

    # Which program is where, also on a busy machine, whose programs have gaps.
    assert level("name", 440) > -36 > -60 > level("name", 1000)
    assert level("pid", 1000) > -36 > -60 > level("pid", 440)
    assert level("rest", 1000) > -36 > -60 > level("rest", 440)


def test_record_finds_programs_of_any_script_and_names_the_files_after_them(
    sandbox, call, tmp_path
):
    tones = {"музыка": 440.0, "音声": 600.0, "Game [Demo]": 800.0, "Café": 1000.0}
    for name, frequency in tones.items():
        sandbox.play_tone(name, frequency)
    wait_until(lambda: len(json.loads(call("ps", "--json").stdout)) == len(tones))
    asked = ("МУЗЫКА", "音?", "game [demo]", "CAFE\u0301")
    done = call("record", *asked, "--duration", "1", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    stems = {path.stem for path in (tmp_path / "out").glob("*.wav")}
    assert stems == {"МУЗЫКА", "音", "game [demo]", "CAFÉ"}
    for stem, its in zip(("МУЗЫКА", "音", "game [demo]", "CAFÉ"), tones.values(), strict=True):
        samples, _ = soundfile.read(tmp_path / "out" / f"{stem}.wav")
        for frequency in tones.values():
            level = level_db(samples[RATE // 2 :, 0], frequency)
            assert level == pytest.approx(-12, abs=0.1) if frequency == its else level < -100


def test_a_track_of_any_script_is_a_file_of_that_name(sandbox, call, tmp_path):
    name = "音声 🎮 میخ"
    profile = tmp_path / "профиль.yaml"
    profile.write_text(
        f"version: 1\nsources: {{{name}: {{synthetic: {{kind: tone}}}}}}\n"
        f"tracks: {{{name}: {{from: {name}}}}}\n"
        f"outputs: {{files: {{folder: '{tmp_path}/{{profile}}', name: '{{track}} 1'}}}}\n",
        encoding="utf-8",
    )
    done = call("run", profile, "--duration", "0.5")
    assert done.returncode == 0, done.stderr
    samples, _ = soundfile.read(tmp_path / "профиль" / f"{name} 1.wav")
    assert level_db(samples[:, 0], 440) == pytest.approx(-12, abs=0.1)
    manifest = json.loads((tmp_path / "профиль" / "session.json").read_text(encoding="utf-8"))
    assert [track["name"] for track in manifest["tracks"]] == [name]


def test_check_says_what_was_meant_by_a_name_that_nothing_has(sandbox, call, tmp_path):
    discord, quoted = own("Discord"), own('"Quoted"')
    player = sandbox.play_tone(discord, 440.0)
    sandbox.play_tone(quoted, 440.0)
    wait_until(lambda: len(json.loads(call("ps", "--json").stdout)) == 2)
    profile = tmp_path / "p.yaml"
    wrong = discord.replace("cord", "crod")
    sources = {"a": {"process": wrong}, "b": {"process": f"/usr/bin/{discord}"}}
    sources["c"] = {"process": quoted}
    profile.write_text(profile_of(sources, tmp_path / "out"))
    meant = f'The source "a": nothing here is called "{wrong}". Did you mean "{discord}"?'
    path = (
        f'The source "b": "/usr/bin/{discord}" is a path (programs are found by the names of their '
        f'files), so it matches nothing. Write "{discord}".'
    )

    def warnings() -> list[str]:
        return json.loads(call("check", profile, "--json").stdout)["warnings"]

    assert [one for one in warnings() if one.startswith("The source")] == [path, meant]
    player.kill()
    wait_until(lambda: len(json.loads(call("ps", "--json").stdout)) == 1)
    # It was seen before.
    assert meant in warnings()
    sandbox.play_tone(discord, 440.0)
    wait_until(lambda: len(json.loads(call("ps", "--json").stdout)) == 2)
    done = call("record", wrong, "--duration", "2.5", "--out", tmp_path / "out")
    hint = f'nothing here is called "{wrong}". Did you mean "{discord}"?'
    assert [line for line in done.stdout.splitlines() if hint in line]
    done = call("record", f"{discord} ", "--duration", "0.3", "--out", tmp_path / "out")
    assert f'has a blank at its end or beginning, so it matches nothing. Write "{discord}".' in (
        done.stderr
    )


def test_in_a_terminal_of_60_or_80_columns_ps_shows_names_whole(sandbox, call):
    names = ("Discord", "steam_app_1091500", "firefox-esr")
    for name in names:
        sandbox.play_tone(name, 440.0)
    wait_until(lambda: len(json.loads(call("ps", "--json").stdout)) == len(names))
    for columns in (60, 80):
        lines = in_terminal(sandbox, columns, "ps")
        assert all(any(name in line for line in lines) for name in names), lines
        assert [line for line in lines if len(line) > columns] == []


def in_terminal(sandbox, columns: int, *args: str) -> list[str]:
    """What a command shows in a terminal of that width, without colours."""
    env = sandbox.env | {"TERM": "xterm-256color"}
    env.pop("COLUMNS", None)  # pytest-xdist sets it, and it counts more than the terminal
    pid, terminal = pty.fork()
    if pid == 0:
        # Before anything is shown, so the program never sees another width.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execve(PROGRAM[0], [*PROGRAM, *args], env)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the program has ended
        while data := os.read(terminal, 65536):
            shown += data
    os.close(terminal)
    os.waitpid(pid, 0)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).splitlines()
