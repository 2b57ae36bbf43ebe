# SPDX-License-Identifier: MIT
import json
import re
from pathlib import Path

import pytest

from pypac_obs.cli.running import grouped
from pypac_obs.incidents import CAUSES, Incident, describe, timeline_text

PACKET_HPP = Path(__file__).parents[2] / "cpp" / "timeline" / "packet.hpp"


def incident(cause: str, **changes: object) -> Incident:
    fields: dict[str, object] = {
        "cause": cause,
        "source": "discord",
        "output": None,
        "tracks": ("voice",),
        "begin": 48000,
        "frames": 4800,
    }
    return Incident(**(fields | changes))


def test_every_cause_of_the_native_core_has_a_sentence_in_the_same_order() -> None:
    enum = re.search(r"enum class Cause[^{]*\{(.*?)\}", PACKET_HPP.read_text(), re.DOTALL)
    assert enum is not None
    native = re.findall(r"^\s*(\w+),", enum[1], re.MULTILINE)
    assert len(native) > 10
    ours = (
        *("late_start", "output_added", "shared_track_lost", "clipped"),
        *("file_gone", "output_failed", "disk_full"),
    )
    assert (*native, *ours) == CAUSES


@pytest.mark.parametrize("cause", CAUSES)
def test_every_sentence_names_who_and_when(cause: str) -> None:
    sentence = describe(incident(cause, output="files"), 48000)
    of_a_track = cause in ("track_muted", "no_sources", "track_removed", "filter_late")
    assert "discord" in sentence or "files" in sentence or (of_a_track and "voice" in sentence)
    assert "0:01.000" in sentence
    assert "{" not in sentence
    assert "_" not in sentence


def test_clipped_frames_are_not_missing_and_are_summed_up_for_each_track() -> None:
    loud = [
        incident("clipped", source=None, output="files", tracks=(track,), begin=at * 96_000)
        for at in range(5)
        for track in ("game", "voice")
    ]
    assert loud[0].missing == 0
    sentences = list(grouped(loud, 48_000))
    assert len(sentences) == 2
    assert sentences[0].startswith("the output files clipped 4800 frames of game from 0:00.000 on")
    assert sentences[1].endswith("24000 frames in all")


def test_the_sentence_says_from_when_to_when() -> None:
    gap = incident("not_running", begin=0, frames=245760)
    assert describe(gap, 48000) == "discord was not running from 0:00.000 to 0:05.120"


def test_a_loss_of_an_output_names_the_output_and_its_tracks() -> None:
    loss = incident("output_overrun", source=None, output="files", tracks=("game", "voice"))
    assert describe(loss, 48000) == (
        "the output files was too slow from 0:01.000 to 0:01.100: "
        "4800 frames of game and voice were dropped"
    )


def test_without_a_source_the_tracks_are_named() -> None:
    assert describe(incident("stalled", source=None), 48000).startswith("voice gave nothing")


def test_the_detail_ends_the_sentence() -> None:
    full = incident("disk_full", source=None, output="files", detail="0 bytes free in /rec")
    assert describe(full, 48000) == (
        "the output files stopped at 0:01.000: the disk is full: 0 bytes free in /rec"
    )


def test_a_cause_of_a_newer_core_is_named_as_it_is() -> None:
    sentence = describe(incident("solar_flare"), 48000)
    assert sentence == "solar flare: discord from 0:01.000 to 0:01.100"


@pytest.mark.parametrize("cause", CAUSES)
def test_frames_that_moved_or_came_twice_or_late_are_not_missing(cause: str) -> None:
    all_there = {
        "late",
        "overlap",
        "restamped",
        "clipped",
        "file_gone",
        "output_failed",
        "disk_full",
    }
    assert incident(cause).missing == (0 if cause in all_there else 4800)


def test_many_alike_are_summed_by_what_is_missing() -> None:
    (moved,) = grouped([incident("restamped", begin=at * 4800) for at in range(9)], 48000)
    assert "8 more times" in moved
    assert "in all" not in moved
    (gaps,) = grouped([incident("stalled", begin=at * 4800) for at in range(9)], 48000)
    assert gaps.endswith("43200 frames in all")


def test_one_frame_is_singular() -> None:
    assert "lost 1 frame of discord" in describe(incident("lost_cycles", frames=1), 48000)


@pytest.mark.parametrize(
    ("frame", "rate", "text"),
    [
        (0, 48000, "0:00.000"),
        (23, 48000, "0:00.000"),
        (24, 48000, "0:00.001"),
        (48000 * 60 - 1, 48000, "1:00.000"),
        (44100 * 3599, 44100, "59:59.000"),
        (44100 * 36000 + 441, 44100, "10:00:00.010"),
    ],
)
def test_places_on_the_timeline_are_rounded_to_the_millisecond(
    frame: int, rate: int, text: str
) -> None:
    assert timeline_text(frame, rate) == text


def test_json_holds_every_field_under_its_name() -> None:
    one = incident("late", detail="x")
    plain = json.loads(json.dumps(one.to_json()))
    assert Incident(**(plain | {"tracks": tuple(plain["tracks"])})) == one
