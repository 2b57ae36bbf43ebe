# SPDX-License-Identifier: MIT
"""ssh, sudo, cron, containers: what of the environment is wrong is named, with its remedy."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from ..conftest import PROGRAM

pytestmark = pytest.mark.pipewire

NOBODY = 65534
# Some of doctor's that need no audio system.
PARTS = ("pypac-obs", "session manager", "pipewire-pulse", "libsndfile", "recordings folder")


def run(
    sandbox, *args: object, prefix: tuple[object, ...] = (), **changes: str | None
) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in (sandbox.env | changes).items() if value is not None}
    command = [*map(str, prefix), *PROGRAM, *map(str, args)]
    done = subprocess.run(
        command, env=env, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    # PipeWire's library writes its own lines beside ours.
    lines = [line for line in done.stderr.splitlines() if not line.startswith("[")]
    done.stderr = "\n".join(lines)
    return done


def refused(sandbox, cause: str, remedy: str, **changes: str | None) -> None:
    """The command that needs the audio system says it, and `doctor` in its whole list."""
    done = run(sandbox, "ps", **changes)
    assert (done.returncode, done.stderr) == (3, f"Error: {cause}.\n{remedy}")
    doctor = run(sandbox, "doctor", **changes)
    assert doctor.returncode == 3
    assert f"PipeWire daemon: {remedy}" in doctor.stdout.splitlines()
    for part in PARTS:
        assert f"\n {part} " in doctor.stdout


def own_folder() -> str:
    return (
        "Set it to the folder of the session that plays: "
        f"export XDG_RUNTIME_DIR=/run/user/{os.geteuid()}"
    )


@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_no_runtime_folder(sandbox, value: str | None):
    refused(
        sandbox,
        "XDG_RUNTIME_DIR is not set, so PipeWire's socket is not found",
        own_folder(),
        XDG_RUNTIME_DIR=value,
    )


def test_a_runtime_folder_that_is_not_there(sandbox):
    refused(
        sandbox,
        "XDG_RUNTIME_DIR is /run/user/4711, which is not there, so PipeWire's socket is not found",
        own_folder(),
        XDG_RUNTIME_DIR="/run/user/4711",
    )


def test_a_runtime_folder_without_a_daemon(sandbox, tmp_path: Path):
    refused(
        sandbox,
        f"PipeWire is not running (there is no {tmp_path}/pipewire-0)",
        "Start it with: systemctl --user start pipewire wireplumber pipewire-pulse",
        XDG_RUNTIME_DIR=str(tmp_path),
    )


def test_a_socket_that_nobody_listens_at(sandbox, tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "pipewire-0"))
    refused(
        sandbox,
        f"PipeWire is not running (nobody answers at {tmp_path}/pipewire-0)",
        "Start it with: systemctl --user start pipewire wireplumber pipewire-pulse",
        XDG_RUNTIME_DIR=str(tmp_path),
    )


def test_a_remote_that_is_not_there_names_its_variable(sandbox):
    refused(
        sandbox,
        f"PipeWire is not running (there is no {sandbox.env['XDG_RUNTIME_DIR']}/nope)",
        "Start it with: systemctl --user start pipewire wireplumber pipewire-pulse "
        "(or unset PIPEWIRE_REMOTE, which is nope)",
        PIPEWIRE_REMOTE="nope",
    )


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("PIPEWIRE_CONFIG_DIR", "client configuration or modules cannot be read"),
        ("PIPEWIRE_MODULE_DIR", "client configuration or modules cannot be read"),
        ("SPA_PLUGIN_DIR", "loop cannot be made"),
    ],
)
def test_a_folder_of_pipewires_that_is_wrong(sandbox, name: str, part: str):
    refused(
        sandbox,
        f"PipeWire's {part}: {name} is /nonexistent",
        f"Unset {name}: then PipeWire finds its own files.",
        **{name: "/nonexistent"},
    )


def test_another_users_socket(sandbox, tmp_path: Path):
    folder = sandbox.env["XDG_RUNTIME_DIR"]
    if os.geteuid() == 0:  # as under sudo -u: nothing else keeps root out
        as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        whose = f": it belongs to another user (UID 0, this is {NOBODY})"
        changes = {}
    else:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0)
        folder = str(closed / "run")
        as_nobody, whose, changes = (), "", {"XDG_RUNTIME_DIR": folder}
    done = run(sandbox, "ps", prefix=as_nobody, **changes)
    assert (done.returncode, done.stderr) == (
        3,
        f"Error: PipeWire's socket is in {folder}, which this user may not use{whose}.\n"
        "Run this as the user whose session plays the audio.",
    )
    doctor = run(sandbox, "doctor", prefix=as_nobody, **changes)
    assert doctor.returncode == 3
    assert "\n recordings folder " in doctor.stdout
    assert "Recording cannot work yet." in doctor.stdout


@pytest.mark.parametrize("files", [8, 13, 20])
def test_too_few_file_descriptors(sandbox, tmp_path: Path, files: int):
    limit = ("prlimit", f"--nofile={files}")
    done = run(sandbox, "ps", prefix=limit)
    assert (done.returncode, done.stderr) == (
        3,
        "Error: PipeWire cannot be reached with so few file descriptors.\n"
        f"Raise their number, which is {files} (ulimit -n): ulimit -n 1024",
    )
    doctor = run(sandbox, "doctor", prefix=limit)
    assert "ulimit -n 1024" in doctor.stdout
    assert "\n recordings folder " in doctor.stdout


def test_a_session_that_runs_out_of_descriptors_says_so(sandbox, tmp_path: Path):
    profile = tmp_path / "p.yaml"
    tracks = "".join(f"  t{number}: {{from: tone}}\n" for number in range(100))
    profile.write_text(
        "version: 1\nsources: {tone: {synthetic: {kind: tone}}}\n"
        f"tracks:\n{tracks}outputs: {{files: {{folder: '{tmp_path}/out'}}}}\n"
    )
    done = run(sandbox, "run", profile, "--duration", "1", prefix=("prlimit", "--nofile=60"))
    assert done.returncode == 1
    assert "ulimit -n" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("out/*.wav"))


def test_the_tools_of_this_test_are_there():
    assert shutil.which("prlimit")
    assert shutil.which("setpriv")
