# SPDX-License-Identifier: MIT
"""Outputs that others wrote: found, loaded when a session names them, and never trusted."""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from pypac_obs import Block, Profile, Session
from pypac_obs.cli import commands
from pypac_obs.errors import OutputFailed
from pypac_obs.plugins import find_plugin, installed_plugins
from pypac_obs.profile import load_profile

ROOT = Path(__file__).parents[2]

COUNTER = """
from pypac_obs import Output

class Counter(Output):
    def __init__(self, path, mark="none"):
        self.path, self.mark = path, mark

    def open(self, info):
        self.info, self.frames = info, 0

    def write(self, block):
        self.begin = block.start if self.frames == 0 else self.begin
        self.frames += block.frames
        self.audio = {name: float(abs(one).max()) for name, one in block.audio.items()}

    def close(self, end):
        words = (self.name, self.mark, self.begin, self.frames, end, *sorted(self.audio))
        with open(self.path, "w") as file:
            print(*words, file=file)

    def abort(self):
        with open(self.path, "w") as file:
            print("aborted", file=file)
"""


def write_profile(folder: Path, outputs: dict[str, Any], name: str = "a.yaml") -> Path:
    folder.mkdir(exist_ok=True, mode=0o755)
    document = {
        "version": 1,
        "sources": {"tone": {"synthetic": {"kind": "tone"}}},
        "tracks": {"one": {"from": "tone"}, "two": {"from": "tone"}},
        "outputs": outputs,
    }
    path = folder / name
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def write_plugin(folder: Path, text: str = COUNTER, name: str = "counter.py") -> Path:
    folder.mkdir(exist_ok=True, mode=0o755)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def call(*words: object) -> Result:
    return CliRunner().invoke(commands, [str(word) for word in words], prog_name="pypac-obs")


def test_a_class_in_a_file_beside_the_profile_gets_the_tracks(tmp_path: Path):
    write_plugin(tmp_path / "here")
    said = tmp_path / "said.txt"
    rule = {"use": "counter.py:Counter", "settings": {"path": str(said), "mark": "x"}}
    outputs = {"mine": {"plugin": {**rule, "tracks": "two"}}}
    with Session(write_profile(tmp_path / "here", outputs), duration_s=0.3) as session:
        assert [one.name for one in session.status().outputs] == ["mine"]
        session.wait()
    assert session.errors == ()
    assert said.read_text() == "mine x 0 14400 14400 two\n"


def test_an_installed_package_has_plugins_by_name_and_by_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_plugin(tmp_path / "lib", name="counting_package.py")
    info = tmp_path / "lib" / "counting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    points = "[pypac_obs.outputs]\ncounting = counting_package:Counter\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "lib"), *sys.path])
    assert installed_plugins() == ("counting",)
    outputs = {
        name: {"plugin": {"use": use, "settings": {"path": str(tmp_path / f"{name}.txt")}}}
        for name, use in (("a", "counting"), ("b", "counting_package:Counter"))
    }
    profile = load_profile(write_profile(tmp_path, outputs))
    assert "counting_package" in str(find_plugin("counting", tmp_path))
    assert "counting_package" not in sys.modules
    try:
        with Session(profile, duration_s=0.2) as session:
            session.wait()
    finally:
        sys.modules.pop("counting_package", None)
    for name in outputs:
        words = (tmp_path / f"{name}.txt").read_text().split()
        assert words == [name, "none", "0", "9600", "9600", "one", "two"]
    with pytest.raises(OutputFailed) as caught:
        find_plugin("kounting", tmp_path)
    assert "Did you mean counting?" in caught.value.remedy


def test_check_says_what_a_run_would_load_and_imports_nothing(tmp_path: Path):
    loaded = tmp_path / "loaded"
    plugin = write_plugin(tmp_path, f"open({str(loaded)!r}, 'w').close()\n{COUNTER}")
    path = write_profile(tmp_path, {"mine": {"plugin": {"use": "counter.py:Counter"}}})
    shown = call("check", path, "--json")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["outputs"]["mine"]["loads"] == f"Counter of {plugin.resolve()}"
    words = " ".join(call("check", path).stdout.split())
    assert f"mine: a run loads the plugin Counter of {plugin.resolve()}" in words
    assert not loaded.exists()
    plugin.unlink()
    words = " ".join(call("check", path).stdout.split())
    assert (
        f"Warning: mine: the plugin counter.py:Counter is not loaded: there is no file {plugin}"
        in words
    )


