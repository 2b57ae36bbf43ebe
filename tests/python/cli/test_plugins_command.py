# SPDX-License-Identifier: MIT
"""What filters there are, and what each can be set to."""

import importlib.metadata
import json
import sys

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from pypac_obs.cli import commands, plugins
from pypac_obs.profile.filters import filter_infos


def call(*args: str) -> Result:
    return CliRunner().invoke(commands, ["plugins", *args])


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = importlib.metadata.EntryPoints(
        [
            importlib.metadata.EntryPoint("shake", "tabnanny:Shake", "pypac_obs.filters"),
            importlib.metadata.EntryPoint("lost", "no_such_module:Lost", "pypac_obs.outputs"),
        ]
    )
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda **chosen: entries.select(**chosen)
    )


def test_all_filters_are_listed_with_what_they_do():
    result = call()
    assert result.exit_code == 0
    for info in filter_infos().values():
        assert any(line.split()[:1] == [info.kind] for line in result.stdout.splitlines())
    data = json.loads(call("--json").stdout)
    assert [one["kind"] for one in data["filters"]] == list(filter_infos())
    for one in data["filters"]:
        assert one["help"]
        assert one["latency_ms"] >= 0


@pytest.mark.parametrize("kind", filter_infos())
def test_a_filter_is_shown_with_all_that_it_can_be_set_to(kind: str):
    info = filter_infos()[kind]
    result = call(kind)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{kind}: {info.help}\n")
    for param in info.params:
        assert param.id in result.stdout
    data = json.loads(call(kind, "--json").stdout)
    assert [one["id"] for one in data["params"]] == [one.id for one in info.params]


@pytest.mark.parametrize("width", [60, 80])
def test_a_parameters_name_is_whole_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int
):
    monkeypatch.setattr(plugins, "make_console", lambda: Console(width=width))
    for info in filter_infos().values():
        words = call(info.kind).stdout.split()
        assert {one.id for one in info.params} <= set(words), info.kind


def test_the_gain_is_shown_as_it_is():
    lines = call("gain").stdout.splitlines()
    assert lines[1] == "Latency: none with the defaults at 48 kHz"
    assert any(
        line.split()[:8] == ["gain_db", "dB", "-120", "to", "40", "to", "be", "given"]
        for line in lines
    )


def test_a_name_that_nothing_has_is_said_with_the_nearest():
    result = call("gian")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        'Error: there is no filter or plugin "gian".',
        "Did you mean gain?",
    ]


@pytest.mark.usefixtures("installed")
def test_plugins_of_others_are_named_and_not_loaded():
    sys.modules.pop("tabnanny", None)
    result = call()
    assert result.exit_code == 0
    assert "Shake of the module tabnanny" in result.stdout
    assert "there is no module" in result.stdout
    assert call("shake").stdout.startswith("shake: a filter, Shake of the module tabnanny")
    data = json.loads(call("--json").stdout)
    assert [(one["name"], one["kind"]) for one in data["plugins"]] == [
        ("shake", "filter"),
        ("lost", "output"),
    ]
    assert "tabnanny" not in sys.modules
    assert "Did you mean shake?" in call("shaek").stderr


@pytest.mark.parametrize("target", ["", "9:", "a b", ":X", "tabnanny", "tabnanny:"])
def test_a_broken_entry_point_of_another_package_is_named(
    monkeypatch: pytest.MonkeyPatch, target: str
):
    entries = importlib.metadata.EntryPoints(
        [
            importlib.metadata.EntryPoint("broken", target, "pypac_obs.filters"),
            importlib.metadata.EntryPoint("shake", "tabnanny:Shake", "pypac_obs.filters"),
        ]
    )
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda **chosen: entries.select(**chosen)
    )
    result = call("--json")
    assert (result.exit_code, result.exception) == (0, None)
    broken, shake = json.loads(result.stdout)["plugins"]
    assert "names no class of a module" in broken["trouble"]
    assert "tabnanny" in shake["loads"]
    assert call("broken").stdout.startswith("broken: a filter, the plugin")


def test_a_filter_of_our_own_is_shown_whatever_is_installed(monkeypatch: pytest.MonkeyPatch):
    def entry_points(**_: str) -> None:
        pytest.fail("the entry points are not asked")

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert call("gain").exit_code == 0
