# SPDX-License-Identifier: MIT
"""Lists of filters under a name, and tracks that compare two of them."""

import json
import time
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from pypac_obs.profile import FilterRule, Profile, ProfileError, TrackRule, parse_profile
from pypac_obs.profile.filters import filter_names

TEXT = """\
version: 1
sources:
  mic: {device: default}
presets:
  soft: [{gain: {gain_db: -6}}]
  two:
    - gain: {name: trim, gain_db: 1}
    - gain: {gain_db: 2, bypass: true}
tracks:
"""


def gains(filters: tuple[FilterRule, ...]) -> list[object]:
    return [one.settings["gain_db"] for one in filters]


def mistakes(tracks: str) -> list[str]:
    with pytest.raises(ProfileError) as raised:
        parse_profile(TEXT + tracks)
    return [str(one).removeprefix("<profile>:") for one in raised.value.mistakes]


def test_a_preset_stands_for_its_filters_alone_or_among_others():
    profile = parse_profile(
        TEXT
        + "  one: {from: mic, filters: soft}\n"
        + "  more: {from: mic, filters: [{gain: {gain_db: 5}}, two, soft]}\n"
    )
    assert gains(profile.tracks["one"].filters) == [-6]
    more = profile.tracks["more"]
    assert gains(more.filters) == [5, 1, 2, -6]
    assert [name for name, _ in more.named_filters()] == ["gain", "trim", "gain-2", "gain-3"]
    assert [one.bypass for one in more.filters] == [False, False, True, False]


def test_what_a_profile_with_presets_says_is_read_again_as_the_same():
    text = TEXT + "  one: {from: mic, filters: [soft, two], compare: soft, chain: b}\n"
    profile = parse_profile(text)
    assert Profile.from_dict(profile.model_dump()) == profile
    assert Profile.from_dict(json.loads(json.dumps(profile.model_dump()))) == profile
    assert profile.model_dump()["presets"]["soft"] == ({"gain": {"gain_db": -6.0}},)
    validator = Draft202012Validator(Profile.json_schema())
    assert list(validator.iter_errors(yaml.safe_load(text))) == []
    nested = text.replace("soft: [{gain: {gain_db: -6}}]", "soft: [two]")
    assert not validator.is_valid(yaml.safe_load(nested))


def test_a_track_that_is_built_alone_gets_its_filters_from_the_profile():
    track = TrackRule.model_validate({"from": "mic", "filters": "soft"})
    assert track.model_dump()["filters"] == ("soft",)
    presets = {"soft": ({"gain": {"gain_db": -6}},)}
    sources = {"mic": {"device": "default"}}
    profile = Profile.model_validate(
        {"version": 1, "sources": sources, "presets": presets, "tracks": {"one": track}}
    )
    assert gains(profile.tracks["one"].filters) == [-6]


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        (
            "  one: {from: mic, filters: sofd}\n",
            '10:29: tracks.one.filters: expected the name of a preset (soft or two), found "sofd"; '
            'did you mean "soft"?',
        ),
        (
            "  one: {from: mic, filters: [soft, 3]}\n",
            "10:36: tracks.one.filters[1]: expected one filter, such as {gain: {gain_db: -6}}, "
            "found the number 3",
        ),
        (
            "  one: {from: mic, compare: [soft, x]}\n",
            '10:36: tracks.one.compare[1]: expected the name of a preset (soft or two), found "x"',
        ),
        (
            "  one: {from: mic, filters: [two, two]}\n",
            "10:35: tracks.one.filters[1]: expected each name once in a track, "
            'found "trim" again, in the preset "two"',
        ),
        (
            "  one: {from: mic, filters: limiter}\n",
            "10:29: tracks.one.filters: expected the name of a preset (soft or two), or the filter "
            '{limiter: {}}, found "limiter"',
        ),
        (
            "  one: {from: mic, chain: b}\n",
            "10:27: tracks.one.chain: expected compare beside it, which is chain b, found none",
        ),
        (
            "  one: {from: mic, compare: soft, chain: c}\n",
            '10:42: tracks.one.chain: expected a or b, found "c"',
        ),
    ],
)
def test_what_is_wrong_with_presets_and_chains_is_said_with_its_place(tracks: str, expected: str):
    assert mistakes(tracks) == [expected]