TROUBLE = {
    "no file": ("gone.py:Counter", "", r"there is no file .*gone\.py"),
    "a folder": ("folder.py:Counter", "", r"folder\.py is no file"),
    "no class": ("counter.py:Meter", COUNTER, "nothing has the name Meter"),
    "no output": ("counter.py:Counter", "class Counter: pass", r"Counter of .* is no output"),
    "no class at all": ("counter.py:Counter", "Counter = 3", "is no output"),
    "syntax": ("counter.py:Counter", "x = 1\nclass Counter(", r"SyntaxError.*\(line 2\)"),
    "raises": ("counter.py:Counter", "\n1 / 0", r"cannot be imported: Zero.*\(line 2\)"),
    "exits": ("counter.py:Counter", "import sys\nsys.exit(3)", r"SystemExit: 3 \(line 2\)"),
    "needs": ("counter.py:Counter", "import no_such_package_here", "No module named"),
    "settings": ("counter.py:Counter", COUNTER, r"cannot be made: TypeError: .*path"),
    "abstract": (
        "counter.py:Counter",
        "from pypac_obs import Output\nclass Counter(Output): pass",
        "cannot be made: TypeError: Can't instantiate",
    ),
    "constructor": (
        "counter.py:Counter",
        COUNTER.replace("self.path, self.mark = path, mark", "raise KeyError('x')").replace(
            'path, mark="none"', ""
        ),
        r"cannot be made: KeyError: 'x' \(line 6\)",
    ),
    "track": (
        "counter.py:Counter",
        COUNTER.replace('path, mark="none"):', '): self.tracks = ("three",)').replace(
            "        self.path, self.mark = path, mark\n", ""
        ),
        "wants the track three, which the profile does not have",
    ),
    "speechless": (
        "counter.py:Counter",
        "class E(Exception):\n    def __str__(self): 1 / 0\nraise E",
        r"cannot be imported: E \(line 3\)",
    ),
    "another object": (
        "counter.py:Counter",
        COUNTER + "    def __new__(cls): return 3\n",
        "cannot be made: TypeError: its class gives another object, of int",
    ),
    "no name": (
        "counter.py:Counter",
        COUNTER.replace('path, mark="none"', "").replace(
            "self.path, self.mark = path, mark", "pass"
        )
        + "    name = property(lambda self: 'fixed')\n",
        "does not take its name and tracks: AttributeError",
    ),
    "one track": (
        "counter.py:Counter",
        "from pypac_obs import Output\n"
        "class Counter(Output):\n"
        "    tracks = 'three'\n"
        "    open = write = close = abort = None\n",
        "wants the track three, which",
    ),
    "no module": ("no_such_module_here:Counter", "", "there is no module no_such_module_here"),
    "not installed": ("nothing-of-that-name", "", "no installed package has a plugin nothing-of"),
    "a function": ("os:system", "", "system of the module os.* is no output"),
    "the contract": ("pypac_obs:Output", "", "is no output"),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_what_is_wrong_with_a_plugin_is_said_without_a_traceback(tmp_path: Path, trouble: str):
    use, text, message = TROUBLE[trouble]
    (tmp_path / "folder.py").mkdir()
    write_plugin(tmp_path, text)
    files = tmp_path / "take"
    outputs = {"mine": {"plugin": {"use": use}}, "files": {"folder": str(files)}}
    path = write_profile(tmp_path, outputs)
    with pytest.raises(OutputFailed, match=message) as caught:
        Session(path)
    assert str(caught.value).startswith("mine: ")
    assert caught.value.remedy
    assert not files.exists()
    result = call("run", path, "--duration", "1")
    assert result.exit_code == 1
    assert re.search(message, " ".join(result.stderr.split()))
    assert "Traceback" not in result.output


@pytest.mark.linux("files have other permissions on Windows")
@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        ("here/counter.py", 0o666, r"others may write in .*counter\.py"),
        ("here/counter.py", 0o664, r"others may write in .*counter\.py"),
        ("here", 0o777, "others may write in .*here"),
        ("", 0o775, "others may write in "),
    ],
)
def test_a_file_that_others_can_change_is_not_loaded(
    tmp_path: Path, name: str, mode: int, message: str
):
    loaded = tmp_path / "loaded"
    write_plugin(tmp_path / "here", f"open({str(loaded)!r}, 'w').close()\n{COUNTER}")
    path = write_profile(tmp_path, {"mine": {"plugin": {"use": "here/counter.py:Counter"}}})
    (tmp_path / name).chmod(mode)
    with pytest.raises(OutputFailed, match=message) as caught:
        Session(path)
    assert caught.value.remedy == f"chmod go-w '{tmp_path / name}'"
    # Nor by a link that the user has made.
    (tmp_path / "link.py").symlink_to(tmp_path / "here" / "counter.py")
    with pytest.raises(OutputFailed, match=message):
        find_plugin("link.py:Counter", tmp_path)
    assert not loaded.exists()


