# SPDX-License-Identifier: MIT
"""Disks that fill up and folders that go away, during runs on real programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from pypac_obs import Session
from pypac_obs.outputs import FilesOutput
from pypac_obs.profile import FilesRule
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import PROGRAM, RATE, Start, hear, require, wait_until, wait_until_playing
from .conftest import Tape, breaks, ledger, manifest, profile, read

pytestmark = pytest.mark.pipewire

Play = Callable[..., Player]

PROFILE = """
version: 1
sources: {{game: {{process: game}}, discord: {{process: discord}}}}
tracks: {{game: {{from: game}}, discord: {{from: discord}}}}
outputs: {{files: {{folder: '{folder}', format: {kind}}}}}
"""


@pytest.fixture(autouse=True)
def _playing(play: Play, sandbox: Sandbox) -> None:
    play("game", "--tone", "440")
    play("discord", "--tone", "1000")
    wait_until_playing(sandbox, "game", "discord")


def namespace(*options: str) -> list[str]:
    """What runs a program in a mount namespace of its own."""
    command = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    there = shutil.which("unshare") is not None
    there = there and subprocess.run([*command, "true"], capture_output=True).returncode == 0
    require(there, "mount namespaces are not allowed here")
    return [*command, *options]


def write_profile(folder: Path, path: Path, kind: str = "wav") -> Path:
    path.write_text(PROFILE.format(folder=folder, kind=kind))
    return path


def assert_readable(folder: Path, kind: str = "wav") -> int:
    """Both files open, are of one length, and hold their tones; gives the length."""
    paths = [folder / f"{name}.{kind}" for name in ("game", "discord")]
    game, discord = (read(path) for path in paths)
    assert len(game) == len(discord)
    assert breaks(game[:, 0], 440.0).size == breaks(discord[:, 0], 1000.0).size == 0
    assert abs(game).max() > 0.25
    assert abs(discord).max() > 0.25
    for path in paths:
        if shutil.which("soxi"):
            frames = subprocess.run(["soxi", "-s", path], capture_output=True, check=True).stdout
            assert int(frames) == len(game)
    return len(game)


@pytest.mark.parametrize(("kind", "room"), [("wav", 1_000_000), ("flac", 200_000)])
def test_a_run_whose_disk_fills_up_ends_with_1_and_keeps_its_files(
    sandbox: Sandbox, tmp_path: Path, kind: str, room: int
) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    write_profile(disk / "out", tmp_path / "p.yaml", kind)
    script = (
        f'mount -t tmpfs -o size={room} none "$1" || exit 99; shift; kept=$1; shift; '
        '"$@"; code=$?; cp -r "$0" "$kept"; exit $code'
    )
    command = [*PROGRAM, "run", str(tmp_path / "p.yaml"), "--duration", "10"]
    done = subprocess.run(
        [*namespace("sh", "-c", script), str(disk / "out"), str(disk), str(kept), *command],
        env=sandbox.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "the disk is full: " in done.stderr
    assert f"in {disk / 'out'}\n" in done.stderr.replace(".\n", "\n")
    assert "Make room, or choose another folder in the profile." in done.stderr
    assert "the output files stopped at 0:0" in done.stdout.lower()
    assert sorted(path.name for path in kept.iterdir()) == sorted(
        [f"game.{kind}", f"discord.{kind}", "ledger.jsonl", "session.json", "session.log"]
    )
    frames = assert_readable(kept, kind)
    # Of what there was room for, no more than two blocks of a quarter of a second are gone.
    used = sum((kept / f"{name}.{kind}").stat().st_size for name in ("game", "discord"))
    assert used * (frames + RATE * 0.75) / frames > 0.9 * room
    [line] = ledger(kept)
    assert (line["cause"], line["output"], line["begin"]) == ("disk_full", "files", frames)
    assert (manifest(kept)["state"], manifest(kept)["frames"]) == ("failed", frames)


def test_a_run_whose_files_may_not_grow_ends_with_1_and_keeps_them(
    start: Start, tmp_path: Path
) -> None:
    require(shutil.which("prlimit") is not None, "prlimit is not installed")
    folder = tmp_path / "out"
    run = start(
        "run",
        write_profile(folder, tmp_path / "p.yaml"),
        *("--duration", "10"),
        prefix=("prlimit", "--fsize=500000"),
    )
    _, err = run.communicate(timeout=20)
    assert run.returncode == 1
    assert f"a file in {folder} cannot grow any further" in err
    assert "ulimit -f" in err
    frames = assert_readable(folder)
    assert 500_000 / 8 - RATE * 0.75 < frames <= 500_000 / 8
    [line] = ledger(folder)
    assert (line["cause"], line["begin"]) == ("output_failed", frames)


def test_a_run_whose_folder_can_no_longer_be_written_goes_on_and_ends_with_1(
    start: Start, tmp_path: Path
) -> None:
    # Without the right that lets root write everywhere.
    drop = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    if os.geteuid() != 0:
        drop = ()
    require(not drop or shutil.which("setpriv") is not None, "setpriv is not installed")
    folder = tmp_path / "out"
    profile_path = write_profile(folder, tmp_path / "p.yaml")
    run = start("run", profile_path, "--duration", "3", prefix=drop)
    try:
        wait_until(lambda: written_frames(folder) > 0, else_say=lambda: str(run.poll()))
        folder.chmod(0o500)
        _, err = run.communicate(timeout=20)
    finally:
        folder.chmod(0o700)
    assert run.returncode == 1, err
    assert f"no permission to write in {folder}" in err
    # The sound goes into files that are open.
    assert assert_readable(folder) == 3 * RATE
    [line] = ledger(folder)
    assert line["cause"] == "output_failed"


def written_frames(folder: Path) -> int:
    return min((soundfile.info(one).frames for one in folder.glob("*.wav")), default=0)


def test_an_output_whose_folder_is_removed_stops_alone_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    tape = Tape()
    gone = FilesOutput(FilesRule(folder=str(tmp_path / "gone")), name="gone")
    stays = FilesOutput(FilesRule(folder=str(tmp_path / "stays"), format="flac"), name="stays")
    rules = profile({"game": "game", "discord": "discord"})
    with Session(rules, outputs=[gone, stays, tape]) as session:
        hear(session, 0.4)
        shutil.rmtree(tmp_path / "gone")
        wait_until(lambda: bool(session.errors), else_say=lambda: "nobody noticed")
        failed_at = session.position
        hear(session, 0.4)
        statuses = {output.name: output.error for output in session.status().outputs}
    assert statuses["gone"].startswith(f"gone: {tmp_path / 'gone'} is not there, or no longer")
    assert (statuses["stays"], statuses["tape"]) == ("", "")
    [error] = session.errors
    assert error.remedy == "Keep the folder while recording."
    [incident] = session.incidents
    assert (incident.cause, incident.output) == ("output_failed", "gone")
    assert incident.tracks == ("game", "discord")
    assert not (tmp_path / "gone").exists()
    assert assert_readable(tmp_path / "stays", "flac") == session.position
    assert session.position > failed_at + RATE // 4
    assert len(tape.track("game")) == session.position
    assert [line["output"] for line in ledger(tmp_path / "stays")] == ["gone"]
    assert manifest(tmp_path / "stays")["state"] == "complete"
