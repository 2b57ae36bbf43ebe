# SPDX-License-Identifier: MIT
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pypac_obs.errors import InvalidValue
from pypac_obs.model import clean_value, find
from pypac_obs.profile import Profile, ProfileError, TrackRule
from pypac_obs.profile.filters import ParamInfo, filter_infos, filter_names, settings_model

DOCS = Path(__file__).parents[3] / "docs" / "filters.md"


def profile(filters: list[Any], **tracks: Any) -> Profile:
    return Profile.from_dict(
        {
            "version": 1,
            "sources": {"a": {"synthetic": {"kind": "tone"}}},
            "tracks": {"voice": {"from": "a", "filters": filters}, **tracks},
        }
    )


def section(kind: str) -> str:
    """What the reference says of a filter."""
    text = DOCS.read_text(encoding="utf-8")
    found = re.search(rf"^## {kind}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"no section {kind}: write one, then run docs/make_filters.py"
    return found[1]


def words_of(param: ParamInfo) -> list[str]:
    """What a row has to say of a parameter, beside its name."""
    default: list[str] = ["required"]
    if isinstance(param.default, bool):
        default = [str(param.default).lower()]
    elif isinstance(param.default, float | int):
        default = [f"{param.default:g}"]
    elif param.default is not None:
        default = [param.default, *()] if isinstance(param.default, str) else [*param.default]
        default = [one for one in default if one] or ["none"]
    span = {
        "number": [f"{param.min:g} to {param.max:g}"],
        "integer": [f"{param.min:g} to {param.max:g}"],
        "boolean": ["true or false"],
        "choice": list(param.choices),
    }.get(param.type, ["track"])
    return [
        *default,
        *span,
        param.unit,
        *([] if param.live else ["Another value takes a new filter"]),
    ]


@pytest.mark.parametrize("kind", filter_infos())
def test_the_reference_has_a_row_for_each_parameter_as_its_descriptor_says(kind: str):
    info = filter_infos()[kind]
    text = section(kind)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) >= 3 or not info.params
    for param in info.params:
        [found] = [row for row in rows if f"`{param.id}`" in row.split("|")[1]]
        missing = [word for word in words_of(param) if word not in found]
        assert not missing, f"{param.id}: {missing} is not in {found}"
        if not param.id.startswith("band"):
            assert param.help in found
    [overview] = re.findall(
        rf"^\| \[`{kind}`\]\(#{kind}\) \| (.*) \|$", DOCS.read_text("utf-8"), re.M
    )
    assert overview == info.help


@pytest.mark.parametrize("kind", filter_infos())
def test_the_reference_has_a_picture_of_each_filter(kind: str):
    [(words, file)] = re.findall(r"!\[(.*?)\]\((.*?)\)", section(kind))
    assert words
    assert file == f"pictures/filters/{kind}.svg"
    drawn = (DOCS.parent / file).read_text(encoding="utf-8")
    assert "<svg" in drawn
    assert len(drawn) < 100_000


@pytest.mark.parametrize("kind", filter_infos())
def test_model_and_schema_say_what_the_descriptor_says(kind: str):
    info = filter_infos()[kind]
    fields = settings_model(kind).model_fields
    assert list(fields) == [*(param.id for param in info.params), "name", "bypass"]
    schema = Profile.json_schema()["$defs"]["Filter"]["properties"][kind]
    assert schema["description"] == info.help
    for param in info.params:
        field = schema["properties"][param.id]
        assert field["description"] == param.help
        if param.type in ("number", "integer"):
            assert (field["minimum"], field["maximum"]) == (param.min, param.max)
        assert (param.id in schema.get("required", ())) == (param.default is None)


def test_a_filter_goes_by_its_name_or_its_kind():
    rule = profile([{"gain": {"gain_db": 1}}, {"gain": {"name": "x", "gain_db": 2}}]).tracks[
        "voice"
    ]
    assert filter_names([(one.kind, one.name) for one in rule.filters]) == ["gain", "x"]
    assert filter_names([("gain", None), ("gain", None), ("gain", "gain-2")]) == [
        "gain",
        "gain-3",
        "gain-2",
    ]
    assert list(rule.model_dump()["filters"]) == [
        {"gain": {"gain_db": 1}},
        {"gain": {"gain_db": 2, "name": "x"}},
    ]
    assert TrackRule.model_validate(rule.model_dump()) == rule


def test_two_filters_of_a_track_have_two_names():
    with pytest.raises(ProfileError, match=r"filters\[1\].gain.name: expected each name once"):
        profile([{"gain": {"name": "x", "gain_db": 1}}, {"gain": {"name": "X", "gain_db": 2}}])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [({"bypass": "yes"}, "true or false"), ({"name": "a/b"}, "expected"), ({"gain_db": 41}, "40")],
)
def test_what_no_filter_can_have_is_refused(setting: dict[str, Any], expected: str):
    with pytest.raises(ProfileError, match=expected):
        profile([{"gain": {"gain_db": 0, **setting}}])


def test_a_choice_that_is_a_number_is_taken_as_a_number_too():
    for slope in ("24", 24):
        one = profile([{"high_pass": {"slope_db": slope}}])
        assert one.tracks["voice"].filters[0].settings["slope_db"] == "24"
        data = {
            "version": 1,
            "sources": {"a": {"device": "default"}},
            "tracks": {"v": {"from": "a", "filters": [{"high_pass": {"slope_db": slope}}]}},
        }
        assert Draft202012Validator(Profile.json_schema()).is_valid(data)
    target = find(one, "voice.filter.high_pass.slope_db")
    assert clean_value(target, 48) == "48"
    with pytest.raises(InvalidValue, match="must be 12, 24, 36 or 48, not the number 13"):
        clean_value(target, 13)


@pytest.mark.parametrize(
    ("slope", "expected"),
    [
        ("24 dB", '12, 24, 36 or 48, without a unit (24), found "24 dB"'),
        (13, "12, 24, 36 or 48, found the number 13"),
        (24.0, "12, 24, 36 or 48, found the number 24.0"),
        (True, "12, 24, 36 or 48, found true"),
    ],
)
def test_another_choice_than_these_numbers_is_refused(slope: Any, expected: str):
    with pytest.raises(ProfileError, match=re.escape(expected)):
        profile([{"high_pass": {"slope_db": slope}}])


def test_a_live_value_with_a_unit_is_told_in_the_unit_of_its_key():
    one = profile([{"limiter": {}}])
    with pytest.raises(InvalidValue, match=r"without quotes and unit \(100\)"):
        clean_value(find(one, "voice.filter.limiter.release_ms"), "0.1 s")