@pytest.mark.parametrize(
    ("use", "name", "mode", "message"),
    [
        ("shop.deep.meter:Counter", "shop/deep/meter.py", 0o646, "everybody may write in .*meter"),
        ("shop.deep.meter:Counter", "shop/deep/__init__.py", 0o646, "may write in .*__init__"),
        ("shop.deep.meter:Counter", "shop/deep", 0o757, "everybody may write in .*deep"),
        ("shop.deep.meter:Counter", "shop", 0o757, "everybody may write in .*shop"),
        ("shop.deep.meter:Counter", "", 0o757, "everybody may write in .*lib"),
        ("loose.meter:Counter", "loose", 0o757, "everybody may write in .*loose"),
        ("shop.deep.gone:Counter", "", 0o755, "there is no module shop.deep.gone"),
        ("loose:Counter", "", 0o755, "no file has the module loose"),
    ],
)
def test_a_module_that_others_can_change_is_not_loaded(
    tmp_path: Path,
    use: str,
    name: str,
    mode: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
):
    lib = tmp_path / "lib"
    for folder in ("shop/deep", "loose"):
        (lib / folder).mkdir(parents=True)
        write_plugin(lib / folder, f"raise AssertionError\n{COUNTER}", name="meter.py")
    for folder in ("", "shop", "shop/deep", "loose"):
        (lib / folder).chmod(0o755)
    for package in ("shop", "shop/deep"):
        (lib / package / "__init__.py").write_text("raise AssertionError\n")
        (lib / package / "__init__.py").chmod(0o644)
    monkeypatch.setattr(sys, "path", [str(lib), *sys.path])
    for well in ("shop.deep.meter:Counter", "loose.meter:Counter"):
        found = find_plugin(well, tmp_path).file
        assert found == lib.joinpath(*well.partition(":")[0].split(".")).with_suffix(".py")
    (lib / name).chmod(mode)
    if mode == 0o755 or hasattr(os, "geteuid"):
        with pytest.raises(OutputFailed, match=message):
            find_plugin(use, tmp_path)


def test_a_file_of_another_user_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # As another user would see it, on any system.
    own = os.stat(write_plugin(tmp_path)).st_uid
    monkeypatch.setattr("pypac_obs.plugins._owners", lambda: (own + 1,))
    with pytest.raises(OutputFailed, match="belongs to another user") as caught:
        find_plugin("counter.py:Counter", tmp_path)
    assert "a folder of your own" in caught.value.remedy


def test_a_plugin_comes_and_goes_while_the_session_runs(tmp_path: Path):
    write_plugin(tmp_path)
    said = tmp_path / "said.txt"
    rule = {"use": "counter.py:Counter", "settings": {"path": str(said)}}
    without = load_profile(write_profile(tmp_path, {}))
    added = load_profile(write_profile(tmp_path, {"mine": {"plugin": rule}}))
    broken = load_profile(write_profile(tmp_path, {"mine": {"plugin": {"use": "gone.py:X"}}}))

    def hear(frames: int) -> None:
        until = session.position + frames
        while session.position < until:
            time.sleep(0.002)

    with Session(without) as session:
        hear(4800)
        with pytest.raises(OutputFailed, match="there is no file"):
            session.apply(broken)
        assert session.profile == without
        session.apply(added)
        hear(14_400)
        session.apply(without)
        name, _, begin, frames, end, *tracks = said.read_text().split()
        assert session.status().outputs == ()
    assert (name, tracks) == ("mine", ["one", "two"])
    assert int(begin) >= 4800
    assert int(begin) + int(frames) == int(end) <= session.position
    assert session.errors == ()


