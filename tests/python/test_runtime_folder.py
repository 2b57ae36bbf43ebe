# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypac_obs.errors import OutputFailed, PermissionDenied
from pypac_obs.runtime_folder import (
    file_name_of,
    make_folder,
    name_of_file,
    open_folder,
    runtime_folder,
)

if TYPE_CHECKING:
    from tests.conftest import SecondUser

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


WINDOWS = sys.platform == "win32"
FOLDER = ".pypac-obs" if WINDOWS else "pypac-obs"
VARIABLE = "USERPROFILE" if WINDOWS else "XDG_RUNTIME_DIR"
posix = pytest.mark.linux("Windows' own are tested below")


@posix
def test_the_folder_is_in_the_runtime_folder_of_the_user():
    assert runtime_folder({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/pypac-obs")


@posix
@pytest.mark.parametrize("environ", [{}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "run"}])
def test_without_a_runtime_folder_it_is_the_user_s_own_in_tmp(environ: dict[str, str]):
    assert runtime_folder(environ) == Path(f"/tmp/pypac-obs-{os.geteuid()}")


@pytest.mark.windows
@pytest.mark.parametrize("profile", ["", "me", "\\Users\\me", "C:me"])
def test_on_windows_it_is_in_the_user_s_profile_outside_appdata(profile: str):
    assert runtime_folder(
        {"USERPROFILE": "D:\\me", "LOCALAPPDATA": "D:\\me\\AppData\\Local"}
    ) == Path("D:\\me\\.pypac-obs")
    assert runtime_folder({"USERPROFILE": profile}) == Path("C:\\.pypac-obs")


def test_folders_are_made_closed_to_others_and_used_again(tmp_path: Path):
    environ = {VARIABLE: str(tmp_path)}
    folder = make_folder("sessions", "a/b", environ=environ)
    assert folder == tmp_path / FOLDER / "sessions" / "a%2Fb"
    assert make_folder("sessions", "a/b", environ=environ) == folder
    for made in (folder, folder.parent, folder.parent.parent):
        assert made.is_dir()
        assert WINDOWS or made.stat().st_mode & 0o777 == 0o700


@pytest.mark.linux("modes are POSIX's: a user's profile is closed on Windows")
def test_a_folder_that_others_can_read_is_refused(tmp_path: Path):
    (tmp_path / "pypac-obs").mkdir(mode=0o755)
    with pytest.raises(PermissionDenied, match=r"open to other users \(its mode is 0755") as caught:
        make_folder("sessions", environ={VARIABLE: str(tmp_path)})
    assert f"chmod 700 {tmp_path}" in caught.value.remedy


@pytest.mark.linux("Windows lets administrators make links only")
def test_a_link_in_its_place_is_refused(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "pypac-obs").symlink_to("elsewhere")
    with pytest.raises(PermissionDenied, match="pypac-obs is a link"):
        make_folder("sessions", environ={VARIABLE: str(tmp_path)})
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.linux("Windows keeps each user's profile closed")
def test_another_user_s_folder_is_refused_and_its_owner_named(second_user: SecondUser):
    second_user.run("mkdir", "-m", "755", str(second_user.shared / "pypac-obs"))
    with pytest.raises(PermissionDenied, match=f"belongs to .*UID {second_user.uid}") as caught:
        make_folder("sessions", environ={VARIABLE: str(second_user.shared)})
    assert "remove it" in caught.value.remedy
    assert VARIABLE in caught.value.remedy


def test_what_is_done_in_an_open_folder_cannot_be_led_elsewhere(tmp_path: Path):
    environ = {VARIABLE: str(tmp_path)}
    with open_folder("sessions", make=True, environ=environ) as folder:
        if not WINDOWS:  # which lets nobody move what is open
            folder.path.rename(tmp_path / "moved")
            (tmp_path / "victim").mkdir(mode=0o700)
            (tmp_path / "victim" / "kept.json").write_text("kept")
            folder.path.symlink_to(tmp_path / "victim")
        folder.write("kept.json", b"ours")
        assert folder.read("kept.json", 100)[0] == b"ours"
        folder.remove("kept.json")
    if not WINDOWS:
        assert (tmp_path / "victim" / "kept.json").read_text() == "kept"


def test_a_runtime_folder_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(OutputFailed, match="cannot be made: ") as caught:
        make_folder(environ={VARIABLE: str(tmp_path / "gone")})
    assert VARIABLE in caught.value.remedy


@given(NAMES)
def test_file_names_are_plain_and_lead_back(name: str):
    try:
        file_name = file_name_of(name)
    except ValueError:
        assert len(name.encode()) * 3 > 255
        return
    assert file_name.isascii()
    assert "/" not in file_name
    assert not file_name.startswith(".")
    assert name_of_file(file_name) == name


@given(st.text(st.sampled_from("ab%2Ef./ 0"), max_size=8))
def test_no_two_file_names_stand_for_one_name(file_name: str):
    name = name_of_file(file_name)
    assert name is None or file_name_of(name) == file_name


@pytest.mark.parametrize("name", ["", "x" * 256, "ü" * 50])
def test_names_that_no_file_can_have_are_refused(name: str):
    with pytest.raises(ValueError, match="empty or too long"):
        file_name_of(name)
