# SPDX-License-Identifier: MIT
"""The private audio system: quick, complete, and gone without a trace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypac_obs.errors import BackendUnavailable, NotRunning
from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox import audio as sandbox_module

from .conftest import wait_until

pytestmark = pytest.mark.pipewire


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(sinks=("speakers", "headphones")) as running:
        yield running


def marked(folder: str) -> list[int]:
    """Every process that carries the sandbox's mark."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"{sandbox_module.MARK}={folder}".encode() in environment:
            found.append(int(process.name))
    return found


def test_it_is_ready_in_well_under_five_seconds_and_gone_afterwards() -> None:
    begin = time.monotonic()
    with Sandbox() as running:
        assert time.monotonic() - begin < 5
        folder = running.folder
        assert len(marked(str(folder))) >= 4
        running.play_tone("game", 440.0).freeze()  # a frozen program is ended, too
        before = len(marked(str(folder)))
        running.spawn(["sh", "-c", "setsid sleep 100 & sleep 100"])
        wait_until(lambda: len(marked(str(folder))) >= before + 3)
    assert marked(str(folder)) == []
    assert not folder.exists()
    with pytest.raises(NotRunning):
        _ = running.folder


def test_nothing_survives_when_its_python_is_killed(tmp_path: Path) -> None:
    # Not through the package's own __init__: it needs the native core, and a sandbox does not.
    package = str(Path(sandbox_module.__file__).parents[1])
    script = (
        "import sys, time, types\n"
        "package = types.ModuleType('pypac_obs')\n"
        f"package.__path__ = [{package!r}]\n"
        "sys.modules['pypac_obs'] = package\n"
        "from pypac_obs.sandbox import Sandbox\n"
        "sandbox = Sandbox(); sandbox.start(); sandbox.play_tone('game', 440.0)\n"
        "print(sandbox.folder, flush=True); time.sleep(60)  # until it is killed\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    folder = child.stdout.readline().strip()
    assert marked(folder)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    wait_until(lambda: not marked(folder) and not Path(folder).exists())


def test_programs_carry_the_names_that_they_were_given(sandbox: Sandbox) -> None:
    for api in ("pipewire", "pulse"):
        player = sandbox.play_tone(f"my-{api}", 440.0, api=api)  # type: ignore[arg-type]
        exe = Path(f"/proc/{player.pid}/exe")
        wait_until(lambda: exe.readlink().name == f"my-{api}", else_say=lambda: str(exe.readlink()))  # noqa: B023
        assert player.running
        player.stop()
        assert not player.running


def test_its_environment_has_nothing_of_the_users_session(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(sandbox.folder)
    for key in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PULSE_SERVER"):
        assert folder in sandbox.env[key]
    monkeypatch.setenv("PIPEWIRE_REMOTE", "the-users-own")
    with Sandbox() as other:
        assert "PIPEWIRE_REMOTE" not in other.env


def test_devices_can_be_added_and_stay_after_a_restart(sandbox: Sandbox) -> None:
    sandbox.add_sink("television")
    sandbox.add_source("microphone")
    sandbox.restart_pipewire()
    sinks = sandbox.run("pactl", "list", "short", "sinks")
    assert all(name in sinks for name in ("speakers", "headphones", "television"))
    assert "microphone" in sandbox.run("pactl", "list", "short", "sources")
    with pytest.raises(ValueError, match="already"):
        sandbox.add_sink("television")


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name: None if name in ("wireplumber", "pacat") else real(name)
    )
    with pytest.raises(BackendUnavailable) as caught:
        Sandbox().start()
    assert caught.value.remedy == "sudo apt install pulseaudio-utils wireplumber"


def test_a_daemon_that_dies_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    liar = tmp_path / "wireplumber"
    liar.write_text("#!/bin/sh\necho 'no, thanks'\nexit 3\n")
    liar.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BackendUnavailable, match=r"wireplumber ended with 3.*\n.*no, thanks"):
        Sandbox().start()