def test_a_plugin_that_raises_ends_alone(tmp_path: Path):
    write_plugin(tmp_path, COUNTER.replace("self.frames += block.frames", "raise OSError('no')"))
    said = tmp_path / "said.txt"
    rule = {"use": "counter.py:Counter", "settings": {"path": str(said)}}
    outputs = {"mine": {"plugin": rule}, "files": {"folder": str(tmp_path / "take")}}
    with Session(write_profile(tmp_path, outputs), duration_s=0.5) as session:
        session.wait()
    [error] = session.errors
    assert str(error) == "mine: OSError: no"
    assert said.read_text() == "aborted\n"
    assert [(one.cause, one.output) for one in session.incidents] == [("output_failed", "mine")]
    assert (tmp_path / "take" / "one.wav").stat().st_size > 24_000 * 8


def documented(name: str) -> tuple[str, Any]:
    """The example of that name in the documentation, and what a profile says of it."""
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    [found] = re.findall(rf"```python\n# {name}\n(.*?)```\n\n```yaml\n(.*?)```", text, re.DOTALL)
    return found[0], yaml.safe_load(found[1])


def test_the_source_in_the_documentation_works(tmp_path: Path):
    example, rule = documented("hum.py")
    write_plugin(tmp_path, example, "hum.py")
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump({"version": 1, **rule, "tracks": {"hum": {"from": "hum"}}}))
    heard: list[Any] = []
    on_block = lambda block: heard.append(block.audio["hum"].copy())  # noqa: E731
    with Session(path, duration_s=0.2, on_block=on_block) as session:
        session.wait()
    audio = np.concatenate(heard)
    expected = 0.1 * np.sin(2 * np.pi * 60 * np.arange(9600) / 48_000)
    assert np.abs(audio - expected[:, None]).max() < 1e-6


def test_the_filter_in_the_documentation_works(tmp_path: Path):
    example, rule = documented("tremolo.py")
    write_plugin(tmp_path, example, "tremolo.py")
    sources = {"mic": {"synthetic": {"kind": "numbered"}}}
    tracks = {**rule["tracks"], "dry": {"from": "mic"}}
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "sources": sources, "tracks": tracks}))
    heard: dict[str, list[Any]] = {"voice": [], "dry": []}

    def on_block(block: Block) -> None:
        for name, audio in block.audio.items():
            heard[name].append(audio[:, 0].copy())

    with Session(path, offline=True, on_block=on_block) as session:
        session.run_offline(0.3)
        session.set("voice.filter.tremolo.depth", 0.0)
        session.run_offline(0.3)
    voice, dry = (np.concatenate(heard[name])[1:] for name in ("voice", "dry"))
    turns = 5 * np.arange(2, 14_401) / 48_000
    expected = 1 - 0.8 * (0.5 - 0.5 * np.cos(2 * np.pi * turns))
    gain = voice / dry
    assert np.abs(gain[:9600] - expected[:9600]).max() < 1e-4
    assert (gain[-9600:] == 1).all()
    assert session.incidents == ()


def test_the_example_in_the_documentation_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    example, rule = documented("meter.py")
    write_plugin(tmp_path, example, "meter.py")
    outputs = rule["outputs"]
    outputs["meter"]["plugin"]["settings"]["warn_above_db"] = -60
    with Session(write_profile(tmp_path, outputs), duration_s=0.2) as session:
        session.wait()
    assert session.errors == ()
    # A tone passes through zero: nearly all of its samples are loud, of two channels.
    loud = re.fullmatch(r"\{'one': (\d+), 'two': \1\}\n", capsys.readouterr().out)
    assert loud is not None
    assert 18_000 < int(loud[1]) < 19_200


def test_settings_are_plain_values_and_survive_the_way_through_the_model():
    settings = {"a": 1, "b": [1.5, "x", True], "c": {"d": "e"}}
    document = {
        "version": 1,
        "sources": {"a": {"system": True}},
        "tracks": {"a": {"from": "a"}},
        "outputs": {"plugin": {"use": "meter", "settings": settings}},
    }
    profile = Profile.from_dict(document)
    assert Profile.from_dict(profile.model_dump()) == profile
    assert profile.model_dump()["outputs"]["plugin"]["settings"] == settings
    document["outputs"] = {"plugin": {"use": "meter", "settings": {"a": object()}}}
    with pytest.raises(ValueError, match="expected text, numbers, true, false, lists and mappings"):
        Profile.from_dict(document)
