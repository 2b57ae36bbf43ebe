# SPDX-License-Identifier: MIT
"""Sources that others wrote: their frames, their place on the timeline, and their failures."""

import json
import re
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from pypac_obs import Profile, Session, Source
from pypac_obs.cli import commands
from pypac_obs.errors import OutputFailed, PluginFailed
from pypac_obs.plugins import SOURCES, find_plugin, installed_plugins
from pypac_obs.session import source_threads
from pypac_obs.source import SourceInfo

from .heard import Heard
from .heard import wait_for as wait_until_so

RATE = 48_000

TONE = """
import threading, time
import numpy as np
from pypac_obs import Source

class Radio(Source):
    def __init__(self, at=0, said=None, **settings):
        self.at, self.said = at, said

    def open(self, info):
        assert (info.name, info.sample_rate, info.channels) == ("radio", 48000, 2)
        self.asked = 0

    def read(self, frames):
        self.asked += 1
        SPECIAL
        index = self.at + np.arange(frames)
        self.at += frames
        one = (0.25 * np.sin(2 * np.pi * 1000 * index / 48000)).astype(np.float32)
        return np.column_stack([one, -one])

    def close(self):
        if self.said:
            with open(self.said, "w") as file:
                file.write("closed")
"""


def tone(begin: int, frames: int) -> NDArray[np.float32]:
    """Both channels of what the source gives."""
    one = (0.25 * np.sin(2 * np.pi * 1000 * (begin + np.arange(frames)) / RATE)).astype(np.float32)
    return np.column_stack([one, -one])


def write(folder: Path, special: str = "pass") -> None:
    folder.mkdir(exist_ok=True, mode=0o755)
    path = folder / "radio.py"
    path.write_text(TONE.replace("SPECIAL", textwrap.indent(special, " " * 8).strip()))
    path.chmod(0o644)


def profile(folder: Path, **settings: Any) -> Profile:
    return Profile.from_dict(
        {
            "version": 1,
            "session": {"latency_ms": 250},  # on a machine that does much else, too
            "sources": {
                "radio": {"use": "radio.py:Radio", "settings": settings},
                "other": {"synthetic": {"kind": "numbered"}},
            },
            "tracks": {"radio": {"from": "radio"}, "other": {"from": "other"}},
        },
        file=folder / "a.yaml",
    )


wait_for = partial(wait_until_so, timeout_s=10.0)


def state_of(session: Session, name: str = "radio") -> tuple[str, str]:
    found = next(one for one in session.status().sources if one.name == name)
    return found.state, found.reason


def assert_nothing_lost(session: Session, heard: Heard) -> None:
    """The other source went on, whatever this one did."""
    other = heard["other"][:, 0]
    np.testing.assert_array_equal(other, np.arange(len(other), dtype=np.float32) / 2**24)
    assert session.errors == ()


@pytest.mark.parametrize("waits", [False, True])
def test_frames_lie_one_behind_the_other_from_frame_0_on(tmp_path: Path, waits: bool):
    # One that computes is asked as fast as it is heard; one that waits for its audio is as well.
    write(tmp_path, "time.sleep(0.8 * frames / 48000)" if waits else "pass")
    heard = Heard()
    closed = tmp_path / "closed.txt"
    one = profile(tmp_path, said=str(closed))
    with Session(one, duration_s=0.6, on_block=heard) as session:
        wait_for(lambda: state_of(session) == ("playing", "read from a plugin"))
        session.wait()
    np.testing.assert_array_equal(heard["radio"], tone(0, 28_800))
    assert session.incidents == ()
    assert closed.read_text() == "closed"
    assert_nothing_lost(session, heard)


def test_it_runs_offline_as_fast_as_it_can(tmp_path: Path):
    write(tmp_path)
    heard = Heard()
    with Session(profile(tmp_path), offline=True, on_block=heard) as session:
        began = time.monotonic()
        session.run_offline(6.0)
        assert time.monotonic() - began < 4
    np.testing.assert_array_equal(heard["radio"], tone(0, 6 * RATE))
    assert session.incidents == ()


