# SPDX-License-Identifier: MIT
"""The filters of an OBS source, as a track has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from pypac_obs.cli import commands, obs_import_filters
from pypac_obs.cli.obs import Server
from pypac_obs.errors import InvalidValue, ObsProtocolError, ObsRefused
from pypac_obs.obs.client.requests import Answer, Request
from pypac_obs.obs.filter_import import (
    ImportedFilter,
    ObsFilter,
    as_yaml,
    import_filters,
    read_filters,
)
from pypac_obs.profile.filters import filter_infos

# What OBS 32 has for each kind before anybody changes it.
DYNAMICS = {"attack_time": 10, "release_time": 50, "output_gain": 0.0, "detector": "RMS"}
DEFAULTS: dict[str, dict[str, Any]] = {
    "gain_filter": {"db": 0.0},
    "noise_gate_filter": {
        "open_threshold": -26.0,
        "close_threshold": -32.0,
        "attack_time": 25,
        "hold_time": 200,
        "release_time": 150,
    },
    "compressor_filter": {
        "ratio": 10.0,
        "threshold": -18.0,
        "attack_time": 6,
        "release_time": 60,
        "output_gain": 0.0,
    },
    "limiter_filter": {"threshold": -6.0, "release_time": 60},
    "expander_filter": {
        **DYNAMICS,
        "ratio": 2.0,
        "threshold": -40.0,
        "presets": "expander",
        "knee_width": 1,
    },
    "upward_compressor_filter": {**DYNAMICS, "ratio": 0.5, "threshold": -20.0, "knee_width": 10},
    "basic_eq_filter": {"low": 0.0, "mid": 0.0, "high": 0.0},
    "invert_polarity_filter": {},
    "noise_suppress_filter_v2": {"method": "rnnoise", "suppress_level": -30},
}


class FakeObs:
    """An OBS with one source, "Mic/Aux", and these filters: kind, settings, and what else."""

    def __init__(self, *filters: tuple[str, dict[str, Any]], **more: Any) -> None:
        self.filters = [
            {
                "filterName": f"{kind} {place}",
                "filterKind": kind,
                "filterEnabled": True,
                "filterIndex": place,
                "filterSettings": settings,
                **more,
            }
            for place, (kind, settings) in enumerate(filters)
        ]
        self.asked: list[str] = []

    def request(
        self, kind: str, /, *, timeout_s: float | None = None, **data: Any
    ) -> dict[str, Any]:
        answer = self._answer(kind, data)
        if isinstance(answer, ObsRefused):
            raise answer
        return answer

    def request_all(self, requests: list[Request], **_: Any) -> list[Answer]:
        return [self._answer(one.kind, dict(one.data)) for one in requests]

    def _answer(self, kind: str, data: dict[str, Any]) -> Answer:
        self.asked.append(kind)
        if kind == "GetInputList":
            return {"inputs": [{"inputName": "Mic/Aux"}, {"inputName": "Desktop Audio"}]}
        if kind == "GetSourceFilterDefaultSettings":
            found = DEFAULTS.get(data["filterKind"])
            return ObsRefused(kind, 605) if found is None else {"defaultFilterSettings": found}
        assert kind == "GetSourceFilterList"
        if data["sourceName"] != "Mic/Aux":
            return ObsRefused(kind, 600, "No source was found.")
        return {"filters": self.filters}

    def __enter__(self) -> FakeObs:
        return self

    def __exit__(self, *_: object) -> None: ...


def imported(*filters: tuple[str, dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    found = import_filters(read_filters(FakeObs(*filters, **more), "Mic/Aux"))
    return [one.written() for one in found]


@pytest.mark.parametrize(
    ("kind", "changed", "written"),
    [
        ("gain_filter", {"db": 4.5}, {"gain": {"gain_db": 4.5}}),
        (
            "noise_gate_filter",
            {"open_threshold": -30.0},
            {
                "gate": {
                    "open_db": -30,
                    "close_db": -32,
                    "attack_ms": 25,
                    "hold_ms": 200,
                    "release_ms": 150,
                }
            },
        ),
        (
            "compressor_filter",
            {"ratio": 4.0, "output_gain": 3.0000001},
            {
                "compressor": {
                    "ratio": 4,
                    "threshold_db": -18,
                    "attack_ms": 6,
                    "release_ms": 60,
                    "output_gain_db": 3,
                }
            },
        ),
        ("limiter_filter", {}, {"limiter": {"ceiling_db": -6, "release_ms": 60}}),
        (
            "expander_filter",
            {"detector": "peak"},
            {
                "expander": {
                    "ratio": 2,
                    "threshold_db": -40,
                    "attack_ms": 10,
                    "release_ms": 50,
                    "output_gain_db": 0,
                    "detector": "peak",
                }
            },
        ),
        (
            "expander_filter",
            {"presets": "gate", "threshold": -35.0},
            {
                "expander": {
                    "ratio": 10,
                    "threshold_db": -35,
                    "attack_ms": 10,
                    "release_ms": 125,
                    "output_gain_db": 0,
                    "detector": "rms",
                }
            },
        ),
        (
            "upward_compressor_filter",
            {"knee_width": 4},
            {
                "upward_compressor": {
                    "ratio": 0.5,
                    "threshold_db": -20,
                    "attack_ms": 10,
                    "release_ms": 50,
                    "output_gain_db": 0,
                    "knee_db": 4,
                    "detector": "rms",
                }
            },
        ),
        (
            "basic_eq_filter",
            {"low": -3.0, "high": 2.0},
            {
                "eq": {
                    "band1_type": "low_shelf",
                    "band1_hz": 800,
                    "band1_db": -3,
                    "band1_q": 0.5,
                    "band2_type": "high_shelf",
                    "band2_hz": 5000,
                    "band2_db": 2,
                    "band2_q": 0.5,
                }
            },
        ),
        ("invert_polarity_filter", {}, {"invert": {}}),
        ("noise_suppress_filter_v2", {}, {}),
        ("somebodys_filter", {"x": 1}, {}),
    ],
)
def test_each_kind_of_filter_comes_with_its_settings(
    kind: str, changed: dict[str, Any], written: dict[str, Any]
):
    assert imported((kind, changed)) == [written]


def test_a_filter_that_is_off_is_bypassed():
    assert imported(("gain_filter", {"db": 1.0}), filterEnabled=False) == [
        {"gain": {"gain_db": 1, "bypass": True}}
    ]


def test_what_is_printed_is_yaml_in_the_order_of_obs_and_says_what_is_different():
    obs = FakeObs(
        ("noise_suppress_filter_v2", {}),
        ("gain_filter", {"db": 90.0}),
        ("compressor_filter", {"sidechain_source": "Game\x1b[31m"}),
        ("vst_filter", {"plugin_path": "/x"}),
    )
    obs.filters[1]["filterName"] = "a\n- gain: {gain_db: 40}"
    text = as_yaml("Mic/Aux", import_filters(read_filters(obs, "Mic/Aux")))
    assert [list(one) for one in yaml.safe_load(text)["filters"]] == [["gain"], ["compressor"]]
    lines = text.splitlines()
    assert lines[0] == '# The filters of "Mic/Aux" in OBS, in their order'
    assert lines[2].startswith("  # noise_suppress_filter_v2 0; noise suppression has no")
    assert lines[3].startswith("  - gain: {gain_db: 40}  # a\\n- gain")
    assert "gain_db was 90 in OBS" in lines[3]
    assert 'ducked by "Game\\x1b[31m" in OBS: add `key:`' in lines[4]
    assert lines[5] == "  # vst_filter 3; VST plugins are not run here"
    assert set(obs.asked) == {"GetSourceFilterList", "GetSourceFilterDefaultSettings"}


@pytest.mark.parametrize("broken", ["x\n  - plugin: {use: '/tmp/evil.py:X'}  #", "\x1b[31m\u2028a"])
def test_what_obs_says_stays_in_its_comment(broken: str):
    filters = [
        ObsFilter(broken, broken, True, {}),
        ObsFilter(broken, "gain_filter", True, {"db": 3.0}),
        ObsFilter(
            broken,
            "compressor_filter",
            True,
            {**DEFAULTS["compressor_filter"], "sidechain_source": broken},
        ),
    ]
    text = as_yaml(broken, import_filters(filters))
    assert [list(one) for one in yaml.safe_load(text)["filters"]] == [["gain"], ["compressor"]]
    assert len(text.split("\n")) == 6
    assert all(c.isprintable() for c in text.replace("\n", ""))


@pytest.mark.parametrize(
    "settings", [{"detector": "x}, {plugin: {use: evil}"}, {"a: 1, b": 2.0}, {"detector": "\x1b"}]
)
def test_no_text_is_given_that_says_something_else_than_the_filters(settings: dict[str, Any]):
    with pytest.raises(ObsProtocolError, match="cannot be written as YAML"):
        as_yaml("Mic", [ImportedFilter("a", "expander", settings)])


def test_a_source_without_filters_has_an_empty_list():
    text = as_yaml("Mic/Aux", import_filters(read_filters(FakeObs(), "Mic/Aux")))
    assert yaml.safe_load(text) == {"filters": []}


def test_a_source_that_is_not_there_is_said_with_the_nearest():
    with pytest.raises(InvalidValue, match='OBS has no source "Mic/Auxx"') as raised:
        read_filters(FakeObs(), "Mic/Auxx")
    assert raised.value.remedy == "Did you mean Mic/Aux?"


@pytest.mark.parametrize("settings", [{"db": "loud"}, {"db": None}, {"db": float("inf")}])
def test_rubbish_from_obs_is_an_error_and_no_profile(settings: dict[str, Any]):
    with pytest.raises(ObsProtocolError):
        imported(("gain_filter", settings))


def test_every_setting_that_is_written_is_one_of_ours():
    for kind, defaults in DEFAULTS.items():
        changed = {key: 1.0 for key in ("low", "mid", "high") if key in defaults}
        for written in imported((kind, changed)):
            for name, settings in written.items():
                if name in filter_infos():
                    known = {one.id for one in filter_infos()[name].params}
                    assert settings.keys() <= known, name


# The command ------------------------------------------------------------------------------------

PROFILE = """\
version: 1
sources: {mic: {device: default}}
tracks:
  other: {from: mic}
  voice:
    from: mic
