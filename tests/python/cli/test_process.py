# SPDX-License-Identifier: MIT
"""The program as a process: signals, closed pipes, terminals."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

pytestmark = pytest.mark.linux("signals and terminals are POSIX's; see tests/windows")

FRAMES = 10_000
PROGRAM = [sys.executable, "-Im", "pypac_obs.cli"]


def profile(folder: Path) -> Path:
    path = folder / "computed.yaml"
    path.write_text(
        "version: 1\nsources:\n  tone: {synthetic: {kind: tone}}\ntracks:\n  tone: {from: tone}\n"
        f"outputs:\n  files: {{folder: '{folder}/out'}}\n",
        encoding="utf-8",
    )
    return path


def start(*args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def wait_until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_sound(folder: Path) -> None:
    """Waits until there is so much of the run's track, of two channels, in its file."""
    path = folder / "out" / "tone.wav"
    wait_until(lambda: path.exists() and path.stat().st_size > FRAMES * 2 * 4)


def manifest(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "out" / "session.json").read_text())
    return read


def assert_whole_recording(folder: Path, frames: int) -> None:
    """The tone is in the file from its first frame to its last, and the manifest says so."""
    audio, rate = soundfile.read(folder / "out" / "tone.wav")
    assert (len(audio), rate) == (frames, 48_000)
    assert abs(audio[frames // 2 :]).max() > 0.01
    assert not (abs(audio).max(axis=1).reshape(-1, 480).max(axis=1) == 0)[1:].any()
    assert (manifest(folder)["state"], manifest(folder)["frames"]) == ("complete", frames)


def fill(pipe: int) -> None:
    """Writes until the pipe takes no more."""
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, bytes(4096))
    os.set_blocking(pipe, True)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_ends_a_run_cleanly_with_the_summary(tmp_path: Path, name: str):
    process = start("run", profile(tmp_path), "--json")
    wait_for_line(process)
    wait_for_sound(tmp_path)
    process.send_signal(signal.Signals[name])
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    summary = json.loads(out.splitlines()[-1])["summary"]
    assert summary["frames"] > FRAMES
    assert soundfile.info(tmp_path / "out" / "tone.wav").frames == summary["frames"]
    assert manifest(tmp_path)["state"] == "complete"


def test_a_signal_that_comes_twice_at_once_counts_as_one(tmp_path: Path):
    process = start("run", profile(tmp_path), "--json")
    wait_for_line(process)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "summary" in out


def test_a_second_signal_aborts_at_once_and_leaves_readable_files(tmp_path: Path):
    # A reader that takes nothing blocks the program in its last words.
    read, write = os.pipe()
    process = subprocess.Popen(
        [*PROGRAM, "run", str(profile(tmp_path))], stdout=write, stderr=subprocess.PIPE, text=True
    )
    try:
        os.read(read, 1)
        wait_for_sound(tmp_path)
        fill(write)
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: manifest(tmp_path)["state"] == "complete")
        time.sleep(0.3)  # and no longer does anything
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        os.close(read)
        os.close(write)
    assert process.returncode == 1
    assert err == "Aborted: the files hold what had been written by now.\n"
    assert soundfile.info(tmp_path / "out" / "tone.wav").frames > FRAMES


@pytest.mark.parametrize("args", [["schema"], ["--help"], ["check", "PROFILE"]])
def test_a_closed_pipe_ends_a_command_that_only_tells_something_without_a_word(
    tmp_path: Path, args: list[str]
):
    args = [str(profile(tmp_path)) if arg == "PROFILE" else arg for arg in args]
    with start(*args) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.parametrize("args", [[], ["--json"]])
def test_a_recording_outlives_whoever_read_its_words(tmp_path: Path, args: list[str]):
    with start("run", profile(tmp_path), "--duration", "1.5", *args) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 0
    assert said == ("Standard output takes no more text (Broken pipe). The recording goes on.\n")
    assert_whole_recording(tmp_path, 72_000)


def test_a_recording_outlives_a_full_disk_under_its_log(tmp_path: Path):
    warned = profile(tmp_path)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, "run", str(warned), "--duration", "1"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0
    assert done.stderr == (
        "Standard output takes no more text (No space left on device). The recording goes on.\n"
    )
    assert_whole_recording(tmp_path, 48_000)


def test_a_recording_outlives_both_of_its_streams(tmp_path: Path):
    # A warning has to be said before it begins: there is a source that no track uses.
    path = profile(tmp_path)
    path.write_text(
        path.read_text().replace("tracks:", "  other: {synthetic: {kind: tone}}\ntracks:")
    )
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, "run", str(path), "--duration", "1"],
            stdout=full,
            stderr=full,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0
    assert_whole_recording(tmp_path, 48_000)


def test_a_reader_that_takes_nothing_holds_up_no_end(tmp_path: Path):
    read, write = os.pipe()
    fill(write)
    process = subprocess.Popen(
        [*PROGRAM, "run", str(profile(tmp_path)), "--json"], stdout=write, stderr=subprocess.PIPE
    )
    try:
        wait_for_sound(tmp_path)
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: manifest(tmp_path)["state"] == "complete")
        os.close(write)
        said = b""
        while data := os.read(read, 65536):  # at last
            said += data
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(read)
    assert "summary" in json.loads(said.lstrip(b"\0").splitlines()[-1])


UNDECODED = "caf\udce9"  # the byte 0xE9