def test_its_end_and_a_failure_offline_are_silence_in_the_ledger(tmp_path: Path):
    write(tmp_path, "if self.at >= 9600: return None\nif self.asked == 3: raise OSError('gone')")
    heard = Heard()
    with Session(profile(tmp_path), offline=True, on_block=heard) as session:
        session.run_offline(0.5)
        assert state_of(session)[0] == "not_running"
    radio = heard["radio"]
    np.testing.assert_array_equal(radio[:1920], tone(0, 1920))
    assert not radio[1920:2880].any()
    np.testing.assert_array_equal(radio[2880:10_560], tone(1920, 7680))
    assert [(one.cause, one.begin, one.frames) for one in session.incidents] == [
        ("source_failed", 1920, 960),
        ("not_running", 10_560, 24_000 - 10_560),
    ]


FAILURES = {
    "exception": (
        "raise OSError('off')",
        r"its read\(\) has failed: OSError: off \(line",
    ),
    "exit": ("raise SystemExit(3)", r"has failed: SystemExit: 3"),
    "shape": ("return np.zeros(frames, np.float32)", r"an array of the shape \(960,\), not"),
    "dtype": ("return np.zeros((frames, 2))", "float64 samples, not float32"),
    "too many": ("return np.zeros((frames + 1, 2), np.float32)", "961 frames, and was asked"),
    "no array": ("return [0.0] * frames", "gave list, not an array"),
    "nan": ("return np.full((frames, 2), np.nan, np.float32)", "no numbers"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_silence_with_its_reason_and_the_source_is_asked_again(
    tmp_path: Path, failure: str, monkeypatch: pytest.MonkeyPatch
):
    special, reason = FAILURES[failure]
    monkeypatch.setattr(source_threads, "_AFTER_FAILURE_S", 0.5)
    write(tmp_path, f"if self.asked == 4:\n    {special}")
    heard = Heard()
    with Session(profile(tmp_path), on_block=heard) as session:
        wait_for(lambda: state_of(session)[0] == "failed")
        found = state_of(session)[1]
        assert re.search(reason, found), found
        wait_for(lambda: state_of(session)[0] == "playing")
        at = session.position
        wait_for(lambda: session.position > at + 4800)
    radio = heard["radio"]
    np.testing.assert_array_equal(radio[: 3 * 960], tone(0, 3 * 960))
    [gap] = session.incidents
    assert (gap.cause, gap.source, gap.begin, gap.tracks) == (
        "source_failed",
        "radio",
        3 * 960,
        ("radio",),
    )
    assert not radio[gap.begin : gap.begin + gap.frames].any()
    # It goes on behind the gap, with the frames that it gave next.
    rest = radio[gap.begin + gap.frames :]
    np.testing.assert_array_equal(rest, tone(3 * 960, len(rest)))
    assert_nothing_lost(session, heard)


def test_a_read_that_hangs_holds_up_nobody_and_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(source_threads, "_CLOSE_S", 0.1)
    write(tmp_path, "if self.asked == 3: time.sleep(60)")
    heard = Heard()
    with Session(profile(tmp_path), on_block=heard) as session:
        wait_for(lambda: state_of(session)[0] == "stalled")
        assert "has not returned for" in state_of(session)[1]
    assert [(one.cause, one.begin) for one in session.incidents] == [("stalled", 1920)]
    assert "the source radio was left behind: its plugin hangs" in session.status().warnings
    assert_nothing_lost(session, heard)


def test_a_source_comes_and_goes_while_the_session_runs(tmp_path: Path):
    write(tmp_path)
    closed = tmp_path / "closed.txt"
    with_it = profile(tmp_path, said=str(closed))
    document = with_it.model_dump()
    del document["sources"]["radio"], document["tracks"]["radio"]
    without = Profile.from_dict(document, file=tmp_path / "a.yaml")
    broken = Profile.from_dict(
        {**with_it.model_dump(), "sources": {"radio": {"use": "gone.py:Radio"}}}
        | {"tracks": {"radio": {"from": "radio"}}},
        file=tmp_path / "a.yaml",
    )
    heard = Heard()
    with Session(without, on_block=heard) as session:
        wait_for(lambda: session.position > 4800)
        with pytest.raises(PluginFailed, match=r"radio: .* there is no file"):
            session.apply(broken)
        assert session.profile == without
        session.apply(with_it)
        added = session.position
        wait_for(lambda: state_of(session)[0] == "playing")
        wait_for(lambda: session.position > added + 36_000)
        session.apply(without)
        wait_for(closed.exists)
        wait_for(lambda: closed.read_text() == "closed")
    radio = heard["radio"][:, 0]
    [*_, first] = np.flatnonzero(np.abs(radio) > 0.2)[:1]
    # From where it came in on, it is the tone without a gap.
    loud = radio[first + 480 : first + 9600]
    turns = 2 * np.pi * 1000 * np.arange(len(loud)) / RATE
    parts = (loud * np.cos(turns)).mean(), (loud * np.sin(turns)).mean()
    assert np.hypot(*parts) * 2 == pytest.approx(0.25, abs=1e-3)
    assert_nothing_lost(session, heard)


def test_one_that_cannot_be_opened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path)
    path = tmp_path / "radio.py"
    path.write_text(path.read_text().replace("self.asked = 0", "raise OSError('no card')"))
    with pytest.raises(PluginFailed, match=r"radio: its open\(\) has failed: OSError: no card"):
        Session(profile(tmp_path)).start()
    path.write_text(path.read_text().replace("raise OSError('no card')", "time.sleep(60)"))
    monkeypatch.setattr(source_threads, "_OPEN_S", 0.1)
    with pytest.raises(PluginFailed, match="has not returned within"):
        Session(profile(tmp_path)).start()


def test_check_says_what_a_run_would_load_and_imports_nothing(tmp_path: Path):
    loaded = tmp_path / "loaded"
    write(tmp_path)
    plugin = tmp_path / "radio.py"
    plugin.write_text(f"open({str(loaded)!r}, 'w').close()\n{plugin.read_text()}")
    text = "version: 1\nsources: {radio: {use: 'radio.py:Radio'}}\ntracks: {a: {from: radio}}\n"
    path = tmp_path / "a.yaml"
    path.write_text(text)
    shown = CliRunner().invoke(commands, ["check", str(path), "--json"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["sources"][0]["loads"] == f"Radio of {plugin.resolve()}"
    words = " ".join(CliRunner().invoke(commands, ["check", str(path)]).stdout.split())
    assert f"source radio: a run loads the plugin Radio of {plugin.resolve()}" in words
    assert not loaded.exists()


def test_a_module_of_another_kind_is_no_source(tmp_path: Path):
    write(tmp_path)
    path = tmp_path / "radio.py"
    path.write_text(path.read_text().replace("import Source", "import Output as Source"))
    with pytest.raises(PluginFailed, match=r"radio: the plugin Radio of .* is no source") as caught:
        Session(profile(tmp_path)).start()
    assert "pypac_obs.Source" in caught.value.remedy
    assert installed_plugins(SOURCES) == ()
    with pytest.raises(PluginFailed, match=r"entry points of pypac_obs\.sources"):
        find_plugin("radio", tmp_path, SOURCES)


def test_values_can_be_set_while_a_new_source_is_being_opened(tmp_path: Path):
    write(tmp_path)
    begun, go = tmp_path / "begun", tmp_path / "go"
    path = tmp_path / "radio.py"
    path.write_text(
        "import os\n"
        + path.read_text().replace(
            "self.asked = 0",
            f"self.asked = 0\n        open({str(begun)!r}, 'w').close()\n"
            f"        while not os.path.exists({str(go)!r}): time.sleep(0.01)",
        )
    )
    with_it = profile(tmp_path)
    document = with_it.model_dump()
    del document["sources"]["radio"], document["tracks"]["radio"]
    with (
        Session(Profile.from_dict(document, file=tmp_path / "a.yaml")) as session,
        ThreadPoolExecutor(1) as pool,
    ):
        applied = pool.submit(session.apply, with_it)
        wait_for(begun.exists)
        session.set("other.gain_db", -3)
        assert not applied.done()
        go.touch()
        applied.result(10)
        assert session.get("other.gain_db") == -3
        assert "radio" in session.profile.sources


def test_one_that_was_opened_is_closed_where_the_rest_is_refused(tmp_path: Path):
    write(tmp_path)
    closed = tmp_path / "closed.txt"
    with_it = profile(tmp_path, said=str(closed))
    document = with_it.model_dump()
    document["outputs"] = {"meter": {"plugin": {"use": "gone.py:Meter"}}}
    broken = Profile.from_dict(document, file=tmp_path / "a.yaml")
    del document["sources"]["radio"], document["tracks"]["radio"], document["outputs"]
    without = Profile.from_dict(document, file=tmp_path / "a.yaml")
    with Session(without) as session:
        with pytest.raises(OutputFailed, match="there is no file"):
            session.apply(broken)
        wait_for(closed.exists)
        assert session.profile == without


def test_the_same_name_in_another_folder_is_another_source(tmp_path: Path):
    write(tmp_path / "one")
    write(tmp_path / "two", "return np.full((frames, 2), 0.125, np.float32)")
    heard = Heard()
    with Session(profile(tmp_path / "one"), on_block=heard) as session:
        wait_for(lambda: session.position > 4800)
        difference = session.apply(profile(tmp_path / "two"))
        assert difference.changed_sources == ("radio",)
        wait_for(lambda: bool((heard["radio"][-100:] == 0.125).all()))
    assert_nothing_lost(session, heard)


def test_one_that_has_ended_is_closed_then(tmp_path: Path):
    write(tmp_path, "if self.at >= 960: return None")
    closed = tmp_path / "closed.txt"
    with Session(profile(tmp_path, said=str(closed))) as session:
        wait_for(closed.exists)
        assert state_of(session) == ("not_running", "it has ended: its read() gave None")
        assert session.running


def test_having_nothing_after_a_failure_is_no_failure(tmp_path: Path):
    # Fifty times nothing, at 10 ms each, not at a second.
    write(
        tmp_path,
        "if self.asked == 4: raise OSError('off')\n"
        "if 4 < self.asked < 54: return np.zeros((0, 2), np.float32)",
    )
    with Session(profile(tmp_path)) as session:
        wait_for(lambda: state_of(session)[0] == "failed")
        wait_for(lambda: state_of(session)[0] == "playing", timeout_s=5)


def test_offline_too_all_of_it_runs_on_one_thread(tmp_path: Path):
    write(tmp_path, "assert threading.current_thread() is self.thread")
    path = tmp_path / "radio.py"
    path.write_text(
        path.read_text()
        .replace("self.asked = 0", "self.asked, self.thread = 0, THREAD")
        .replace("THREAD", "threading.current_thread()")
    )
    heard = Heard()
    with Session(profile(tmp_path), offline=True, on_block=heard) as session:
        session.run_offline(0.5)
        session.run_offline(0.25)
    np.testing.assert_array_equal(heard["radio"], tone(0, 36_000))
    assert session.incidents == ()


class ShortNative:
    """A native source that the engine stops after three blocks."""

    started, position, blocks = True, 0, 0

    @property
    def stopped(self) -> bool:
        return self.blocks == 3

    def push(self, audio: NDArray[np.float32]) -> None:
        self.blocks += 1
        self.position += len(audio)

    def set_absence(self, cause: str) -> None:
        pass


class Silence(Source):
    reads = 0

    def read(self, frames: int) -> NDArray[np.float32]:
        self.reads += 1
        return np.zeros((frames, 2), np.float32)


def test_offline_it_is_not_read_from_once_the_engine_has_stopped_it():
    source, native = Silence(), ShortNative()
    thread = source_threads.SourceThread(
        source,
        native,  # type: ignore[arg-type]
        SourceInfo("radio", RATE, 2, {}),
        1920,
        1.0,
        offline=True,
    )
    thread.start()
    thread.pull(RATE)
    assert source.reads == 3
    assert thread.join(5)