"""


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(PROFILE, encoding="utf-8")
    return tmp_path / "p.yaml"


def call(monkeypatch: pytest.MonkeyPatch, obs: FakeObs, *args: str) -> Any:
    class FakeServer(Server):
        def connect(self, **_: Any) -> Any:
            return obs

    monkeypatch.setattr(obs_import_filters, "server_of", lambda *_: FakeServer())
    return CliRunner().invoke(commands, ["obs", "import-filters", *args])


def test_the_command_says_where_to_put_them_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, profile: Path
):
    obs = FakeObs(("gain_filter", {"db": 3.0}))
    result = call(monkeypatch, obs, "Mic/Aux", "--profile", str(profile), "--track", "voice")
    assert (result.exit_code, result.stderr) == (0, "")
    assert yaml.safe_load(result.stdout) == {"filters": [{"gain": {"gain_db": 3}}]}
    assert f"Put it into the track voice ({profile}:5), below it." in result.stdout
    assert profile.read_text(encoding="utf-8") == PROFILE


def test_the_command_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, profile: Path):
    obs = FakeObs(("gain_filter", {"db": 3.0}))
    result = call(monkeypatch, obs, "Mic/Aux", "--profile", str(profile), "--track", "voise")
    assert (result.exit_code, obs.asked) == (2, [])
    assert "Did you mean voice?" in result.stderr
    result = call(monkeypatch, obs, "Mic/Aux", "--track", "voice")
    assert result.exit_code == 2
    assert "both --profile and --track" in result.stderr


def test_more_filters_than_a_track_has_are_refused_and_none_is_left_out_in_silence(
    monkeypatch: pytest.MonkeyPatch,
):
    gain = ("gain_filter", {"db": 3.0})
    result = call(monkeypatch, FakeObs(*[gain] * 64), "Mic/Aux")
    assert len(yaml.safe_load(result.stdout)["filters"]) == 64
    result = call(monkeypatch, FakeObs(*[gain] * 65), "Mic/Aux")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the source has 65 filters in OBS, and a track has at most 64" in result.stderr
