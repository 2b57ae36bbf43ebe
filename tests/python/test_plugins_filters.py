# SPDX-License-Identifier: MIT
"""Filters that others wrote: what they do, in time, and what becomes of it when they fail."""

import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from pypac_obs import Incident, Profile, Session
from pypac_obs.cli import commands
from pypac_obs.errors import InvalidValue, PluginFailed, ProfileError
from pypac_obs.session import filter_processes

# What a filter's process has for a block, a fade and a block that is not full: 30 ms at 48 kHz.
LATENCY = 1440

GAIN = """
import os, sys, time
import numpy as np
from pypac_obs import Filter, Parameter

class Gain(Filter):
    parameters = (
        Parameter("gain", min=0, max=10, default=2, help="How much louder."),
        Parameter("on", default=True),
        Parameter("side", choices=("left", "right", "both"), default="both"),
    )
    at, kept = 0, None

    def activate(self, sample_rate, channels, max_frames):
        assert (sample_rate, channels, max_frames) == (48000, 2, 480)
        self.values = {}
        print("what it prints harms nobody")

    def set(self, param, value):
        self.values[param] = value

    def process(self, audio):
        assert len(audio) <= 480
        self.at += len(audio)
        SPECIAL
        if self.values["on"]:
            for side, channel in (("left", 0), ("right", 1)):
                if self.values["side"] in (side, "both"):
                    audio[:, channel] *= self.values["gain"]
        return audio

    def state(self):
        return {"at": self.at}

    def restore(self, state):
        self.kept = state["at"]
"""


def write(folder: Path, special: str = "pass") -> None:
    folder.mkdir(exist_ok=True, mode=0o755)
    path = folder / "gain_plugin.py"
    path.write_text(GAIN.replace("SPECIAL", textwrap.indent(special, " " * 8).strip()))
    path.chmod(0o644)


def profile(
    folder: Path, *, with_it: bool = True, headroom_ms: float = 0, **settings: Any
) -> Profile:
    rule: dict[str, Any] = {"use": "gain_plugin.py:Gain", "settings": settings, "name": "loud"}
    return Profile.from_dict(
        {
            "version": 1,
            "session": {"filter_headroom_ms": headroom_ms},
            "sources": {"a": {"synthetic": {"kind": "numbered"}}},
            "tracks": {
                "voice": {"from": "a", "filters": [{"plugin": rule}] if with_it else []},
                "other": {"from": "a"},
            },
        },
        file=folder / "a.yaml",
    )


class Heard:
    """What a session's tracks were, from frame 0 on."""

    def __init__(self) -> None:
        self.blocks: dict[str, list[NDArray[np.float32]]] = {"voice": [], "other": []}

    def __call__(self, block: Any) -> None:
        for track, audio in block.audio.items():
            self.blocks[track].append(audio.copy())

    def __getitem__(self, track: str) -> NDArray[np.float32]:
        return np.concatenate(self.blocks[track])

    def gains(self) -> NDArray[np.float32]:
        """By how much the voice is louder than what goes into it, frame by frame."""
        voice, other = self["voice"][:, 0], self["other"][:, 0]
        np.testing.assert_array_equal(other, np.arange(len(other), dtype=np.float32) / 2**24)
        length = min(len(voice), len(other))  # one may be a block ahead
        return np.round(voice[1:length] / other[1:length], 3)


def wait_for(what: Callable[[], bool], timeout_s: float = 30.0) -> None:
    until = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def stretches(gains: NDArray[np.float32]) -> list[float]:
    """The gains one behind the other, without the fades between them."""
    found: list[float] = []
    for begin in range(0, len(gains) - 480, 480):
        block = gains[begin : begin + 480]
        if (block == block[0]).all() and (not found or found[-1] != block[0]):
            found.append(float(block[0]))
    return found


def test_a_filter_runs_in_a_process_of_its_own_and_moves_no_track(tmp_path: Path):
    write(tmp_path, f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))")
    heard = Heard()
    with Session(profile(tmp_path, gain=3), offline=True, on_block=heard) as session:
        session.run_offline(2.0)
        assert session.status().warnings == ()
    assert (heard.gains() == 3).all()
    np.testing.assert_array_equal(heard["voice"][:, 0], heard["voice"][:, 1])
    assert session.incidents == ()
    assert (tmp_path / "pid").read_text().isdecimal()
    assert "pypac_obs_plugin_gain_plugin" not in sys.modules


