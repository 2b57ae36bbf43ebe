# SPDX-License-Identifier: MIT
"""What a profile says of OBS, once it is read."""

import json

import pytest

from pypac_obs.profile import (
    ObsRecording,
    ObsRule,
    ObsTrack,
    Profile,
    ProfileError,
    SecretRef,
    parse_profile,
)

TEXT = """\
version: 1
sources:
  game: {process: game.exe}
  voice: {process: discord}
tracks:
  game: {from: game}
  voice: {from: voice}
outputs:
  obs:
"""


def obs_of(text: str) -> ObsRule:
    rule = parse_profile(TEXT + "".join(f"    {line}\n" for line in text.splitlines())).outputs.obs
    assert rule is not None
    return rule


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        obs_of(text)
    return [str(mistake).split(": ", 1)[1] for mistake in caught.value.mistakes]


def test_short_forms_of_tracks_mean_their_long_forms():
    assert obs_of("tracks: {game: 2, voice: [1, 3]}").tracks == {
        "game": ObsTrack(to=(2,)),
        "voice": ObsTrack(to=(1, 3)),
    }


def test_what_is_left_out_asks_nothing_of_obs():
    rule = obs_of("tracks: {game: 2}")
    assert rule == ObsRule(tracks={"game": ObsTrack(to=(2,))})
    assert (rule.scene, rule.transport, rule.drift) == (("*",), "plugin", "mend")
    assert (rule.desktop_audio, rule.mic_aux) == ("keep", "keep")
    assert (rule.recording, rule.vod_track, rule.own_profile) == (None, None, None)
    assert (rule.host, rule.port, rule.password) == (None, None, None)
    track = rule.tracks["game"]
    assert (track.volume_db, track.mute, track.monitor, track.sync_offset_ms) == (None,) * 4


def test_scenes_are_a_name_a_pattern_or_a_list_of_both():
    assert obs_of("scene: Gaming\ntracks: {game: 2}").scene == ("Gaming",)
    assert obs_of('scene: [Gaming, "Chat*"]\ntracks: {game: 2}').scene == ("Gaming", "Chat*")
    assert len(mistakes_of("scene: []\ntracks: {game: 2}")) == 1
    assert len(mistakes_of("scene: [Gaming, 3]\ntracks: {game: 2}")) == 1


def test_a_scene_by_name_takes_that_name_and_a_pattern_takes_none():
    assert mistakes_of("scene: [Chatting, game]\ntracks: {game: 2}") == [
        'outputs.obs.tracks.game: expected a name that nothing else has in OBS, found "game", '
        "the name of the scene"
    ]
    assert obs_of('scene: "g*"\ntracks: {game: 2}').scene == ("g*",)


def test_recorded_tracks_are_named_by_their_numbers():
    rule = obs_of('tracks: {game: 2}\nrecording: {tracks: [1, 2], names: {1: Mix, "2": Game}}')
    assert rule.recording == ObsRecording(tracks=(1, 2), names={1: "Mix", 2: "Game"})


def test_a_dump_builds_an_equal_profile_also_by_way_of_json():
    lines = """\
    tracks: {game: 2, voice: {to: 3, mute: true}}
    password: {env: OBS_PASSWORD}
    recording: {tracks: [1, 2], names: {1: Mix}}
"""
    profile = parse_profile(TEXT + lines)
    assert Profile.from_dict(profile.model_dump()) == profile
    assert Profile.from_dict(json.loads(profile.model_dump_json())) == profile


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{env: OBS_PASSWORD}", SecretRef(env="OBS_PASSWORD")),
        ("{keyring: my OBS}", SecretRef(keyring="my OBS")),
    ],
)
def test_a_password_is_named_by_where_it_is(written: str, meant: SecretRef):
    assert obs_of(f"tracks: {{game: 2}}\npassword: {written}").password == meant


@pytest.mark.parametrize(
    "secret",
    ["sesame", '"sesame"', "5354", "0x5E5A", "1e99", "2026-11-23", "yes", "12:30", "!sesame open",
     "[sesame]", '{env: "se same"}', "{env: 5354}", "{env: 0x5E5A}", "{env: 12:30}"],
)  # fmt: skip
def test_a_password_that_is_written_out_is_refused_and_never_shown(secret: str):
    mistakes = mistakes_of(f"tracks: {{game: 2}}\npassword: {secret}")
    assert len(mistakes) == 1
    assert mistakes[0].startswith("outputs.obs.password")
    for part in ("sesame", "same", "5354", "5E5A", "1e99", "2026", "yes", "12:30"):
        assert part not in mistakes[0]


@pytest.mark.parametrize("password", ["{}", "{env: A, keyring: b}", "{file: x}"])
def test_a_password_has_exactly_one_place(password: str):
    assert len(mistakes_of(f"tracks: {{game: 2}}\npassword: {password}")) == 1


@pytest.mark.parametrize("number", ["0", "7", "true", '"2"', "2.0", "[]", "[1, 7]", "[1, 1]"])
def test_obs_has_six_tracks_and_each_counts_once(number: str):
    assert len(mistakes_of(f"tracks: {{game: {number}}}")) == 1


def test_two_inputs_cannot_share_a_name_in_obs():
    assert mistakes_of("tracks: {game: {to: 1, name: voice}, voice: 2}") == [
        'outputs.obs.tracks.voice: expected a name that nothing else has in OBS, found "voice", '
        'the name of the track "game"'
    ]


def test_a_track_can_take_the_name_that_another_one_gave_up():
    tracks = obs_of("tracks: {game: {to: 1, name: voice}, voice: {to: 2, name: game}}").tracks
    assert [rule.name for rule in tracks.values()] == ["voice", "game"]
