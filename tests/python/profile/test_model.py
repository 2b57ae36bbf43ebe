# SPDX-License-Identifier: MIT
"""What a profile holds once it is read, and profiles that are built from Python."""

import json
import math
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from pypac_obs import _core
from pypac_obs.profile import (
    DeviceSource,
    DropOut,
    EverythingExceptSource,
    FilesRule,
    FilterRule,
    ProcessRef,
    ProcessSource,
    Profile,
    ProfileError,
    Send,
    SyntheticSource,
    SystemSource,
    TrackRule,
    parse_profile,
)
from pypac_obs.profile.native_values import native_values

TEXT = """\
version: 1
sources:
  game: {process: game.exe}
  voice: {process: [Discord.exe, 4711], except: "*helper*", pick: newest}
  rest: {everything_except: [game, {process: obs}]}
  mic: {device: default}
  all: {system: true}
  tone: {synthetic: {kind: tone, dropouts: [{at_s: 1, length_ms: 5}]}}
tracks:
  game: {from: game}
  voice: {from: [voice, {source: mic, gain_db: 3}], filters: [{gain: {gain_db: -6}}], channels: 1}
  rest: {from: {source: rest}}
outputs:
  files: {}
"""
MINIMAL = {
    "version": 1,
    "sources": {"game": {"process": "game.exe"}},
    "tracks": {"game": {"from": "game"}},
}


def changed(**sections: object) -> dict[str, object]:
    return {**MINIMAL, **sections}


@pytest.mark.parametrize(
    ("written", "channels"), [("", ()), (", channels: 1", (1,)), (", channels: [3, 4]", (3, 4))]
)
def test_a_device_names_its_inputs(written: str, channels: tuple[int, ...]):
    text = f"version: 1\nsources: {{mic: {{device: x{written}}}}}\ntracks: {{mic: {{from: mic}}}}\n"
    assert parse_profile(text).sources["mic"] == DeviceSource(device="x", channels=channels)


@pytest.mark.parametrize(
    ("channels", "expected", "found"),
    [
        ("65", "a whole number from 1 to 64", "the number 65"),
        ("[1, left]", "a whole number from 1 to 64", '"left"'),
        ("[1, 2, 3]", "a list of 0 to 2 items", "3 of them"),
    ],
)
def test_inputs_that_no_device_has_are_refused(channels: str, expected: str, found: str):
    text = f"version: 1\nsources: {{mic: {{device: x, channels: {channels}}}}}\n"
    with pytest.raises(ProfileError) as raised:
        parse_profile(text + "tracks: {mic: {from: mic}}\n")
    mistake = raised.value.mistakes[0]
    assert (mistake.expected, mistake.found) == (expected, found)


def test_each_kind_of_source_becomes_its_own_type():
    sources = parse_profile(TEXT).sources
    assert sources["game"] == ProcessSource(process=("game.exe",))
    assert sources["voice"] == ProcessSource(
        process=("Discord.exe", 4711), except_=("*helper*",), pick="newest"
    )
    assert sources["rest"] == EverythingExceptSource(
        everything_except=("game", ProcessRef(process=("obs",)))
    )
    assert sources["mic"] == DeviceSource(device="default")
    assert sources["all"] == SystemSource(system=True)
    tone = sources["tone"]
    assert isinstance(tone, SyntheticSource)
    assert tone.synthetic.dropouts == (DropOut(at_s=1.0, length_ms=5.0),)
    assert [source.kind for source in sources.values()] == [
        "process",
        "process",
        "everything_except",
        "device",
        "system",
        "synthetic",
    ]


def test_short_forms_of_sends_mean_their_long_forms():
    tracks = parse_profile(TEXT).tracks
    assert tracks["game"] == TrackRule(sends=(Send(source="game"),))
    assert tracks["voice"].sends == (Send(source="voice"), Send(source="mic", gain_db=3.0))
    assert tracks["voice"].filters == (FilterRule(kind="gain", settings={"gain_db": -6.0}),)
    assert tracks["voice"].channels == 1
    assert tracks["rest"].sends == (Send(source="rest"),)


def test_what_is_left_out_has_the_documented_default():
    profile = Profile.from_dict(MINIMAL)
    assert profile.session.sample_rate == 48000
    assert profile.session.latency_ms == 40
    assert profile.session.rings.capture_ms == 500
    assert profile.session.rings.output_ms == 4000
    assert profile.outputs.files is None
    assert (profile.name, profile.file) == ("profile", None)


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        ({}, "float32"),
        ({"format": "wav", "encoding": "pcm16"}, "pcm16"),
        ({"format": "flac"}, "pcm24"),
        ({"format": "flac", "encoding": "pcm16"}, "pcm16"),
    ],
)
def test_the_encoding_follows_the_format_unless_it_is_written(written: dict, encoding: str):
    files = Profile.from_dict(changed(outputs={"files": written})).outputs.files
    assert files is not None
    assert files.encoding == encoding