def test_its_parameters_can_be_set_while_it_runs(tmp_path: Path):
    write(tmp_path)
    heard = Heard()
    with Session(profile(tmp_path, gain=3, side="left", on=True), on_block=heard) as session:
        assert session.get("voice.filter.loud.gain") == 3
        wait_for(lambda: session.position > 9600)
        session.set("voice.filter.loud.gain", 5)
        session.set("voice.filter.loud.side", "both")
        with pytest.raises(InvalidValue, match=r"^voice\.filter\.loud\.gain must be a number"):
            session.set("voice.filter.loud.gain", 11)
        assert session.get("voice.filter.loud.gain") == 5
        with pytest.raises(InvalidValue, match=r"side must be .*left"):
            session.set("voice.filter.loud.side", "top")
        at = session.position
        wait_for(lambda: session.position > at + 14_400)
        session.fade("voice.filter.loud.gain", 4, 0.05)
        wait_for(lambda: session.get("voice.filter.loud.gain") == 4)
        session.set("voice.filter.loud.on", False)
        at = session.position
        wait_for(lambda: session.position > at + 14_400)
    gains = stretches(heard.gains())
    assert [gains[0], gains[-1]] == [3, 1]
    assert 5 in gains
    # Only the one side before.
    np.testing.assert_array_equal(heard["voice"][:4800, 1], heard["other"][:4800, 1])


CRASH = """
if self.at >= 72_000 and self.kept is None:
    os._exit(3)
if self.kept is not None:
    assert 20_000 < self.kept < 80_000
    audio *= np.float32(2)
"""


def test_a_crash_costs_it_a_moment_and_it_goes_on_from_its_state(tmp_path: Path):
    # 1.5 s to the crash, because a filter is asked for its state once a second.
    write(tmp_path, CRASH)
    heard = Heard()
    with Session(profile(tmp_path), on_block=heard) as session:
        wait_for(lambda: any("started again" in one for one in session.status().warnings))
        wait_for(lambda: bool(stretches(heard.gains())[-1] == 4))
    gains = heard.gains()
    found = stretches(gains)
    assert (found[0], found[-1]) == (2, 4)
    assert 1 in found
    late = [one for one in session.incidents if one.cause == "filter_late"]
    assert {(one.source, one.output, one.tracks) for one in late} == {(None, None, ("voice",))}
    # Each frame that is not the filter's is in the ledger, and in a fade beside it.
    missing = np.zeros(len(gains) + 1, bool)
    for one in late:
        missing[max(0, one.begin - 480) : one.begin + one.frames + 960] = True
    assert set(np.unique(gains[~missing[1:]])) <= {2, 4}
    assert "voice.filter.loud: its process ended (code 3); it is started again" in (
        session.status().warnings
    )


def test_one_that_hangs_is_ended_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # 1.5 s, because it shows that it lives once a second.
    monkeypatch.setattr(filter_processes, "_SILENT_S", 1.5)
    hung = tmp_path / "hung"
    write(
        tmp_path,
        f"if self.at >= 9600 and not os.path.exists({str(hung)!r}):\n"
        f"    open({str(hung)!r}, 'w').close()\n    time.sleep(60)",
    )
    heard = Heard()
    with Session(profile(tmp_path), on_block=heard) as session:
        wait_for(lambda: any("its process hung" in one for one in session.status().warnings))
        at = session.position
        wait_for(lambda: session.position > at + 4800 and stretches(heard.gains())[-1] == 2)
    assert {1, 2} == set(stretches(heard.gains()))
    assert [one.cause for one in session.incidents].count("filter_late") >= 1


