# SPDX-License-Identifier: MIT
"""Which folders for recordings are warned of, and which are not."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import pytest

from pypac_obs.profile.places import folder_warnings

if TYPE_CHECKING:
    from tests.conftest import SecondUser

WINDOWS = {
    "SystemRoot": r"C:\Windows",
    "ProgramFiles": r"C:\Program Files",
    "ProgramFiles(x86)": r"C:\Program Files (x86)",
    "ProgramData": r"C:\ProgramData",
    "APPDATA": r"C:\Users\me\AppData\Roaming",
}


def on_windows(folder: str) -> list[str]:
    home = PureWindowsPath(r"C:\Users\me")
    return folder_warnings(PureWindowsPath(folder), WINDOWS, home=home, platform="win32")


def on_linux(folder: str, home: str = "/home/me") -> list[str]:
    return folder_warnings(PurePosixPath(folder), {}, home=PurePosixPath(home), platform="linux")


@pytest.mark.parametrize(
    "folder",
    [
        r"D:\Recordings",
        r"D:\Recordings\2026-11-23 18-04-05",
        "E:\\",
        r"C:\Recordings",
        r"C:\Users\me\Videos",
        r"c:\users\ME\videos",
        r"C:\Users\Public\Videos",
        r"C:\Windowsill",
    ],
)
def test_drives_and_own_folders_of_windows_are_ordinary(folder: str) -> None:
    assert on_windows(folder) == []


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        (r"C:\Users\other\Videos", "another user's home folder"),
        (r"C:\Windows\System32", "a folder of the system's"),
        (r"c:\program files (x86)\Steam", "a folder of the system's"),
        (r"C:\ProgramData\x", "a folder of the system's"),
        (
            r"C:\Users\me\AppData\Roaming\Microsoft\Windows\Start Menu\Programs\Startup",
            "opened at each login",
        ),
        (
            r"C:\ProgramData\Microsoft\Windows\Start Menu\Programs\StartUp\rec",
            "opened at each login",
        ),
    ],
)
def test_folders_of_windows_that_are_warned_of(folder: str, why: str) -> None:
    [warning] = on_windows(folder)
    assert why in warning


@pytest.mark.linux("paths of Linux are looked up")
@pytest.mark.parametrize(
    "folder",
    [
        "/home/me/Recordings/{date}",
        "/home/me/.local/share/rec",
        "/mnt/data/rec",
        "/media/me/disk/rec",
        "/run/media/me/disk/rec",
        "/var/mnt/data",
        "/data-of-nobody/rec",
    ],
)
def test_drives_and_own_folders_of_linux_are_ordinary(folder: str) -> None:
    assert on_linux(folder) == []


@pytest.mark.linux("paths of Linux are looked up")
def test_a_home_folder_that_lies_in_var_is_the_user_s_own() -> None:
    assert on_linux("/var/home/me/rec", home="/var/home/me") == []


@pytest.mark.linux("paths of Linux are looked up")
@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("/home/other/rec", "another user's home folder"),
        ("/etc/rec", "a folder of the system's"),
        ("/usr/local/rec", "a folder of the system's"),
        ("/var/lib/rec", "a folder of the system's"),
        ("/dev/shm/rec", "everybody's temporary files"),
        ("/tmp", "everybody's temporary files"),
        ("/home/me/.config/autostart", "opened at each login"),
        ("/home/me/.config/autostart/{date}", "opened at each login"),
        ("/home/me/.config/systemd/user", "opened at each login"),
        ("/etc/xdg/autostart", "opened at each login"),
        ("/etc/profile.d", "opened at each login"),
    ],
)
def test_folders_of_linux_that_are_warned_of(folder: str, why: str) -> None:
    [warning] = on_linux(folder)
    assert why in warning


@pytest.mark.linux("Windows lets administrators make links only")
def test_a_link_is_looked_through(tmp_path: Path) -> None:
    home = tmp_path / "me"
    (home / ".config" / "autostart").mkdir(parents=True)
    (home / "rec").symlink_to(home / ".config" / "autostart")
    [warning] = on_linux(str(home / "rec" / "2026"), str(home))
    assert "opened at each login" in warning


@pytest.mark.linux("paths of Linux are looked up")
def test_a_temporary_folder_of_the_user_s_own_is_ordinary(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o700)
    assert on_linux(str(tmp_path / "rec")) == []


@pytest.mark.linux("Windows keeps each user's profile closed")
def test_another_user_s_folder_elsewhere_is_warned_of(second_user: SecondUser) -> None:
    theirs = second_user.shared / "theirs"
    second_user.run("mkdir", str(theirs))
    [warning] = on_linux(str(theirs / "rec"))
    assert "temporary files" in warning or "another user" in warning
