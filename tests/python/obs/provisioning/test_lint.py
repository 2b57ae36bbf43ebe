# SPDX-License-Identifier: MIT
"""What is allowed but seldom meant is said, and what is fine is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_obs import FakeObs

from pypac_obs.obs.client.look import read_actual
from pypac_obs.obs.client.status import TRACK_KIND
from pypac_obs.obs.provisioning.desired import PARAMETERS, desired_state
from pypac_obs.obs.provisioning.lint import obs_warnings, profile_warnings, unseen_obs_warnings
from pypac_obs.profile import Profile, load_profile

CONFIGS = Path(__file__).parents[4] / "configs"

SOURCES = {
    "game": {"process": "game.exe"},
    "discord": {"process": ["Discord.exe", "vesktop"]},
    "music": {"process": "spotify"},
    "mic": {"device": "default"},
    "all": {"system": True},
    "rest": {"everything_except": ["game"]},
    "rest without chat": {"everything_except": ["game", {"process": "Disc*"}]},
    "rest without music": {"everything_except": ["music"]},
    "quiet rest": {"everything_except": ["discord", {"process": "Spotify.EXE"}]},
    "game too": {"process": ["launcher", "GAME"]},
    "games": {"process": ["game*", "?ame"]},
    "games too": {"process": ["GAME*"]},
    "tone": {"synthetic": {"kind": "tone"}},
}


def profile_of(session: dict | None = None, tracks: dict | None = None, **obs: Any) -> Profile:
    to = tracks or {"game": 2, "mic": 3}
    return Profile.from_dict(
        {
            "version": 1,
            "session": {"latency_ms": 10} | (session or {}),
            "sources": SOURCES,
            "tracks": {name: {"from": name} for name in SOURCES},
            "outputs": {"obs": {"tracks": to} | obs},
        }
    )


def seen(obs: FakeObs, profile: Profile) -> list[str]:
    actual = read_actual(obs, PARAMETERS)
    return obs_warnings(profile, desired_state(profile, "session", actual), actual)


@pytest.fixture
def quiet() -> FakeObs:
    """An OBS about which there is nothing to say."""
    obs = FakeObs()
    obs.parameters.update({("Output", "Mode"): "Advanced", ("AdvOut", "RecTracks"): "63"})
    for name in ("Desktop Audio", "Mic/Aux"):
        obs.request("SetInputMute", inputName=name, inputMuted=True)
    return obs


def test_nothing_is_said_where_all_is_fine(quiet: FakeObs):
    assert profile_warnings(profile_of()) == []
    assert seen(quiet, profile_of()) == []


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (profile_of({"latency_ms": 50}), "OBS buffers 43 ms more (2 ticks of 1024 frames)"),
        (profile_of({"latency_ms": 55}, transport="auto"), "OBS buffers 64 ms more (3 ticks"),
        (profile_of({"sample_rate": 96000}), "converts what comes at 96000 Hz"),
        (
            profile_of(recording={"tracks": [1, 2]}),
            'The track "mic" is on OBS track 3, and the recording has only 1, 2.',
        ),
        (
            profile_of(tracks={"discord": [1, 6]}, vod_track=6),
            'The track "discord" is on the VOD track (6) and brings voice chat (Discord.exe).',
        ),
        (profile_of(tracks={"music": 6}, vod_track=6), "brings music (spotify)."),
        (profile_of(tracks={"all": 6}, vod_track=6), "everything that the computer plays"),
        (
            profile_of(tracks={"rest": 6}, vod_track=6),
            "brings every program that is not excepted, music and voice chat among them.",
        ),
        (profile_of(tracks={"rest without chat": 6}, vod_track=6), "excepted, music among them."),
        (profile_of(tracks={"rest without music": 6}, vod_track=6), "d, voice chat among them."),
        (
            profile_of(tracks={"game": [1, 2], "all": [2, 3]}),
            'OBS track 2 gets "game" twice: by the track "game" and by "all".',
        ),
        (profile_of(tracks={"discord": 1, "rest": 1}), 'OBS track 1 gets "discord" twice'),
        (
            profile_of(tracks={"game": [1, 2], "game too": [2, 3]}),
            'OBS track 2 gets "game.exe" twice: by the track "game" and by "game too".',
        ),
    ],
)
def test_what_the_profile_alone_shows(profile: Profile, words: str):
    warnings = profile_warnings(profile)
    assert len(warnings) == 1
    assert words in warnings[0]


@pytest.mark.parametrize(
    ("session", "filters", "words"),
    [
        (
            {"latency_ms": 10},
            [{"delay": {"delay_ms": -20}}],
            'With latency_ms 10 and 20 ms for filters (the track "mic" takes longest) OBS buffers '
            "21 ms more (1 tick of 1024 frames)",
        ),
        (
            {"latency_ms": 10, "filter_headroom_ms": 20},
            [{"gain": {"gain_db": 1}}],
            "With latency_ms 10 and 20 ms for filters (session.filter_headroom_ms) OBS buffers 21",
        ),
        ({"latency_ms": 40}, [{"delay": {"delay_ms": -100}}], "OBS buffers 149 ms more (7 ticks"),
        (
            {"latency_ms": 50},
            [{"limiter": {}}],
            'With latency_ms 50 and 10 ms for filters (the track "mic" takes longest) OBS buffers ',
        ),
        ({"latency_ms": 10}, [{"gain": {"gain_db": 1}}], ""),
        ({"latency_ms": 10}, [{"limiter": {}}], ""),
    ],
)
def test_what_filters_take_counts_for_what_obs_buffers(session: dict, filters: list, words: str):
    profile = Profile.from_dict(
        profile_of(session).model_dump()
        | {"tracks": {"game": {"from": "game"}, "mic": {"from": "mic", "filters": filters}}}
    )
    warnings = profile_warnings(profile)
    assert [words in one for one in warnings] == ([True] if words else [])


@pytest.mark.parametrize(
    "profile",
    [
        profile_of(tracks={"game": 1, "rest": 1}),  # the rest has no game in it
        profile_of(tracks={"game": 1, "all": 2}),
        profile_of(tracks={"discord": 1, "game": 6}, vod_track=6),
        profile_of(tracks={"mic": 1, "all": 1}),
        profile_of(tracks={"quiet rest": 6}, vod_track=6),
        profile_of(tracks={"rest": 1, "game": 6}, vod_track=6),
        profile_of(tracks={"game": 1, "game too": 2}),
        profile_of(tracks={"games": 1, "games too": 1}),  # a pattern may mean any program
        profile_of({"latency_ms": 80}, transport="device"),
        profile_of({"latency_ms": 40}),  # the default
        profile_of({"sample_rate": 44100}),
    ],
)
def test_what_only_looks_like_a_mistake_is_not_said(profile: Profile):
    assert profile_warnings(profile) == []


def test_desktop_audio_beside_a_track_of_a_program(quiet: FakeObs):
    quiet.inputs["Desktop Audio"]["muted"] = False
    quiet.inputs["Mic/Aux"]["muted"] = False
    assert seen(quiet, profile_of()) == [
        '"Desktop Audio" is on all six tracks of OBS and brings all programs there: "game" is '
        "recorded twice. `desktop_audio: mute` or `unassign` prevents it.",
        '"Mic/Aux" is on all six tracks of OBS and brings a microphone there: "mic" is recorded '
        "twice. `mic_aux: mute` or `unassign` prevents it.",
    ]
    assert seen(quiet, profile_of(desktop_audio="mute", mic_aux="unassign")) == []
    quiet.inputs["Desktop Audio"]["tracks"] = {1, 3}
    quiet.inputs["Mic/Aux"]["tracks"] = {1, 2}
    assert seen(quiet, profile_of()) == []
    assert seen(quiet, profile_of(tracks={"tone": [1, 2, 3]})) == []


def test_another_input_that_brings_the_same_program(quiet: FakeObs):
    kind = "pipewire_audio_application_capture"
    quiet.add_input("Mine", kind, TargetName="GAME.exe")["tracks"] = {2}
    quiet.add_input("Other", kind, TargetName="firefox")
    quiet.add_input("Elsewhere", kind, TargetName="game.exe")["tracks"] = {5}
    other_programs = {"ExceptApp": True, "apps": [{"value": "Game"}], "TargetName": "firefox"}
    quiet.add_input("All but the game", kind, CaptureMode=1, **other_programs)["tracks"] = {2}
    quiet.add_input("Speakers", "pulse_output_capture", device_id="x")["tracks"] = {2}
    warnings = seen(quiet, profile_of())
    assert len(warnings) == 2
    assert warnings[0].startswith('"Mine" is on track 2 of OBS and brings it there: "game" is')
    assert warnings[1].startswith('"Speakers" is on track 2 of OBS and brings all programs there')
    quiet.inputs["All but the game"]["settings"]["CaptureMode"] = 0  # what TargetName names
    assert (
        '"All but the game" is on track 2 of OBS and brings it there'
        in seen(quiet, profile_of())[1]
    )


def test_another_rate_than_obs_has(quiet: FakeObs):
    quiet.parameters[("Audio", "SampleRate")] = "44100"
    [warning] = seen(quiet, profile_of())
    assert warning.startswith("OBS runs at 44100 Hz and the session at 48000 Hz")


def test_a_scene_that_is_not_shown(quiet: FakeObs):
    [warning] = seen(quiet, profile_of(scene="Gaming"))
    assert warning == (
        'OBS shows the scene "Scene" now: the tracks are heard only while "Gaming" is shown, or a '
        "scene that has it in it."
    )
    [warning] = seen(quiet, profile_of(scene=["Gaming", "Chatting"]))
    assert 'while "Gaming" or "Chatting" is shown, or a scene that has one of them in' in warning


@pytest.mark.parametrize("scene", ["*", "SCENE", "Gaming"])
def test_a_scene_in_which_the_tracks_are_heard(quiet: FakeObs, scene: str):
    quiet.request("CreateScene", sceneName="Gaming")
    quiet._add_item("Scene", "Gaming", enabled=True)
    assert seen(quiet, profile_of(scene=[scene, "Sc?ne"])) == []
    assert seen(quiet, profile_of(scene="Gaming")) == []
    quiet.scenes["Scene"][0]["enabled"] = False
    assert len(seen(quiet, profile_of(scene="Gaming"))) == 1


def test_a_scene_into_which_the_user_has_put_the_tracks_himself(quiet: FakeObs):
    quiet.add_input("game", TRACK_KIND, "Scene", session="session", track="game")
    assert len(seen(quiet, profile_of(scene="Gaming"))) == 1
    quiet.add_input("mic", TRACK_KIND, "Scene", session="session", track="mic")
    assert seen(quiet, profile_of(scene="Gaming")) == []


def test_a_scene_that_shows_two_others_which_have_the_tracks(quiet: FakeObs):
    for scene in ("Gaming", "Webcam"):
        quiet.request("CreateScene", sceneName=scene)
        quiet._add_item("Scene", scene, enabled=True)
    [warning] = seen(quiet, profile_of())
    assert warning.startswith('The scene "Scene" shows "Webcam" and "Gaming", and each has the')
    assert seen(quiet, profile_of(scene=["Scene"])) == []


def test_a_track_that_obs_does_not_record(quiet: FakeObs):
    quiet.parameters[("AdvOut", "RecTracks")] = "4"
    [warning] = seen(quiet, profile_of())
    assert warning.startswith('The track "game" is on OBS track 2, and OBS records 3;')
    quiet.parameters[("Output", "Mode")] = "Simple"
    assert len(seen(quiet, profile_of())) == 2


def test_a_vod_track_that_is_the_streams_own(quiet: FakeObs):
    [warning] = seen(quiet, profile_of(vod_track=1))
    assert "The stream has track 1 too" in warning


def test_the_vod_track_that_is_set_in_obs(quiet: FakeObs):
    quiet.parameters[("AdvOut", "VodTrackEnabled")] = "true"
    quiet.parameters[("AdvOut", "VodTrackIndex")] = "6"
    profile = profile_of(tracks={"music": [1, 6], "game": [2, 6]})
    assert seen(quiet, profile) == [
        'The track "music" is on the VOD track that is set in OBS (6) and brings music (spotify).'
    ]
    assert seen(quiet, profile_of(tracks={"music": [1, 5]})) == []
    # The profile's own goes before it.
    assert seen(quiet, profile_of(tracks={"music": 6}, vod_track=5)) == []
    quiet.parameters[("AdvOut", "VodTrackEnabled")] = "false"
    assert seen(quiet, profile) == []


def test_a_vod_track_of_the_advanced_mode_counts_in_that_alone(quiet: FakeObs):
    quiet.parameters[("AdvOut", "VodTrackEnabled")] = "true"
    quiet.parameters[("AdvOut", "VodTrackIndex")] = "1"
    quiet.parameters[("Output", "Mode")] = "Simple"
    assert seen(quiet, profile_of(tracks={"music": 1})) == []
    [warning] = seen(quiet, profile_of(tracks={"music": 1}, recording={"tracks": [1]}))
    assert "is on the VOD track that is set in OBS (1)" in warning


def test_the_vod_track_of_the_simple_mode_is_the_second(quiet: FakeObs):
    quiet.parameters[("Output", "Mode")] = "Simple"
    profile = profile_of(tracks={"music": [1, 2]})
    for key in ("VodTrackEnabled", "UseAdvanced"):
        assert seen(quiet, profile) == []
        quiet.parameters[("SimpleOutput", key)] = "true"
    [warning] = seen(quiet, profile)
    assert "is on the VOD track that is set in OBS (2) and brings music (spotify)" in warning
    assert seen(quiet, profile_of(tracks={"music": 1})) == []


def test_desktop_audio_that_the_profile_leaves_is_said_where_no_obs_is_asked(quiet: FakeObs):
    [warning] = unseen_obs_warnings(profile_of())
    assert warning.startswith('The profile leaves OBS\'s own "Desktop Audio" as it is: if that is')
    # Those that look at OBS say what it really does.
    assert seen(quiet, profile_of()) == profile_warnings(profile_of()) == []


@pytest.mark.parametrize(
    "profile",
    [
        profile_of(desktop_audio="keep"),
        profile_of(desktop_audio="mute"),
        profile_of(desktop_audio="unassign"),
        profile_of(tracks={"mic": 1, "tone": 2}),
        Profile.from_dict(
            {"version": 1, "sources": {"a": {"process": "a"}}, "tracks": {"a": {"from": "a"}}}
        ),
    ],
)
def test_desktop_audio_is_not_said_where_it_is_meant_or_does_no_harm(profile: Profile):
    assert unseen_obs_warnings(profile) == []


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_nothing_is_said_of_the_profiles_in_configs(path: Path):
    profile = load_profile(path)
    assert [*profile_warnings(profile), *unseen_obs_warnings(profile)] == []


def monitored(*excluded: object, monitor: str = "monitor_only") -> list[str]:
    profile = Profile.from_dict(
        {
            "version": 1,
            "session": {"latency_ms": 10},
            "sources": {
                "game": {"process": "game"},
                "rest": {"everything_except": ["game", *excluded]},
            },
            "tracks": {"game": {"from": "game"}, "rest": {"from": "rest"}},
            "outputs": {"obs": {"tracks": {"game": {"to": 2, "monitor": monitor}, "rest": 3}}},
        }
    )
    return profile_warnings(profile)


def test_a_monitored_track_that_everything_except_would_catch_again_is_said():
    [warning] = monitored()
    assert warning.startswith('OBS plays "game" to you (monitor), and "rest" in the track "rest"')


@pytest.mark.parametrize("program", ["obs", "OBS64.exe", "obs*"])
def test_nothing_is_said_where_obs_is_excepted(program: str):
    assert monitored({"process": program}) == []


def test_nothing_is_said_where_obs_plays_nothing_to_the_user():
    assert monitored(monitor="none") == []