FAILURES = {
    "exception": ("raise KeyError('x')", r"KeyError: 'x' \(line"),
    "shape": ("return audio[:, 0]", r"its process() gave the shape (480,), not (480, 2)"),
    "dtype": ("return audio.astype(float)", "its process() gave float64 samples, not float32"),
    "nan": ("audio[3] = np.nan", "its process() gave samples that are no numbers"),
    "nothing": ("return None", "its process() gave NoneType, not an array"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_what_it_fails_at_is_said_and_the_track_goes_by_it(
    tmp_path: Path, failure: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(filter_processes, "_MOST_RESTARTS", 0)
    special, said = FAILURES[failure]
    write(tmp_path, f"if self.at >= 9600:\n    {special}")
    heard = Heard()
    with Session(profile(tmp_path), offline=True, on_block=heard) as session:
        session.run_offline(0.5)
        wait_for(lambda: bool(session.status().warnings))
        [warning] = session.status().warnings
    assert warning.startswith("voice.filter.loud: ")
    assert said.replace("\\(", "(") in warning
    assert warning.endswith("; the track goes by it from now on")
    # Its 20th block failed. What was before is whole, but for the fade to what goes by it.
    gains = heard.gains()
    assert (gains[: 9120 - 481] == 2).all()
    assert (gains[9600:] == 1).all()
    [late] = session.incidents
    assert late == Incident("filter_late", None, None, ("voice",), 8640, 24_000 - 8640)


def test_one_comes_and_goes_while_the_session_runs(tmp_path: Path):
    write(tmp_path)
    heard = Heard()
    without = profile(tmp_path, with_it=False, headroom_ms=40)
    with Session(without, on_block=heard) as session:
        wait_for(lambda: session.position > 4800)
        with pytest.raises(PluginFailed, match=r"voice\.filter\.loud\.gain: expected a number"):
            session.apply(profile(tmp_path, headroom_ms=40, gain=-1))
        assert session.profile == without
        session.apply(profile(tmp_path, headroom_ms=40))
        wait_for(lambda: bool(stretches(heard.gains())[-1] == 2))
        session.apply(without)
        wait_for(lambda: bool(stretches(heard.gains())[-1] == 1))
    found = stretches(heard.gains())
    assert (found[0], found[-1]) == (1, 1)
    assert set(found) == {1, 2}


REFUSED = {
    "range": (
        {"gain": 11},
        "pass",
        r"gain: expected a number from 0.* to 10.*, found the number 11",
    ),
    "type": ({"on": "loud"}, "pass", r"loud\.on: expected"),
    "unknown": ({"volume": 3}, "pass", "expected one of the keys gain, on or side"),
    "raises": ({}, None, r"RuntimeError: no licence \(line"),
    "no class": ({}, "", "nothing has the name Gain"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_it_does_not_take_is_refused_before_anything_starts(tmp_path: Path, reason: str):
    settings, special, message = REFUSED[reason]
    write(tmp_path, special or "pass")
    path = tmp_path / "gain_plugin.py"
    if special is None:
        path.write_text(
            path.read_text().replace("self.values = {}", "raise RuntimeError('no licence')")
        )
    elif not special:
        path.write_text("from pypac_obs import Filter\n")
    with pytest.raises(PluginFailed, match=message) as caught:
        Session(profile(tmp_path, **settings)).start()
    assert caught.value.message.startswith("voice.filter.loud")
    assert caught.value.remedy


def test_check_says_what_a_run_would_load_and_runs_nothing(tmp_path: Path):
    write(tmp_path)
    plugin = tmp_path / "gain_plugin.py"
    loaded = tmp_path / "loaded"
    plugin.write_text(f"open({str(loaded)!r}, 'w').close()\n{plugin.read_text()}")
    path = tmp_path / "a.yaml"
    path.write_text(
        "version: 1\nsources: {a: {synthetic: {kind: tone}}}\n"
        "tracks: {a: {from: a, filters: [{plugin: {use: 'gain_plugin.py:Gain'}}]}}\n"
    )
    words = " ".join(CliRunner().invoke(commands, ["check", str(path)]).stdout.split())
    assert f"a.filter.plugin: a run loads the plugin Gain of {plugin.resolve()}" in words
    assert not loaded.exists()
    path.write_text(path.read_text().replace("use:", "uze:"))
    with pytest.raises(ProfileError, match='found "uze"; did you mean "use"'):
        Profile.from_yaml(path)


def test_a_profile_that_names_one_survives_the_way_through_the_model(tmp_path: Path):
    one = profile(tmp_path, gain=3, on=False)
    assert Profile.from_dict(one.model_dump()) == Profile.from_dict(one.model_dump())
    again = Profile.from_dict(one.model_dump())
    assert again.tracks == one.tracks
    schema = Profile.json_schema()["$defs"]["TrackRule"]["properties"]["filters"]["items"]
    assert "use" in schema["properties"]["plugin"]["properties"]
