# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from pypac_obs.errors import ObsError, OutputFailed, PermissionDenied, Unsupported
from pypac_obs.obs.client.settings import ObsFolder, obs_folders, portable_folder
from pypac_obs.obs.install import plugin
from pypac_obs.obs.install.plugin import (
    default_folders,
    install,
    installation,
    keep_tracks_folder,
    needed_permission,
    uninstall,
)


@dataclass
class Program:
    """As much as is asked of a process. One without a name can't be looked at."""

    exe: str | None
    user: str = ""

    def name(self) -> str:
        if self.exe is None:
            raise OSError(87, "Invalid parameter")
        return self.exe

    def username(self) -> str:
        return self.user


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> list[Program]:
    """What runs on this computer: nothing, unless a test adds to it."""
    running: list[Program] = []
    monkeypatch.setattr(psutil, "process_iter", lambda: iter(running))
    return running


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A module as a build leaves it."""
    folder = tmp_path / "built"
    (folder / "locale").mkdir(parents=True)
    (folder / "locale" / "en-US.ini").write_text('Kind="PyPAC-OBS track"\n')
    module = folder / "pypac-obs.so"
    module.write_bytes(b"the module")
    return module


@pytest.fixture
def native(tmp_path: Path) -> ObsFolder:
    (found,) = default_folders({"HOME": str(tmp_path)}, platform="linux")
    return found


#: As this system calls it.
MODULE = "pypac-obs.dll" if sys.platform == "win32" else "pypac-obs.so"


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_native_obs_has_it_among_the_users_plugins(
    native: ObsFolder, built: Path, tmp_path: Path
) -> None:
    there = install(native, built=built)
    folder = tmp_path / ".config/obs-studio/plugins/pypac-obs/bin/64bit"
    assert there.module == folder / MODULE
    assert there.state == "current"
    assert files_below(native.plugins) == {
        f"pypac-obs/bin/64bit/{MODULE}",
        "pypac-obs/data/locale/en-US.ini",
    }
    assert there.module.read_bytes() == b"the module"
    assert needed_permission(native) == ""


def test_xdg_config_home_is_honoured(built: Path, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}
    (folder,) = default_folders(environ, platform="linux")
    assert install(folder, built=built).module.is_relative_to(tmp_path / "elsewhere/obs-studio")


def test_a_flatpak_that_was_used_gets_it_too_and_needs_a_permission(
    built: Path, tmp_path: Path
) -> None:
    config = tmp_path / ".var/app/com.obsproject.Studio/config/obs-studio"
    config.mkdir(parents=True)
    (folder,) = default_folders({"HOME": str(tmp_path)}, platform="linux")
    there = install(folder, built=built)
    assert there.module == config / "plugins/pypac-obs/bin/64bit" / MODULE
    permission = needed_permission(folder)
    # To read, and neither the marks nor which sessions run.
    assert permission == (
        "flatpak override --user --filesystem=xdg-run/pypac-obs/tracks:ro com.obsproject.Studio"
    )


@pytest.mark.linux("there are no Flatpaks on Windows")
def test_a_flatpak_finds_the_folder_of_the_tracks_when_it_starts(
    built: Path, tmp_path: Path
) -> None:
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    config = tmp_path / ".var/app/com.obsproject.Studio/config/obs-studio"
    config.mkdir(parents=True)
    (folder,) = default_folders(environ, platform="linux")
    install(folder, built=built)
    file = keep_tracks_folder(folder, environ)
    assert file == tmp_path / ".config/user-tmpfiles.d/pypac-obs.conf"
    assert "d %t/pypac-obs/tracks 0700" in file.read_text().splitlines()
    assert (tmp_path / "pypac-obs" / "tracks").stat().st_mode & 0o777 == 0o700
    assert keep_tracks_folder(folder, environ) == file
    assert uninstall(folder, environ)
    assert not file.exists()


def test_a_portable_obs_has_it_where_its_own_modules_are(built: Path, tmp_path: Path) -> None:
    install(portable_folder(tmp_path / "OBS"), built=built)
    assert files_below(tmp_path / "OBS") == {
        f"obs-plugins/64bit/{MODULE}",
        "data/obs-plugins/pypac-obs/locale/en-US.ini",
    }


def test_windows_has_it_below_programdata(built: Path, tmp_path: Path) -> None:
    environ = {"PROGRAMDATA": str(tmp_path / "ProgramData"), "APPDATA": str(tmp_path / "Roaming")}
    (folder,) = obs_folders(environ, platform="win32")
    there = install(folder, built=built, platform="win32")
    expected = "ProgramData/obs-studio/plugins/pypac-obs/bin/64bit/pypac-obs.dll"
    assert there.module == tmp_path / expected
    assert there.module.is_file()


def test_windows_refuses_while_obs_runs(
    built: Path, tmp_path: Path, programs: list[Program]
) -> None:
    (folder,) = obs_folders({"PROGRAMDATA": str(tmp_path)}, platform="win32")
    programs += [Program(None), Program("OBS64.exe", psutil.Process().username())]
    with pytest.raises(ObsError, match="OBS is running"):
        install(folder, built=built, platform="win32")
    assert not folder.plugins.exists()
    install(folder, built=built, platform="linux")  # elsewhere a module in use can be replaced
    programs[1].user = "somebody else"
    install(folder, built=built, platform="win32")


def test_windows_gives_it_back_and_leaves_all_else(
    built: Path, tmp_path: Path, programs: list[Program]
) -> None:
    (folder,) = obs_folders({"PROGRAMDATA": str(tmp_path)}, platform="win32")
    other = folder.plugins / "another" / "bin" / "64bit" / "another.dll"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"another")
    assert not uninstall(folder, platform="win32")
    install(folder, built=built, platform="win32")
    assert files_below(folder.plugins) == {
        "another/bin/64bit/another.dll",
        "pypac-obs/bin/64bit/pypac-obs.dll",
        "pypac-obs/data/locale/en-US.ini",
    }

    own = psutil.Process().username()
    programs.append(Program("obs64.exe", own))
    with pytest.raises(ObsError, match="OBS is running") as refused:
        uninstall(folder, platform="win32")
    assert refused.value.remedy == "Close OBS, then try again."
    assert installation(folder, built=built, platform="win32").state == "current"
    install(folder, built=built, platform="win32")  # nothing to change, so nothing is refused
    programs.clear()
    assert uninstall(folder, platform="win32")
    assert files_below(folder.plugins) == {"another/bin/64bit/another.dll"}
    assert not (folder.plugins / "pypac-obs").exists()


def test_a_portable_obs_on_windows_has_it_where_its_own_modules_are(
    built: Path, tmp_path: Path
) -> None:
    folder = portable_folder(tmp_path / "OBS")
    install(folder, built=built, platform="win32")
    assert files_below(tmp_path / "OBS") == {
        "obs-plugins/64bit/pypac-obs.dll",
        "data/obs-plugins/pypac-obs/locale/en-US.ini",
    }
    assert uninstall(folder, platform="win32")
    assert files_below(tmp_path / "OBS") == set()


def test_windows_module_in_use_by_an_obs_that_cannot_be_seen_is_named(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = obs_folders({"PROGRAMDATA": str(tmp_path)}, platform="win32")
    install(folder, built=built, platform="win32")
    built.write_bytes(b"a newer module")

    def refuse(_: object, to: Path) -> None:
        raise PermissionError(13, "Access is denied", str(to))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionDenied, match=r"pypac-obs\.dll: Access is denied") as refused:
        install(folder, built=built, platform="win32")
    assert "runs as administrator" in str(refused.value.remedy)
    there = installation(folder, built=built, platform="win32")
    assert there.module.read_bytes() == b"the module"
    assert len(files_below(folder.plugins)) == 2  # nothing half written beside them


def test_installing_again_writes_nothing_and_replaces_what_is_older(
    native: ObsFolder, built: Path
) -> None:
    first = install(native, built=built)
    before = first.module.stat()
    assert install(native, built=built) == first
    assert first.module.stat().st_ino == before.st_ino

    built.write_bytes(b"a newer module")
    assert installation(native, built=built).state == "other"
    assert install(native, built=built).state == "current"
    assert first.module.read_bytes() == b"a newer module"
    assert files_below(native.plugins) == {
        f"pypac-obs/bin/64bit/{MODULE}",
        "pypac-obs/data/locale/en-US.ini",
    }


@pytest.mark.linux("Windows: a module in use stays as it is")
def test_what_has_an_older_one_loaded_keeps_it(native: ObsFolder, built: Path) -> None:
    with install(native, built=built).module.open("rb") as in_use:
        built.write_bytes(b"a newer module")
        assert install(native, built=built).state == "current"
        assert in_use.read() == b"the module"


def test_uninstalling_leaves_all_else(native: ObsFolder, built: Path) -> None:
    other = native.plugins / "another" / "bin" / "64bit" / "another.so"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"another")
    assert not uninstall(native)
    install(native, built=built)
    assert uninstall(native)
    assert files_below(native.plugins) == {"another/bin/64bit/another.so"}
    assert not (native.plugins / "pypac-obs").exists()

    install(native, built=built)
    (native.plugins / "pypac-obs" / "data" / "kept.txt").write_text("the user's")
    assert uninstall(native)
    assert files_below(native.plugins / "pypac-obs") == {"data/kept.txt"}


def test_a_portable_obs_keeps_its_folders(built: Path, tmp_path: Path) -> None:
    folder = portable_folder(tmp_path / "OBS")
    install(folder, built=built)
    assert uninstall(folder)
    assert (tmp_path / "OBS" / "obs-plugins" / "64bit").is_dir()
    assert not (tmp_path / "OBS" / "data" / "obs-plugins" / "pypac-obs").exists()


def test_a_place_that_cannot_be_written_is_named(
    native: ObsFolder, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    native.config.mkdir(parents=True)
    native.plugins.write_text("no folder")
    where = re.escape(str(native.plugins))
    with pytest.raises(OutputFailed, match=f"the OBS module cannot be installed to {where}"):
        install(native, built=built)
    native.plugins.unlink()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionDenied, match="Permission denied"):
        install(native, built=built)
    assert files_below(native.plugins) == set()


def test_a_build_without_the_module_says_how_to_get_it(
    native: ObsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "built_module", lambda **_: None)
    with pytest.raises(Unsupported, match="no OBS module") as refused:
        install(native, platform="linux")
    assert "libobs-dev" in str(refused.value.remedy)
    with pytest.raises(Unsupported, match="no OBS module") as refused:
        install(native, platform="win32")
    assert "for Windows" in str(refused.value.remedy)
    assert not uninstall(native)