def test_a_preset_that_no_track_uses_is_said():
    profile = parse_profile(TEXT + "  one: {from: mic, compare: [{gain: {gain_db: 5}}, two]}\n")
    assert profile.warnings == ('No track uses the preset "soft".',)
    assert Profile.from_dict(profile.model_dump()).warnings == profile.warnings
    both = parse_profile(TEXT + "  one: {from: mic, filters: soft, compare: [two, soft]}\n")
    assert both.warnings == ()
    assert Profile.from_dict(both.model_dump()).warnings == ()


def test_a_preset_has_no_presets_in_it():
    with pytest.raises(ProfileError, match="there are no presets in a preset"):
        parse_profile(TEXT.replace("[{gain: {gain_db: -6}}]", "[two]") + "  one: {from: mic}\n")


def test_a_mistake_in_a_preset_is_said_once_and_where_it_is():
    text = (
        TEXT.replace("-6", "60")
        + "  a: {from: mic, filters: soft}\n  b: {from: mic, filters: soft}\n"
    )
    with pytest.raises(ProfileError) as raised:
        parse_profile(text)
    (mistake,) = raised.value.mistakes
    assert (mistake.line, mistake.path) == (5, "presets.soft[0].gain.gain_db")


@pytest.mark.parametrize(
    ("track", "remedy"),
    [
        (
            "filters: [{compressor: {ratio: 0}}]",
            "docs/filters.md and `pypac-obs plugins compressor` list the settings of filters.",
        ),
        (
            "filters: [{compressor: {ratio: 0}}, {gain: {}}], mute: 3",
            "docs/profile.md lists every key, "
            "docs/filters.md and `pypac-obs plugins` list those of filters.",
        ),
        (
            "compare: [{kompressor: {ratio: 0}}]",
            "docs/filters.md and `pypac-obs plugins` list the settings of filters.",
        ),
        ("filters: sofd", "docs/profile.md lists every key."),
        ("mute: 3", "docs/profile.md lists every key."),
    ],
)
def test_the_page_that_lists_what_is_meant_is_named(track: str, remedy: str):
    with pytest.raises(ProfileError) as raised:
        parse_profile(TEXT + f"  one: {{from: mic, {track}}}\n")
    assert raised.value.remedy == f"Correct the profile; {remedy}"


def test_a_mistake_in_a_preset_names_its_filter():
    with pytest.raises(ProfileError) as raised:
        parse_profile(TEXT.replace("-6", "60") + "  one: {from: mic, filters: soft}\n")
    assert "`pypac-obs plugins gain`" in str(raised.value.remedy)


def test_no_more_filters_than_a_track_takes_whatever_they_come_from():
    filters: list[Any] = [{"gain": {"gain_db": 0}}] * 33
    data = {
        "version": 1,
        "sources": {"mic": {"device": "default"}},
        "presets": {"many": filters},
        "tracks": {"one": {"from": "mic", "filters": "many", "compare": filters}},
    }
    with pytest.raises(ProfileError, match=r"tracks\.one\.filters: .* at most 64 filters"):
        Profile.from_dict(data)


def test_a_short_profile_of_many_filters_is_told_so_at_once():
    names = [f"t{n}" for n in range(200)]
    keys = names[:16]
    data: dict[str, Any] = {
        "version": 1,
        "sources": {"mic": {"device": "default"}},
        "presets": {"p": [{"duck": {"key": keys}}] * 64},
        "tracks": {
            name: {"from": "mic", "filters": ["p"] * 64, "compare": ["p"] * 64} for name in names
        },
    }
    began = time.process_time()
    with pytest.raises(ProfileError) as raised:
        Profile.from_dict(data)
    assert len(raised.value.mistakes) == 200
    assert "found 8192 of them" in str(raised.value.mistakes[0])
    assert time.process_time() - began < 10  # it takes a fraction of a second


