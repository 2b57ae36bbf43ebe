# SPDX-License-Identifier: MIT
"""The names that MP4 files give their audio tracks, where FFmpeg does not tell them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypac_obs.obs.recording import mp4_track_names


def box(kind: bytes, *inside: bytes) -> bytes:
    data = b"".join(inside)
    return (8 + len(data)).to_bytes(4, "big") + kind + data


def track(handler: bytes, *names: bytes) -> bytes:
    what = box(b"hdlr", bytes(8), handler, bytes(12), b"OBS Audio Handler\0")
    told = [box(b"udta", *(box(b"name", name) for name in names), box(b"\xa9enc", b"aac"))]
    return box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", what), *(told if names else ()))


TRACKS = (
    track(b"vide", b"advanced_video_stream"),
    track(b"soun", b"Mix"),
    track(b"soun", "Stimme \u00fc\0".encode()),
    track(b"soun"),
    track(b"text", b"chapters"),
)
BEGIN = box(b"ftyp", b"isom", bytes(4))
SOUND = box(b"mdat", b"moov" * 100)
DESCRIPTION = box(b"moov", box(b"mvhd", bytes(100)), *TRACKS)
NAMES = ("Mix", "Stimme \u00fc", "")


def names(folder: Path, data: bytes) -> tuple[str, ...]:
    file = folder / "recording.mp4"
    file.write_bytes(data)
    return mp4_track_names(file)


@pytest.mark.parametrize(
    "sound",
    [
        SOUND,
        (1).to_bytes(4, "big") + b"mdat" + (16 + 400).to_bytes(8, "big") + bytes(400),
        b"",
    ],
)
def test_each_audio_track_has_its_name(tmp_path: Path, sound: bytes) -> None:
    assert names(tmp_path, BEGIN + sound + DESCRIPTION) == NAMES
    assert names(tmp_path, BEGIN + DESCRIPTION + sound) == NAMES


def test_a_last_box_may_go_on_to_the_end(tmp_path: Path) -> None:
    assert names(tmp_path, BEGIN + SOUND + bytes(4) + DESCRIPTION[4:]) == NAMES


@pytest.mark.parametrize("data", [b"", b"\x1aE\xdf\xa3" + DESCRIPTION, BEGIN, BEGIN + SOUND])
def test_what_has_no_description_has_no_names(tmp_path: Path, data: bytes) -> None:
    assert names(tmp_path, data) == ()


def test_damage_costs_names_and_no_more(tmp_path: Path) -> None:
    whole = BEGIN + DESCRIPTION
    for end in range(0, len(whole), 7):
        assert names(tmp_path, whole[:end]) == ()
    for at in range(0, len(whole), 3):
        found = names(tmp_path, whole[:at] + b"\xff\0"[at % 2 :][:1] + whole[at + 1 :])
        assert len(found) <= len(TRACKS)
