# SPDX-License-Identifier: MIT
"""What is wrong with this Windows is said in a sentence with a remedy, never by a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import HERE, PATIENCE_S, PLAYER, PYTHON, Windows, in_windows

SITE = PYTHON.parent / "Lib" / "site-packages"


@pytest.fixture
def copied(windows: Windows) -> Path:
    """A copy of the package, to be broken."""
    site = windows.folder / "site"
    site.mkdir()
    for folder in SITE.glob("pypac_obs*"):
        shutil.copytree(folder, site / folder.name)
    return site


def call(
    windows: Windows, site: Path, *args: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command of the copy."""
    return subprocess.run(
        [HERE / "in_wine", PYTHON, "-m", "pypac_obs.cli", *args],
        env=windows.env | {"PYTHONPATH": in_windows(site)} | environ,
        cwd=windows.folder,  # else the sources come first
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def core_of(site: Path) -> Path:
    [core] = (site / "pypac_obs").glob("_core*.pyd")
    return core


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (5, "virus protection or its own rights deny access"),
        (225, "is blocked: Windows takes it for a virus"),
        (226, "was taken away: Windows took it for a virus"),
        (1260, "is blocked by a policy of this computer"),
        (4551, "is blocked by Smart App Control or another policy"),
    ],
)
def test_a_core_that_windows_refuses_is_told_with_the_reason(
    windows: Windows, copied: Path, code: int, said: str
) -> None:
    core = core_of(copied)
    shutil.copy(PLAYER.with_name("refusing.dll"), core)
    done = call(windows, copied, "doctor", PYPAC_REFUSE_WITH=str(code))
    assert done.returncode == 3
    first, remedy = done.stderr.splitlines()
    assert first.startswith(f"Error: {in_windows(core)} ")
    assert said in first
    assert first.endswith(f"({code}).")
    assert "pip install --force-reinstall --no-deps pypac-obs" in remedy


@pytest.mark.parametrize("command", ["run", "ps", "doctor"])
def test_a_core_that_was_taken_away_is_told_by_each_command(
    windows: Windows, copied: Path, command: str
) -> None:
    core = core_of(copied)
    core.unlink()
    done = call(windows, copied, command, *(["x.yaml"] if command == "run" else []))
    assert done.returncode == 3
    assert done.stderr.startswith(f"Error: {in_windows(core)} is not there: ")
    assert "Protection history" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_library_that_is_damaged_is_told_with_its_package(windows: Windows, copied: Path) -> None:
    # Its own package is looked for first in the copy.
    for folder in (*SITE.glob("numpy"), *SITE.glob("numpy-*.dist-info")):
        shutil.copytree(folder, copied / folder.name)
    [broken] = (copied / "numpy" / "core").glob("_multiarray_umath*.pyd")
    broken.write_bytes(b"not a library any more")
    done = call(windows, copied, "run", "x.yaml")
    assert done.returncode == 3
    assert done.stderr.startswith(f"Error: {in_windows(broken)} is damaged")
    assert "--no-deps numpy" in done.stderr


def test_an_obs_module_that_was_taken_away_does_not_keep_from_recording(
    windows: Windows, copied: Path
) -> None:
    module = copied / "pypac_obs" / "obs_plugin" / "pypac-obs.dll"
    module.unlink()
    done = call(windows, copied, "doctor", "--json")
    [finding] = findings(done.stdout, "program files")
    assert (done.returncode, finding["state"]) == (0, "note")
    assert finding["found"].startswith(f"{in_windows(module)} is not there")


def findings(text: str, part: str) -> list[dict[str, str]]:
    return [one for one in json.loads(text)["findings"] if one["part"] == part]


def test_all_files_of_a_whole_installation_can_be_loaded(windows: Windows) -> None:
    done = windows.call("doctor", "--json")
    [finding] = findings(done.stdout, "program files")
    assert (done.returncode, finding["state"]) == (0, "good")
    assert findings(done.stdout, "microphone") == []


def test_an_audio_service_that_is_stopped_is_to_be_started(windows: Windows) -> None:
    windows.script("service running=no\n")
    done = windows.call("doctor", "--json")
    [finding] = findings(done.stdout, "audio service")
    assert (done.returncode, finding["state"]) == (3, "bad")
    assert "net start audiosrv" in finding["remedy"]
    assert finding["found"].startswith("Windows' audio service does not answer (0x88890010, ")