def test_outputs_are_found_by_their_names_whatever_those_are():
    names = ("short_files", "by_name", "model_dump", "Ünïcode", "x (2)")
    outputs = {"files": {}, **{name: {"files": {"format": "flac"}} for name in names}}
    outputs["studio"] = {"obs": {"tracks": {"game": 1}}}
    profile = Profile.from_dict(changed(outputs=outputs))
    assert list(profile.outputs.by_name()) == ["files", *names, "studio"]
    assert profile.outputs.files is profile.outputs.by_name()["files"]
    assert profile.outputs.obs is profile.outputs.by_name()["studio"]
    assert Profile.from_dict(profile.model_dump()) == profile
    assert Profile.from_dict(json.loads(profile.model_dump_json())) == profile


@pytest.mark.parametrize(
    ("outputs", "is_right"),
    [
        ({"archive": {"files": {}}, "files": {}}, True),
        ({"meter": {"plugin": {"use": "meter", "settings": {"a": [1]}}}}, True),
        ({"archive": {"folder": "x"}}, False),
        ({"archive": {}}, False),
        ({"archive": {"files": {}, "plugin": {"use": "meter"}}}, False),
        ({"meter": {"plugin": {}}}, False),
    ],
)
def test_the_json_schema_knows_outputs_with_names(outputs: dict, is_right: bool):
    data = json.loads(json.dumps(changed(outputs=outputs)))
    assert Draft202012Validator(Profile.json_schema()).is_valid(data) is is_right
    if is_right:
        Profile.from_dict(data)
    else:
        with pytest.raises(ProfileError):
            Profile.from_dict(data)


def test_flac_does_not_hold_floats():
    with pytest.raises(ProfileError, match="pcm24 or pcm16, which is what flac can hold"):
        Profile.from_dict(changed(outputs={"files": {"format": "flac", "encoding": "float32"}}))


def test_a_dump_builds_an_equal_profile_also_by_way_of_json():
    profile = parse_profile(TEXT)
    assert Profile.from_dict(profile.model_dump()) == profile
    assert Profile.from_dict(json.loads(profile.model_dump_json())) == profile


def test_profiles_differ_when_a_value_or_the_name_differs():
    profile = Profile.from_dict(MINIMAL)
    assert profile == Profile.from_dict(MINIMAL)
    assert profile != Profile.from_dict(MINIMAL, name="other")
    assert profile != Profile.from_dict(changed(session={"latency_ms": 41}))


def test_a_profile_cannot_be_changed():
    profile = Profile.from_dict(MINIMAL)
    with pytest.raises(ValidationError):
        profile.session.latency_ms = 10  # type: ignore[misc]


def test_a_source_that_nothing_uses_is_a_warning():
    warnings = parse_profile(TEXT).warnings
    assert len(warnings) == 2
    assert '"all"' in warnings[0]
    assert '"tone"' in warnings[1]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("pan", {"pan": 0.5}),
        ("width", {"width": 0}),
        ("mono", {"channel": "right"}),
        ("invert", {"channels": "left"}),
        ("invert", {"channels": "right"}),
        ("channel_map", {"left": "right", "right": "left"}),
        ("channel_map", {"left": "none"}),
        ("gain", {"gain_db": -6}),
    ],
)
def test_a_filter_that_changes_nothing_on_a_mono_track_is_a_warning(
    kind: str, settings: dict[str, Any]
):
    sources = {"game": {"process": "g"}}
    track = {"from": "game", "filters": "preset", "channels": 1}
    presets = {"preset": [{kind: settings}]}
    mono = Profile.from_dict(changed(sources=sources, presets=presets, tracks={"a": track}))
    chain = _core.OfflineChain(
        [(one.kind, native_values(one.settings), False) for one in mono.tracks["a"].filters],
        sample_rate=48_000,
        channels=1,
    )
    audio = np.random.default_rng(1).uniform(-0.5, 0.5, (480, 1)).astype(np.float32)
    unchanged = bool(np.array_equal(chain.process(audio, []), audio))
    said = (
        f'The track "a" is mono (channels: 1), so its filter {kind} changes nothing as it is set.'
    )
    assert mono.warnings == ((said,) if unchanged else ())
    stereo = {**track, "channels": 2}
    both = changed(sources=sources, presets=presets, tracks={"a": stereo})
    assert Profile.from_dict(both).warnings == ()


def test_a_source_that_only_an_exclusion_names_is_no_warning():
    sources = {"game": {"process": "g"}, "rest": {"everything_except": "game"}}
    assert (
        Profile.from_dict(changed(sources=sources, tracks={"a": {"from": "rest"}})).warnings == ()
    )


