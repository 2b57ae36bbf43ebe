# SPDX-License-Identifier: MIT
"""Each OBS of a Windows is found, and `doctor` says what is to be done with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from pypac_obs.diagnosis.obs import obs as obs_findings
from pypac_obs.diagnosis.report import line_of
from pypac_obs.obs.install import plugin, programs
from pypac_obs.obs.install.programs import ObsProgram, obs_programs

UNINSTALL = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"


def unpacked(folder: Path) -> Path:
    """A folder as OBS is installed or unpacked into."""
    program = folder / "bin" / "64bit" / "obs64.exe"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"MZ")
    return folder


def registry(values: dict[tuple[str, str], Path]) -> Callable[[str, str, str], str]:
    return lambda root, key, name: str(values.get((f"{root}\\{key}", name), ""))


@dataclass
class Program:
    """As much of a process as is asked for."""

    path: Path
    words: list[str] = field(default_factory=list)

    def name(self) -> str:
        return self.path.name

    def exe(self) -> str:
        return str(self.path)

    def cmdline(self) -> list[str]:
        return [str(self.path), *self.words]


class Gone(Program):
    def name(self) -> str:
        raise psutil.NoSuchProcess(7)


def found(
    environ: dict[str, str], values: dict[tuple[str, str], Path], *running: Any
) -> list[tuple[str, Path, bool]]:
    all_found = obs_programs(environ, registry(values), running)
    return [(one.kind, one.folder, one.running) for one in all_found]


def test_without_an_obs_none_is_found(tmp_path: Path) -> None:
    assert found({"ProgramFiles": str(tmp_path)}, {}) == []
    # What an uninstallation leaves behind is no OBS.
    assert found({}, {(r"HKLM\SOFTWARE\OBS Studio", ""): tmp_path / "gone"}) == []


def test_an_installed_one_is_found_once(tmp_path: Path) -> None:
    obs = unpacked(tmp_path / "obs-studio")
    environ = {"ProgramFiles": str(tmp_path), "ProgramW6432": str(tmp_path)}
    assert found(environ, {}) == [("installed", obs, False)]
    assert found(environ, {(r"HKLM\SOFTWARE\OBS Studio", ""): obs}) == [("installed", obs, False)]


def test_one_that_was_installed_elsewhere_is_found_by_the_registry(tmp_path: Path) -> None:
    obs = unpacked(tmp_path / "D" / "My OBS")
    assert found({}, {(r"HKLM\SOFTWARE\OBS Studio", ""): obs}) == [("installed", obs, False)]


def test_steams_is_found_by_its_own_entry_and_in_each_library(tmp_path: Path) -> None:
    obs = unpacked(tmp_path / "library" / "steamapps" / "common" / "OBS Studio")
    entry = (rf"HKLM\{UNINSTALL}\Steam App 1905180", "InstallLocation")
    assert found({}, {entry: obs}) == [("Steam", obs, False)]

    steam = tmp_path / "Steam"
    (steam / "steamapps").mkdir(parents=True)
    path = str(tmp_path / "library").replace("\\", "\\\\")
    (steam / "steamapps" / "libraryfolders.vdf").write_text(
        f'"libraryfolders"\n{{\n\t"0"\n\t{{\n\t\t"path"\t\t"{path}"\n\t\t"label"\t\t""\n\t}}\n}}\n'
    )
    values = {(r"HKCU\SOFTWARE\Valve\Steam", "SteamPath"): steam}
    assert found({}, values) == [("Steam", obs, False)]


def test_one_that_runs_is_found_wherever_it_lies(tmp_path: Path) -> None:
    obs = unpacked(tmp_path / "usb" / "OBS")
    running = Program(obs / "bin" / "64bit" / "obs64.exe")
    strange = Program(Path("obs64.exe"))
    other = Program(tmp_path / "bin" / "64bit" / "game.exe")
    assert found({}, {}, Gone(obs), strange, other, running) == [("portable", obs, True)]


@pytest.mark.parametrize("how", ["--portable", "-p", "portable_mode.txt", "obs_portable_mode"])
def test_an_installed_one_may_be_portable(tmp_path: Path, how: str) -> None:
    obs = unpacked(tmp_path / "obs-studio")
    running = Program(obs / "bin" / "64bit" / "obs64.exe")
    environ = {"ProgramFiles": str(tmp_path)}
    assert found(environ, {}, running) == [("installed", obs, True)]
    if how.startswith("-"):
        running.words.append(how)
    else:
        (obs / how).touch()
    assert found(environ, {}, running) == [("portable", obs, True)]


@pytest.mark.windows
def test_the_version_is_that_of_the_program() -> None:
    library = Path(sys.executable).with_name(f"python3{sys.version_info.minor}.dll")
    assert programs._file_version(library).startswith(f"3.{sys.version_info.minor}.")
    assert programs._file_version(library.with_name("none.exe")) == ""


# What doctor says ---------------------------------------------------------------------------------


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module of this build; and Windows' folders, all below a test's own."""
    module = tmp_path / "built" / "pypac-obs.dll"
    (module.parent / "locale").mkdir(parents=True)
    (module.parent / "locale" / "en-US.ini").write_text("")
    module.write_bytes(b"the module")
    for where in ("pypac_obs.obs.install.plugin", "pypac_obs.diagnosis.obs"):
        monkeypatch.setattr(f"{where}.built_module", lambda **_: module)
    monkeypatch.setenv("PROGRAMDATA", str(tmp_path / "ProgramData"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "Roaming"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(psutil, "process_iter", lambda: iter(()))
    return module


def test_no_obs_is_worth_a_note(built: Path) -> None:
    [finding] = obs_findings(())
    assert (finding.part, finding.state) == ("OBS Studio", "note")
    assert "obsproject.com" in finding.remedy


def test_the_module_is_asked_for_until_it_is_that_of_this_version(
    built: Path, tmp_path: Path
) -> None:
    obs = ObsProgram("installed", tmp_path / "obs-studio", "31.0.2", running=False)
    [program, module] = obs_findings((obs,))
    assert (program.state, program.remedy) == ("good", "")
    assert program.found == f"31.0.2, installed, not running; in {obs.folder}"
    assert (module.state, module.found.partition(";")[0]) == ("note", "not installed")
    assert module.remedy.endswith("pypac-obs obs install")

    [folder] = plugin.default_folders()
    there = plugin.install(folder)
    [_, module] = obs_findings((obs,))
    assert (module.state, module.found) == ("good", f"of this version; in {there.module}")

    there.module.write_bytes(b"an older module")
    [_, module] = obs_findings((obs,))
    assert (module.state, module.found.partition(";")[0]) == ("note", "of another version")


def test_a_portable_one_has_a_place_of_its_own(built: Path, tmp_path: Path) -> None:
    obs = ObsProgram("portable", tmp_path / "OBS", "", running=True)
    [program, module] = obs_findings((obs,))
    assert program.found == f"of an unknown version, portable, running; in {obs.folder}"
    assert str(obs.folder / "obs-plugins" / "64bit") in module.found
    assert module.remedy.endswith(f'pypac-obs obs install --portable "{obs.folder}"')


def test_one_without_our_websocket_is_to_be_updated(built: Path, tmp_path: Path) -> None:
    [program, _] = obs_findings((ObsProgram("Steam", tmp_path, "27.2.4", running=False),))
    assert (program.state, program.remedy) == ("note", "Update it: version 28 or newer is needed.")


def test_a_report_for_others_names_no_folder(built: Path, tmp_path: Path) -> None:
    obs = ObsProgram("portable", tmp_path, "31.0.2", running=False)
    lines = [line_of(finding) for finding in obs_findings((obs,))]
    assert [line.found for line in lines] == ["31.0.2, portable, not running", "not installed"]
