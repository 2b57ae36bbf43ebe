# SPDX-License-Identifier: MIT
from pathlib import Path
from typing import Any

import pytest

from pypac_obs.profile import Profile, ProfileError, TrackRule
from pypac_obs.profile.filters import ParamInfo, filter_infos, filter_names, settings_model

DOCS = Path(__file__).parents[3] / "docs" / "profile.md"


def profile(filters: list[Any], **tracks: Any) -> Profile:
    return Profile.from_dict(
        {
            "version": 1,
            "sources": {"a": {"synthetic": {"kind": "tone"}}},
            "tracks": {"voice": {"from": "a", "filters": filters}, **tracks},
        }
    )


def row(kind: str, param: ParamInfo) -> str:
    def shown(number: float) -> str:
        return f"{number:g}"

    spans = {
        "number": f"{shown(param.min)} to {shown(param.max)}",
        "integer": f"{shown(param.min)} to {shown(param.max)}",
        "boolean": "true or false",
        "choice": ", ".join(f"`{one}`" for one in param.choices),
        "track": "a track",
        "tracks": "tracks",
    }
    default = "required" if param.default is None else param.default
    if isinstance(default, bool):
        default = str(default).lower()
    elif isinstance(default, float):
        default = shown(default)
    elif not default:
        default = "none"
    cells = (f"`{kind}`", f"`{param.id}`", param.unit, spans[param.type], str(default), param.help)
    return "| " + " | ".join(cells).replace("|  |", "| |") + " |"


def test_the_reference_has_a_row_for_each_parameter_as_its_descriptor_says():
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    rows = [row(info.kind, param) for info in filter_infos().values() for param in info.params]
    assert rows
    assert [one for one in rows if one not in lines] == []


@pytest.mark.parametrize("kind", filter_infos())
def test_model_and_schema_say_what_the_descriptor_says(kind: str):
    info = filter_infos()[kind]
    fields = settings_model(kind).model_fields
    assert list(fields) == [*(param.id for param in info.params), "name", "bypass"]
    filters = Profile.json_schema()["$defs"]["TrackRule"]["properties"]["filters"]["anyOf"]
    preset, one_filter = next(one for one in filters if one["type"] == "array")["items"]["anyOf"]
    assert preset["type"] == "string"
    schema = one_filter["properties"][kind]
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