@pytest.mark.parametrize("gain", [math.nan, math.inf, -math.inf, 40.1, -121, True, "3", None])
def test_python_values_are_checked_as_strictly_as_yaml(gain: object):
    data = changed(tracks={"game": {"from": {"source": "game", "gain_db": gain}}})
    with pytest.raises(
        ProfileError, match=r"tracks\.game\.from\.gain_db: expected a number from -120"
    ):
        Profile.from_dict(data)


@pytest.mark.parametrize(
    ("python_name", "rule"),
    [("except_", {"process": "a", "except_": "b"}), ("sends", {"sends": "game"})],
)
def test_names_that_only_python_uses_are_no_keys(python_name: str, rule: dict):
    section = "sources" if "process" in rule else "tracks"
    with pytest.raises(ProfileError, match=f'found "{python_name}"'):
        Profile.from_dict(changed(**{section: {"game": rule}}))


def test_models_that_are_built_directly_are_checked_too():
    with pytest.raises(ValidationError):
        ProcessSource(process=(0,))
    with pytest.raises(ValidationError):
        FilterRule(kind="gian", settings={})
    with pytest.raises(ValidationError, match="expected the name of a source"):
        Profile(
            version=1,
            sources={"game": ProcessSource(process=("game",))},
            tracks={"game": TrackRule(sends=(Send(source="gaem"),))},
        )


def test_more_than_256_tracks_are_refused():
    tracks = {f"t{i}": {"from": "game"} for i in range(257)}
    with pytest.raises(
        ProfileError, match="a mapping of 1 to 256 tracks by their names, found 257"
    ):
        Profile.from_dict(changed(tracks=tracks))
    del tracks["t0"]
    assert len(Profile.from_dict(changed(tracks=tracks)).tracks) == 256


def test_one_written_track_needs_no_track_in_its_name():
    tracks = {"game": {"from": "game"}, "more": {"from": "game"}}
    one = {"files": {"name": "{date}", "tracks": "game"}}
    files = Profile.from_dict(changed(tracks=tracks, outputs=one)).outputs.files
    assert files == FilesRule(name="{date}", tracks=("game",))
    with pytest.raises(ProfileError, match="as 2 tracks are written"):
        Profile.from_dict(changed(tracks=tracks, outputs={"files": {"name": "{date}"}}))


@pytest.mark.parametrize("data", [None, [], "text", 5, {1: 2}])
def test_what_is_no_profile_at_all_raises_the_same_error(data: object):
    with pytest.raises(ProfileError):
        Profile.from_dict(data)  # type: ignore[arg-type]


def crowd(sources: int, tracks: int, channels: int = 2, **session: object) -> dict[str, object]:
    return {
        "version": 1,
        "session": session,
        "sources": {f"s{n}": {"process": f"p{n}"} for n in range(sources)},
        "tracks": {f"t{n}": {"from": "s0", "channels": channels} for n in range(tracks)},
    }


@pytest.mark.parametrize(
    ("profile", "mistake"),
    [
        (
            crowd(1, 256, sample_rate=192_000, rings={"output_ms": 60_000}),
            "session.rings.output_ms: expected at most 5461 ms for 256 tracks at 192000 Hz "
            "(2 GiB of memory), found the number 60000",
        ),
        (
            crowd(1, 256, channels=1, sample_rate=192_000, rings={"output_ms": 10_923}),
            "session.rings.output_ms: expected at most 10922 ms for 256 tracks at 192000 Hz "
            "(2 GiB of memory), found the number 10923",
        ),
        (
            crowd(256, 1, sample_rate=192_000, latency_ms=2000, rings={"capture_ms": 10_000}),
            "session.rings.capture_ms: expected at most 3461 ms for 256 sources at 192000 Hz "
            "(2 GiB of memory), found the number 10000",
        ),
    ],
)
def test_rings_that_would_take_more_than_2_gib_are_refused(
    profile: dict[str, object], mistake: str
):
    with pytest.raises(ProfileError) as caught:
        Profile.from_dict(profile)
    assert [str(found) for found in caught.value.mistakes] == [f"<profile>: {mistake}"]


@pytest.mark.parametrize(
    "profile",
    [
        crowd(256, 256, sample_rate=192_000, latency_ms=2000),
        crowd(1, 256, sample_rate=192_000, rings={"output_ms": 5461}),
        crowd(1, 256, channels=1, sample_rate=192_000, rings={"output_ms": 10_922}),
        crowd(256, 1, sample_rate=192_000, latency_ms=2000, rings={"capture_ms": 3461}),
    ],
)
def test_rings_of_2_gib_or_less_are_taken_and_so_are_all_default_ones(profile: dict[str, object]):
    assert Profile.from_dict(profile).sources
