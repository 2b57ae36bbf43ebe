# SPDX-License-Identifier: MIT
"""What filters there are, and what each can be set to."""

import importlib.metadata
import json
import sys

import pytest
from click.testing import CliRunner, Result

from pypac_obs.cli import commands
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