def test_paths_and_a_profile_whose_names_are_no_utf_8_are_taken(tmp_path: Path):
    folder = tmp_path / UNDECODED
    folder.mkdir()
    path = folder / f"{UNDECODED}.yaml"
    path.write_text(
        "version: 1\nsources: {t: {synthetic: {kind: tone}}}\ntracks: {t: {from: t}}\n"
        "outputs: {files: {folder: '$OUT/{profile}'}}\n"
    )
    env = os.environ | {"OUT": str(folder / "out")}

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, *map(str, args)]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=30, check=False
        )

    assert run("check", path).returncode == 0
    done = run("run", path, "--duration", "0.5")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^ *t .* 24000 +t\.wav *$", done.stdout, re.MULTILINE)
    written = folder / "out" / "caf\ufffd"
    with (written / "t.wav").open("rb") as file:
        assert soundfile.info(file).frames == 24_000
    assert json.loads((written / "session.json").read_text())["session"] == "caf\ufffd"
    summary = json.loads(run("run", path, "--duration", "0.2", "--json").stdout.splitlines()[-1])
    assert Path(summary["summary"]["files"][0]["path"]).exists()
    missing = run("run", folder / "none.yaml")
    assert missing.returncode == 2
    assert "expected a file, found no file of this name" in missing.stderr


def test_a_working_folder_that_is_deleted_is_said(tmp_path: Path):
    path = profile(tmp_path)
    path.write_text(path.read_text().replace(f"{tmp_path}/out", "out"))
    gone = tmp_path / "gone"

    def run(*args: str) -> tuple[int, str]:
        gone.mkdir()
        command = shlex.join([*PROGRAM, *args])
        done = subprocess.run(
            ["bash", "-c", f"cd {shlex.quote(str(gone))}; rmdir {gone}; exec {command}"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stderr

    deleted = (
        "Error: out is to be in the working folder, which is deleted.\n"
        "Change to another folder (cd), or write the whole path.\n"
    )
    assert run("check", str(path)) == (1, deleted)
    assert run("run", str(path), "--duration", "0.2") == (1, deleted)
    code, said = run("check", "computed.yaml")
    assert code == 2
    assert "found none, because the working folder is deleted" in said
    path.write_text(path.read_text().replace("'out'", f"'{tmp_path}/out'"))
    assert run("run", str(path), "--duration", "0.2") == (0, "")


def test_a_folder_that_is_renamed_while_recording_is_in_the_summary(tmp_path: Path):
    process = start("run", profile(tmp_path), "--json")
    wait_for_line(process)
    wait_for_sound(tmp_path)
    (tmp_path / "out").rename(tmp_path / "moved")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    (file,) = json.loads(out.splitlines()[-1])["summary"]["files"]
    assert file["path"] == str(tmp_path / "moved" / "tone.wav")
    assert file["frames"] == soundfile.info(file["path"]).frames > FRAMES
    state = json.loads((tmp_path / "moved" / "session.json").read_text())
    assert (state["state"], state["frames"]) == ("complete", file["frames"])
    assert not (tmp_path / "out").exists()


def test_a_deleted_file_ends_a_run_with_1_and_is_in_the_summary(tmp_path: Path):
    path = profile(tmp_path)
    path.write_text(path.read_text().replace("tracks:", "tracks:\n  two: {from: tone}"))
    process = start("run", path)
    wait_for_line(process)
    wait_for_sound(tmp_path)
    (tmp_path / "out" / "two.wav").unlink()
    while "keeps nothing of two: somebody deleted" not in (said := wait_for_line(process)):
        assert said  # else it has ended
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "Error: files: two.wav was deleted or replaced while recording." in err
    assert re.search(r"^ *two .* 0 +two\.wav was deleted *$", out, re.MULTILINE)
    assert re.search(r"^ *tone .* [1-9]\d+ +tone\.wav *$", out, re.MULTILINE)


def test_the_exit_code_tells_a_wrong_profile_where_nobody_reads_why(tmp_path: Path):
    with open("/dev/full", "wb") as full:
        wrong = [*PROGRAM, "check", str(tmp_path / "none.yaml")]
        assert (
            subprocess.run(wrong, stdout=full, stderr=full, timeout=30, check=False).returncode == 2
        )


def test_a_run_whose_only_output_fails_ends_with_1_and_says_why(tmp_path: Path):
    command = f"ulimit -f 200; exec {shlex.join(PROGRAM)} run {shlex.quote(str(profile(tmp_path)))}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert "files: a file in" in done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"^  the output files stopped at 0:00\.\d+", done.stdout, re.MULTILINE)
    assert soundfile.info(tmp_path / "out" / "tone.wav").frames > 10_000


def test_a_terminal_gets_a_live_table_and_then_the_summary(tmp_path: Path):
    main, terminal = os.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    command = [*PROGRAM, "run", str(profile(tmp_path)), "--duration", "1.2"]
    began_s = time.monotonic()
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, env=env) as process:
        os.close(terminal)
        output = b""
        try:
            while data := os.read(main, 65536):
                output += data
        except OSError:  # Linux's way to say that the terminal was closed
            pass
    os.close(main)
    text = output.decode()
    assert process.returncode == 0
    assert "\x1b[" in text
    # Five times a second, for as long as it took.
    assert 3 <= text.count("Ctrl-C ends it.") <= 5 * (time.monotonic() - began_s) + 2
    assert "█" in text
    assert "bit-exact" in text
    assert text.index("57600 frames a track") > text.rindex("Ctrl-C ends it.")
