# SPDX-License-Identifier: MIT
"""Files that cannot be read, mistakes and their places, and what the loader never does."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from pypac_obs.errors import ProfileError, ProfileMistake
from pypac_obs.profile import load_profile, parse_profile

TEXT = """\
version: 1
sources:
  game: {process: game.exe}
  discord: {process: discord}
tracks:
  voice: {from: [game, disocrd]}
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "p.yaml")
    return str(caught.value).split("\n")


def test_a_mistake_carries_its_place_its_path_and_the_nearest_name():
    with pytest.raises(ProfileError) as caught:
        parse_profile(TEXT, "p.yaml")
    assert caught.value.mistakes == (
        ProfileMistake(
            file="p.yaml",
            line=6,
            column=24,
            path="tracks.voice.from[1]",
            expected="the name of a source (game or discord)",
            found='"disocrd"',
            nearest="discord",
        ),
    )
    assert str(caught.value) == (
        "p.yaml:6:24: tracks.voice.from[1]: expected the name of a source (game or discord), "
        'found "disocrd"; did you mean "discord"?'
    )


def test_a_profile_error_survives_pickling():
    with pytest.raises(ProfileError) as caught:
        parse_profile(TEXT)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.mistakes == caught.value.mistakes
    assert str(copy) == str(caught.value)


def test_mistakes_of_every_step_come_together_in_the_order_of_the_file():
    lines = mistakes(
        "version: 1\n"
        "session: {latency_ms: 1}\n"  # found by the model
        "sources:\n"
        "  game: {process: on}\n"  # found while reading YAML
        "tracks:\n"
        "  voice: {from: gaem}\n"  # found by looking at the whole
    )
    assert [line.split(": expected")[0] for line in lines] == [
        "p.yaml:2:23: session.latency_ms",
        "p.yaml:4:19: sources.game.process",
        "p.yaml:6:17: tracks.voice.from",
    ]


def test_a_mistake_inside_an_alias_points_to_the_anchor():
    text = TEXT.replace("[game, disocrd]", "&names [game, disocrd]") + "  more: {from: *names}\n"
    assert [line.split(": expected")[0] for line in mistakes(text)] == [
        "p.yaml:6:31: tracks.voice.from[1]",
        "p.yaml:6:31: tracks.more.from[1]",
    ]


def test_aliases_without_mistakes_load():
    text = TEXT.replace("[game, disocrd]", "&names [game, discord]") + "  more: {from: *names}\n"
    profile = parse_profile(text)
    assert profile.tracks["more"] == profile.tracks["voice"]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path):
    path = tmp_path / "with-bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("disocrd", "discord").encode())
    assert load_profile(path).version == 1


def test_a_missing_file_is_one_mistake(tmp_path: Path):
    path = tmp_path / "missing.yaml"
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert str(caught.value) == f"{path}: expected a file, found no file of this name"


def test_a_folder_is_one_mistake(tmp_path: Path):
    with pytest.raises(ProfileError, match="expected a file, found a folder"):
        load_profile(tmp_path)


def test_a_name_that_no_file_can_have_is_one_mistake():
    with pytest.raises(ProfileError, match="expected a file, found a name that no file can have"):
        load_profile("a\0b.yaml")


@pytest.mark.linux("this system has no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path):
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    with pytest.raises(ProfileError, match="expected a file, found a device, pipe or socket"):
        load_profile(pipe)


def test_tags_are_refused_and_run_nothing(tmp_path: Path):
    trace = tmp_path / "trace"
    text = f'version: 1\nsources: !!python/object/apply:os.mkdir ["{trace.as_posix()}"]\n'
    assert any("!!python/object/apply:os.mkdir" in line for line in mistakes(text))
    assert not trace.exists()


def test_colours_and_line_breaks_in_a_profile_do_not_reach_the_terminal():
    lines = mistakes('version: "\\e[31m\\n"\nsources: {"a\\nb": {}}\ntracks: {a: {from: x}}\n')
    assert lines[0] == r'p.yaml:1:10: version: expected the number 1, found "\x1b[31m\n"'
    assert any(r'found "a\nb"' in line for line in lines)


def test_a_misspelt_required_key_is_one_mistake():
    text = TEXT.replace("from: [game, disocrd]", "form: game")
    assert len(mistakes(text)) == 1
    assert mistakes(text)[0].endswith('found "form"; did you mean "from"?')


def test_the_first_of_two_equal_keys_counts_and_the_second_is_the_mistake():
    text = TEXT.replace("disocrd", "discord") + "version: 2\n"
    assert mistakes(text) == [
        'p.yaml:7:1: version: expected each key once, found "version" again, after line 1'
    ]


def test_the_profile_and_its_errors_need_no_native_module():
    package = Path(__file__).parents[3] / "pypac_obs"
    code = (
        "import sys, types\n"
        "package = types.ModuleType('pypac_obs')\n"
        f"package.__path__ = [{str(package)!r}]\n"
        "sys.modules['pypac_obs'] = package\n"
        "import pypac_obs.profile, pypac_obs.errors\n"
        "assert 'pypac_obs._core' not in sys.modules\n"
        "print(pypac_obs.profile.Profile.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Profile\n"
