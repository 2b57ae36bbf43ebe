# SPDX-License-Identifier: MIT
"""Every profile in configs/ loads, and every one in configs/broken/ fails as it says."""

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from pypac_obs.profile import Profile, ProfileError, load_profile, parse_profile

ROOT = Path(__file__).parents[3]
GOOD = sorted((ROOT / "configs").glob("*.yaml"))
BROKEN = sorted((ROOT / "configs" / "broken").glob("*.yaml"))

# These cannot hold the comment that says what to expect.
WITHOUT_COMMENT = {
    "binary.yaml": "1:1: expected text in UTF-8, found a binary file",
    "empty.yaml": "1:1: expected a profile, found an empty file",
    "utf-16.yaml": "1:1: expected text in UTF-8, found UTF-16: save the file as UTF-8",
}


@pytest.fixture(autouse=True)
def _no_such_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYPAC_NO_SUCH_VARIABLE", raising=False)


def test_there_are_profiles_to_test():
    assert {path.stem for path in GOOD} >= {
        "demo",
        "discord-cleaned-up",
        "everything-except",
        "game-and-discord",
        "game-ducked-under-voice",
        "music-not-in-the-vod",
        "obs-demo",
        "obs-gaming",
        "obs-podcast",
        "podcast",
        "podcast-loudness",
        "synthetic",
        "two-folders",
    }
    assert len(BROKEN) >= 14


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_profile_in_configs_loads_without_warning_and_says_what_it_is_for(path: Path):
    profile = load_profile(path)
    assert profile.name == path.stem
    assert profile.file == path
    assert profile.warnings == ()
    assert profile.outputs.by_name()
    assert re.match(r"# \w", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_json_schema_accepts_a_profile_in_configs(path: Path):
    # By way of JSON, as in editors: there the keys of a mapping are text.
    data = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert list(Draft202012Validator(Profile.json_schema()).iter_errors(data)) == []


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_profile_has_exactly_the_mistakes_that_it_announces(path: Path):
    text = path.read_bytes().decode("utf-8", errors="replace")
    announced = re.findall(r"^# expect: (.*)$", text, re.MULTILINE)
    expected = announced or [WITHOUT_COMMENT[path.name]]

    with pytest.raises(ProfileError) as caught:
        load_profile(path)

    lines = str(caught.value).split("\n")
    assert lines == [f"{path}:{line}" for line in expected]
    assert len(caught.value.mistakes) == len(expected)
    assert caught.value.exit_code == 2


def test_the_json_schema_refuses_a_broken_profile():
    text = (ROOT / "configs" / "broken" / "unknown-keys.yaml").read_text(encoding="utf-8")
    assert not Draft202012Validator(Profile.json_schema()).is_valid(yaml.safe_load(text))


def reference() -> str:
    pages = [ROOT / "docs" / name for name in ("profile.md", "filters.md")]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def test_the_reference_mentions_every_key_of_the_schema():
    text = reference()
    keys = set(_keys(Profile.json_schema()))
    assert {"version", "from", "except", "gain", "at_s", "encoding", "vod_track"} <= keys
    tables = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    assert sorted(key for key in keys if not re.search(rf"`(\w+\.)?{key}`", tables)) == []


def test_the_reference_states_each_default_and_bound_of_the_schema():
    text = reference()
    for key, schema in _keys(Profile.json_schema()).items():
        rows = [row for row in text.splitlines() if re.match(rf"\|.*`(\w+\.)?{key}`.*\|", row)]
        for word in ("minimum", "maximum", "default"):
            value = schema.get(word)
            if isinstance(value, int | float | str):
                shown = f"{value:.10g}" if isinstance(value, int | float) else value
                shown = str(value).lower() if isinstance(value, bool) else shown
                assert any(shown in row for row in rows), f"{key}: {word} {shown}"


def test_every_example_in_the_reference_loads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    text = reference()
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 5
    for example in examples:
        assert parse_profile(example).tracks


def test_every_key_of_the_schema_has_a_description():
    for key, schema in _keys(Profile.json_schema()).items():
        assert schema.get("description"), key


def _keys(schema: object) -> dict[str, dict]:
    """Each key that a profile may have, with its schema."""
    found: dict[str, dict] = {}
    if isinstance(schema, dict):
        properties = schema.get("properties", {})
        found.update(properties)
        for value in schema.values():
            found.update(_keys(value))
    elif isinstance(schema, list):
        for value in schema:
            found.update(_keys(value))
    return found
