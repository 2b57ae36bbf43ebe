# SPDX-License-Identifier: MIT
"""Which folders are OBS's own, by what its settings on this computer say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypac_obs.obs.following.record_folders import RecordFolder, is_one_of, record_folders


def profile(home: Path, name: str, text: str, *, config: str = ".config/obs-studio") -> None:
    folder = home / config / "basic" / "profiles" / name
    folder.mkdir(parents=True)
    (folder / "basic.ini").write_text(text)


def found(home: Path, platform: str = "linux") -> set[RecordFolder]:
    return set(record_folders({"HOME": str(home)}, platform=platform))


def test_the_folders_of_all_profiles_are_obs_own(tmp_path: Path) -> None:
    profile(
        tmp_path, "Untitled", "[SimpleOutput]\nFilePath=/v/simple\n[AdvOut]\nRecFilePath=/v/adv\n"
    )
    profile(tmp_path, "Other", "[AdvOut]\nFFFilePath=/v/ffmpeg\n")
    assert {one.path for one in found(tmp_path)} == {
        Path("/v/simple"),
        Path("/v/adv"),
        Path("/v/ffmpeg"),
        tmp_path,  # what OBS does not write down
    }


@pytest.mark.linux("Windows has no Flatpaks")
def test_the_flatpaks_are_found(tmp_path: Path) -> None:
    config = ".var/app/com.obsproject.Studio/config/obs-studio"
    profile(tmp_path, "Untitled", "[SimpleOutput]\nFilePath=/v/flat\n", config=config)
    assert RecordFolder(Path("/v/flat")) in found(tmp_path)


def test_without_settings_none_is(tmp_path: Path) -> None:
    assert found(tmp_path) == set()
    profile(tmp_path, "Untitled", "")
    (tmp_path / ".config/obs-studio/basic/profiles/Untitled/basic.ini").write_bytes(b"\0" * 2**21)
    assert found(tmp_path) == set()


def test_names_of_files_with_folders_go_as_deep_as_they_say(tmp_path: Path) -> None:
    text = "[Output]\nFilenameFormatting=%CCYY/%MM/%DD\n[SimpleOutput]\nFilePath=/v\n"
    profile(tmp_path, "Untitled", text)
    assert RecordFolder(Path("/v"), 2) in found(tmp_path)


def test_a_folder_is_one_of_obs_or_is_not(tmp_path: Path) -> None:
    for name in ("videos/2026/11", "videos/.hidden", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    videos = tmp_path / "videos"
    known = [RecordFolder(videos)]
    deep = [RecordFolder(videos, 1)]
    assert is_one_of(videos, known)
    assert is_one_of(tmp_path / "elsewhere" / ".." / "videos", known)
    assert not is_one_of(tmp_path, known)
    assert not is_one_of(tmp_path / "elsewhere", known)
    assert not is_one_of(videos / "2026", known)
    assert is_one_of(videos / "2026", deep)
    assert not is_one_of(videos / "2026" / "11", deep)
    assert not is_one_of(videos / ".hidden", deep)
    assert not is_one_of(videos, [])


@pytest.mark.linux("links need a right of their own on Windows")
def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "videos")
    assert is_one_of(tmp_path / "link", [RecordFolder(tmp_path / "videos")])
    (tmp_path / "videos" / "away").symlink_to(tmp_path / "secrets")
    assert not is_one_of(tmp_path / "videos" / "away", [RecordFolder(tmp_path / "videos", 1)])