def test_many_tracks_that_steer_each_other_without_a_circle_are_checked_quickly():
    names = [f"t{n}" for n in range(250)]
    tracks: dict[str, Any] = {}
    for n, name in enumerate(names):
        lists = [names[start : min(start + 16, n)] for start in range(0, n, 16)]
        tracks[name] = {"from": "mic", "filters": [{"compressor": {"key": one}} for one in lists]}
    tracks["t0"]["filters"] = [{"compressor": {"key": "t249"}}]
    data = {"version": 1, "sources": {"mic": {"device": "default"}}, "tracks": tracks}
    began = time.process_time()
    with pytest.raises(ProfileError) as raised:
        Profile.from_dict(data)
    assert "t249 -> t0 -> t249" in str(raised.value)
    assert time.process_time() - began < 5


def test_two_chains_of_a_track_have_their_names_side_by_side():
    (track,) = parse_profile(
        TEXT + "  one: {from: mic, filters: [two, soft], compare: [two, soft]}\n"
    ).tracks.values()
    names = [name for name, _ in track.named_filters()]
    assert names == ["trim", "gain", "gain-2", "trim-2", "gain-3", "gain-4"]
    assert len(set(names)) == len(names)
    # The second of "two" is bypassed in itself, in both chains.
    assert list(track.bypasses().values()) == [False, True, False, True, True, True]
    other = track.model_copy(update={"chain": "b"})
    assert list(other.bypasses().values()) == [True, True, True, False, True, False]


def test_names_that_are_given_are_kept_where_a_kind_would_have_them():
    assert filter_names([("gain", None), ("gain", "gain-2"), ("gain", None), ("gain", "gain")]) == [
        "gain-3",
        "gain-2",
        "gain-4",
        "gain",
    ]


def test_names_of_presets_and_keys_are_the_same_however_accents_are_stored():
    text = (
        "version: 1\nsources: {mic: {device: default}}\npresets:\n"
        "  pre\u0301t: [{duck: {key: micro\u0301}}]\ntracks:\n  micr\u00f3: {from: mic}\n"
        "  a: {from: mic, filters: pr\u00e9t}\n  b: {from: mic, filters: [pre\u0301t]}\n"
        "  c: {from: mic, filters: [{compressor: {key: [micro\u0301]}}]}\n"
    )
    tracks = parse_profile(text).tracks
    for name in "abc":
        assert tracks[name].filters[0].settings["key"] == ("micr\u00f3",)


def test_a_preset_without_a_name_is_told_as_that():
    rule = FilterRule(kind="preset", settings={})
    data = {
        "version": 1,
        "sources": {"mic": {"device": "default"}},
        "tracks": {"one": {"from": "mic", "filters": [rule]}},
    }
    with pytest.raises(ProfileError, match="expected a preset's name in `use`, found nothing"):
        Profile.from_dict(data)


def test_there_may_be_no_presets_and_what_is_no_mapping_is_told_so():
    data = {
        "version": 1,
        "sources": {"mic": {"device": "default"}},
        "tracks": {"one": {"from": "mic"}},
    }
    assert Profile.from_dict({**data, "presets": {}}).presets == {}
    with pytest.raises(ProfileError, match="a mapping of 0 to 256 presets"):
        Profile.from_dict({**data, "presets": 3})


def test_delays_of_all_tracks_together_have_a_bound():
    late = {"delay": {"delay_ms": 5000}}
    data = {
        "version": 1,
        "sources": {"mic": {"device": "default"}},
        "presets": {"late": [late] * 30},
        "tracks": {
            "one": {"from": "mic", "filters": "late", "compare": ["late"]},
            "two": {"from": "mic", "filters": ["late", *[late] * 29]},
            "three": {"from": "mic", "filters": [late, {"delay": {"delay_ms": -500}}]},
        },
    }
    assert Profile.from_dict(data).tracks.keys() == {"one", "two", "three"}
    data["tracks"]["three"]["filters"] = [late, late]
    expected = "tracks.one.filters: expected delays of at most 10 minutes over all tracks"
    with pytest.raises(ProfileError, match=f"{expected}.*found 10.1 minutes"):
        Profile.from_dict(data)