# Longer than anybody waits.
HANGING = "times=forever delay_ms=600000"


def test_an_audio_service_that_hangs_does_not_answer(windows: Windows) -> None:
    windows.script(f"fail * method=IMMDeviceEnumerator::EnumAudioEndpoints {HANGING}\n")
    done = windows.call("doctor", "--json")
    [finding] = findings(done.stdout, "audio service")
    assert (done.returncode, finding["state"]) == (3, "bad")
    said = "Windows' audio service does not answer (no reply yet, Windows build 22631)"
    assert finding["found"] == said
    assert "net stop audiosrv" in finding["remedy"]


def test_a_device_that_hangs_does_not_hold_the_doctor_up(windows: Windows) -> None:
    # Sessions are asked for of outputs only.
    windows.script(f"fail *microphone* method=IMMDevice::Activate {HANGING}\n")
    done = windows.call("doctor", "--json")
    [finding] = findings(done.stdout, "device formats")
    assert (done.returncode, finding["state"]) == (0, "note")
    assert finding["found"] == "Windows' audio service does not tell the format of a device"
    assert "net stop audiosrv" in finding["remedy"]
    [service] = findings(done.stdout, "audio service")
    assert service["state"] == "good"


@pytest.mark.parametrize(
    ("result", "said", "remedy"),
    [
        ("E_ACCESSDENIED", "Windows' privacy settings keep desktop apps from", "desktop apps acc"),
        ("DEVICE_IN_USE", "another program has the device to itself", "Close that program"),
        ("UNSUPPORTED_FORMAT", "it cannot be opened", "Choose another device"),
    ],
)
def test_a_microphone_that_is_refused_is_told(
    windows: Windows, result: str, said: str, remedy: str
) -> None:
    windows.script(
        "endpoint {usb} flow=capture name=USB-Mic default=yes\n"
        f"fail {{usb}} method=IAudioClient::Initialize times=forever result={result}\n"
    )
    done = windows.call("doctor", "--json")
    [finding] = findings(done.stdout, "microphone")
    assert (done.returncode, finding["state"]) == (0, "note")
    assert finding["found"].startswith(said)
    assert remedy in finding["remedy"]


def test_each_obs_is_told_with_its_version_and_its_module(windows: Windows) -> None:
    drive = windows.prefix / "drive_c"
    installed, portable = drive / "Program Files" / "obs-studio", drive / "My OBS"
    key = r"HKLM\Software\OBS Studio"
    try:
        for folder in (installed, portable):
            (folder / "bin" / "64bit").mkdir(parents=True)
            # Something that has a version. Which OBS runs, Wine 8 does not tell psutil.
            shutil.copy(PYTHON.with_name("python311.dll"), folder / "bin" / "64bit" / "obs64.exe")
        (portable / "portable_mode.txt").touch()
        registry(windows, "add", key, "/ve", "/d", "C:\\My OBS", "/f")
        done = windows.call("doctor", "--json")
    finally:
        registry(windows, "delete", key, "/f")
        shutil.rmtree(installed)
        shutil.rmtree(portable)
    assert done.returncode == 0
    programs = [one["found"] for one in findings(done.stdout, "OBS Studio")]
    for program, rest in zip(
        programs,
        (
            r"portable, not running; in C:\My OBS",
            r"installed, not running; in C:\Program Files\obs-studio",
        ),
        strict=True,
    ):
        assert program.startswith("3.11.")
        assert program.endswith(rest)
    modules = findings(done.stdout, "OBS module")
    assert [one["found"].partition("; in ")[0] for one in modules] == ["not installed"] * 2
    assert r"in C:\ProgramData\obs-studio\plugins\pypac-obs" in modules[0]["found"]
    assert modules[1]["remedy"].endswith(r'obs install --portable "C:\My OBS"')


def registry(windows: Windows, *words: str) -> None:
    subprocess.run(
        [HERE / "in_wine", "reg.exe", *words], env=windows.env, check=True, capture_output=True
    )


def test_without_an_obs_it_says_so(windows: Windows) -> None:
    done = windows.call("doctor", "--json")
    [finding] = findings(done.stdout, "OBS Studio")
    assert finding["state"] == "note"
    assert findings(done.stdout, "OBS module") == []
