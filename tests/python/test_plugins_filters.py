# SPDX-License-Identifier: MIT
"""Filters that others wrote: what they do, in time, and what becomes of it when they fail."""

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from numpy.typing import NDArray

from pypac_obs import Filter, Incident, Profile, Session, _core, filter_process
from pypac_obs.cli import commands
from pypac_obs.errors import ChangeRefused, InvalidValue, PluginFailed, ProfileError
from pypac_obs.profile.filters import FilterInfo
from pypac_obs.session import filter_processes, wiring
from pypac_obs.session.child_process import ChildProcess

from .heard import Heard as HeardTracks
from .heard import wait_for

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


class Heard(HeardTracks):
    """What a session's tracks were, and what the filter did to one of them."""

    def gains(self) -> NDArray[np.float32]:
        """By how much the voice is louder than what goes into it, frame by frame."""
        voice, other = self["voice"][:, 0], self["other"][:, 0]
        np.testing.assert_array_equal(other, np.arange(len(other), dtype=np.float32) / 2**24)
        length = min(len(voice), len(other))  # one may be a block ahead
        return np.round(voice[1:length] / other[1:length], 3)


def stretches(gains: NDArray[np.float32], apart_from: Collection[Incident] = ()) -> list[float]:
    """The gains one behind the other, without the fades between them.

    On a busy machine a process may be late: what is in the ledger of that, with the fades beside
    it, is left out.
    """
    listed = np.zeros(len(gains), bool)
    for one in apart_from:
        listed[max(0, one.begin - 480) : one.begin + one.frames + 960] = True
    found: list[float] = []
    for begin in range(0, len(gains) - 480, 480):
        block = gains[begin : begin + 480]
        if listed[begin : begin + 480].any():
            continue
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
    assert found[-1] == 4
    assert {1, 2} <= set(found)
    late = [one for one in session.incidents if one.cause == "filter_late"]
    assert {(one.source, one.output, one.tracks) for one in late} == {(None, None, ("voice",))}
    # Each frame that is not the filter's is in the ledger, or in a fade beside it.
    assert stretches(gains, apart_from=late) == [2, 4]
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
    schema = Profile.json_schema()["$defs"]["Filter"]
    assert "use" in schema["properties"]["plugin"]["properties"]


def quick_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_processes, "_MOST_RESTARTS", 0)


FORK = """
if hasattr(os, "fork") and os.fork() == 0:
    SESSION
    open(PID, "w").write(str(os.getpid()))
    time.sleep(60)
while hasattr(os, "fork") and not (os.path.exists(PID) and os.path.getsize(PID)):
    time.sleep(0.01)
os._exit(3)
"""


def forking(pid: Path, own_session: bool) -> str:
    session = "os.setsid()" if own_session else "pass"
    return FORK.replace("SESSION", session).replace("PID", repr(str(pid)))


def end_child(pid: Path) -> None:
    if pid.exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), 9)


@pytest.mark.parametrize("own_session", [False, True])
def test_a_crash_is_noticed_although_what_it_has_started_lives_on(
    tmp_path: Path, own_session: bool, monkeypatch: pytest.MonkeyPatch
):
    quick_failures(monkeypatch)
    pid = tmp_path / "pid"
    crash = textwrap.indent(forking(pid, own_session), "    ")
    write(tmp_path, f"if self.at >= 9600:{crash}")
    try:
        with Session(profile(tmp_path)) as session:
            wait_for(lambda: bool(session.status().warnings), 10)
            [warning] = session.status().warnings
            if pid.exists() and not own_session:  # it goes with its parent
                wait_for(lambda: not is_alive(int(pid.read_text())), 5)
    finally:
        end_child(pid)
    assert warning.startswith("voice.filter.loud: its process ended (code 3); the track goes by")


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_one_that_ends_while_it_is_imported_is_refused_at_once(tmp_path: Path):
    pid = tmp_path / "pid"
    write(tmp_path)
    path = tmp_path / "gain_plugin.py"
    path.write_text(f"import os, time\n{forking(pid, True)}\n{path.read_text()}")
    began = time.monotonic()
    try:
        with pytest.raises(PluginFailed, match=r"voice\.filter\.loud: its process ended"):
            Session(profile(tmp_path)).start()
    finally:
        end_child(pid)
    assert time.monotonic() - began < 10


def test_values_can_be_set_while_a_new_filter_is_being_loaded(tmp_path: Path):
    write(tmp_path)
    begun, go = tmp_path / "begun", tmp_path / "go"
    plugin = tmp_path / "gain_plugin.py"
    plugin.write_text(
        f"import os, time\nopen({str(begun)!r}, 'w').close()\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n{plugin.read_text()}"
    )
    without = profile(tmp_path, with_it=False, headroom_ms=40)
    with Session(without) as session, ThreadPoolExecutor(1) as pool:
        applied = pool.submit(session.apply, profile(tmp_path, headroom_ms=40))
        wait_for(begun.exists)
        session.set("other.gain_db", -3)
        assert not applied.done()
        go.touch()
        applied.result(20)
        assert session.get("other.gain_db") == -3
        assert session.profile.tracks["voice"].filters


def test_the_same_name_in_another_folder_is_another_filter(tmp_path: Path):
    write(tmp_path / "one")
    write(tmp_path / "two", "audio *= np.float32(2)")
    heard = Heard()
    with Session(profile(tmp_path / "one"), on_block=heard) as session:
        wait_for(lambda: session.position > 4800)
        difference = session.apply(profile(tmp_path / "two"))
        assert difference.rerouted == ("voice",)
        wait_for(lambda: bool(stretches(heard.gains())[-1] == 4))
    # The one is heard until the other is there.
    assert stretches(heard.gains(), apart_from=session.incidents) == [2, 4]
    assert {one.cause for one in session.incidents} <= {"filter_late"}


def test_a_filter_works_on_while_the_chain_around_it_changes(tmp_path: Path):
    write(tmp_path)
    one = profile(tmp_path, headroom_ms=80)
    document = one.model_dump()
    another = {"plugin": {"use": "gain_plugin.py:Gain", "settings": {"gain": 3.0}}}
    document["tracks"]["voice"]["filters"] = [one.tracks["voice"].filters[0], another]
    two = Profile.from_dict(document, file=tmp_path / "a.yaml")
    heard = Heard()
    with Session(one, on_block=heard) as session:
        wait_for(lambda: session.position > 4800)
        session.apply(two)
        wait_for(lambda: bool(stretches(heard.gains())[-1] == 6))
    assert {one.cause for one in session.incidents} <= {"filter_late"}
    assert stretches(heard.gains(), apart_from=session.incidents) == [2, 6]


def test_what_was_refused_gets_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    started: list[Any] = []
    start = filter_processes._start

    def counted(request: Any, handle: Any = None) -> Any:
        started.extend([request] if "lane" in request else [])
        return start(request, handle)

    monkeypatch.setattr(filter_processes, "_start", counted)
    write(tmp_path)
    one = profile(tmp_path, headroom_ms=40)
    document = one.model_dump()
    another = {"plugin": {"use": "gain_plugin.py:Gain"}}
    document["tracks"]["voice"]["filters"] = [one.tracks["voice"].filters[0], another]
    too_many = Profile.from_dict(document, file=tmp_path / "a.yaml")
    without = profile(tmp_path, with_it=False, headroom_ms=40)
    heard = Heard()
    with Session(without, on_block=heard) as session:
        wait_for(lambda: session.position > 4800)
        for _ in range(3):
            with pytest.raises(ChangeRefused, match="for filters, fixed at its start"):
                session.apply(too_many)
        session.apply(one)
        wait_for(lambda: bool(stretches(heard.gains())[-1] == 2))
    assert len(started) == 1


class FakeEnd:
    """A lane's end with one block for each call, until there are enough."""

    sample_rate, channels, max_frames = 48000, 2, 480

    def __init__(self, blocks: int, values: tuple[float, ...] = ()) -> None:
        self.left, self.closed, self.told = blocks, False, values

    def values(self, count: int) -> list[float]:
        return list(self.told[:count])

    def take(self, timeout_s: float) -> NDArray[np.float32]:
        self.left -= 1
        self.closed = self.left == 0
        return np.zeros((480, 2), np.float32)

    def take_reset(self) -> bool:
        return False

    def give(self, audio: NDArray[np.float32]) -> None:
        pass


class Counting(Filter):
    def __init__(self) -> None:
        self.seen = {"blocks": 0}

    def process(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen["blocks"] += 1
        return audio

    def state(self) -> object:
        return self.seen


def test_a_state_that_was_changed_in_place_is_kept_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(filter_process, "_TELL_S", -1)  # Windows' clock may stand still
    told: list[str] = []
    end: Any = FakeEnd(3)
    filter_process._run(Counting, end, None, lambda what: told.append(json.dumps(what)))
    assert told == ['{"ready": true}'] + [f'{{"state": {{"blocks": {n}}}}}' for n in (1, 2, 3)]


class FakeLane:
    kind, handle, bytes, closed = "voice.filter.loud (a.py:A)", 0, 0, False
    given_up = False

    def give_up(self) -> None:
        self.given_up = True


# It fails where it gets a state, else it is ready, tells one, and crashes.
WITH_STATE = """
import json, os, sys
request = json.loads(sys.argv[1])
if request["state"] is not None:
    print(json.dumps({"failed": "ValueError: an old state"}), flush=True)
    os._exit(1)
print(json.dumps({"ready": True}), flush=True)
print(json.dumps({"state": {"at": 1}}), flush=True)
os._exit(3)
"""
PLUGIN = filter_processes.DescribedFilter("a.py:A", Path(), FilterInfo("", "", ()), {}, ())


def run_script(
    monkeypatch: pytest.MonkeyPatch, script: str, requests: list[Any]
) -> tuple[filter_processes.FilterProcesses, Any]:
    """The processes of one filter, which run a script each."""

    def start(request: Any, handle: int | None = None) -> ChildProcess:
        requests.append(request)
        given = json.dumps({"state": request["state"]})
        return ChildProcess([sys.executable, "-S", "-c", script, given])

    monkeypatch.setattr(filter_processes, "_start", start)
    processes, lane = filter_processes.FilterProcesses(offline=False), FakeLane()
    processes.add_kind(lane.kind, PLUGIN)
    processes.adopt([lane], wait=False)  # type: ignore[list-item]
    return processes, lane


def test_a_state_that_it_cannot_take_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    requests: list[Any] = []
    processes, lane = run_script(monkeypatch, WITH_STATE, requests)
    news: list[str] = []
    wait_for(lambda: bool(news.extend(processes.look_after())) or lane.given_up)
    assert [one["state"] for one in requests] == 3 * [None, {"at": 1}] + [None]
    news += processes.look_after()
    assert news[1] == "voice.filter.loud: ValueError: an old state; it is started again"
    processes.close()


def test_the_state_of_a_filter_goes_with_it(monkeypatch: pytest.MonkeyPatch):
    script = WITH_STATE.replace("os._exit(3)", "sys.stdin.read()")
    processes, lane = run_script(monkeypatch, script, [])
    wait_for(lambda: processes._states == {lane.kind: {"at": 1}})
    processes.look_after()
    assert processes._states
    lane.closed = True
    wait_for(lambda: processes.look_after() == [] and not processes._workers)
    assert processes._states == {}
    processes.adopt([lane], wait=False)  # nobody needs it any more
    assert processes._workers == []


PARAMETERS = {
    "underscore": ("'_x'", "'_x' cannot be the name of a parameter"),
    "pydantic": ("'model_config'", "'model_config' cannot be the name"),
    "method": ("'copy'", "'copy' cannot be the name"),
    "range": ("'x', min=0, max=1, default=2", "the parameter x cannot be 2, its default"),
    "choice": ("'x', choices=('a', 'b'), default='c'", "the parameter x cannot be 'c'"),
    "type": ("'x', default='loud'", "the parameter x cannot be 'loud'"),
    "infinite": ("'x', max=float('inf'), default=0", "has no range from 0.0 to inf"),
    "number as a choice": ("'x', choices=(1, 2), default=1", "a unit, help or choice that is no"),
    "many": ("", "it has over 64 parameters"),
}


@pytest.mark.parametrize("mistake", PARAMETERS)
def test_parameters_that_cannot_be_are_refused(tmp_path: Path, mistake: str):
    written, said = PARAMETERS[mistake]
    write(tmp_path)
    path = tmp_path / "gain_plugin.py"
    one = f"Parameter({written}),"
    if mistake == "many":
        one = "*(Parameter(f'x{n}', default=0) for n in range(65)),"
    path.write_text(path.read_text().replace('Parameter("on", default=True),', one))
    with pytest.raises(PluginFailed) as caught:
        Session(profile(tmp_path)).start()
    assert caught.value.message.startswith("voice.filter.loud: ")
    assert said in caught.value.message


def test_whatever_stands_in_the_path_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path])
    with Session(profile(tmp_path), offline=True) as session:
        session.run_offline(0.1)


def test_no_process_to_be_had_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    write(tmp_path)
    monkeypatch.setattr(filter_processes, "ChildProcess", refuse)
    with pytest.raises(PluginFailed, match="loud: no process can be started: Resource temp"):
        Session(profile(tmp_path)).start()


def test_a_filter_that_fails_at_the_start_leaves_no_capture_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stopped: list[str] = []

    class Capture:
        def add_source(self, name: str, *_: object) -> Any:
            return _core.PushedSource(sample_rate=48000, channels=2, capacity_frames=48000)

        def stop(self) -> None:
            stopped.append("capture")

    monkeypatch.setattr(wiring, "open_capture", lambda **_: Capture())
    write(tmp_path)
    path = tmp_path / "gain_plugin.py"
    path.write_text(path.read_text().replace("self.values = {}", "raise RuntimeError('no')"))
    document = profile(tmp_path).model_dump()
    document["sources"]["a"] = {"device": "default"}
    with pytest.raises(PluginFailed, match="RuntimeError: no"):
        Session(Profile.from_dict(document, file=tmp_path / "a.yaml")).start()
    assert stopped == ["capture"]


def test_other_parameters_than_those_that_were_described_are_no_values_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(filter_processes, "_MOST_RESTARTS", 1)
    # Its file changes between two processes: what was "on" would be given to "side".
    write(tmp_path)
    plugin = tmp_path / "gain_plugin.py"
    changed = plugin.read_text().replace('Parameter("on", default=True),', "")
    crash = f"if self.at >= 9600: open({str(plugin)!r}, 'w').write(CHANGED); os._exit(3)"
    write(tmp_path, crash)
    plugin.write_text(plugin.read_text() + f"\nCHANGED = {changed!r}\n")
    with Session(profile(tmp_path)) as session:
        wait_for(lambda: any("from now on" in one for one in session.status().warnings))
    *_, last = session.status().warnings
    assert last == (
        "voice.filter.loud: it has other parameters or another latency than when it was added "
        "to the session; the track goes by it from now on"
    )


def test_its_standard_input_is_empty(tmp_path: Path):
    # On Windows a library that looks at a pipe from which something reads would hang.
    write(tmp_path)
    plugin = tmp_path / "gain_plugin.py"
    said = tmp_path / "said"
    plugin.write_text(
        "import os, stat, sys\n"
        f"open({str(said)!r}, 'w').write(repr((os.read(0, 1), sys.stdin.read(),\n"
        f"    stat.S_ISFIFO(os.fstat(0).st_mode))))\n{plugin.read_text()}"
    )
    with Session(profile(tmp_path), offline=True) as session:
        session.run_offline(0.1)
    assert said.read_text() == "(b'', '', False)"


@pytest.mark.parametrize(
    ("flags", "shown"), [(["-E", "-s"], "ignore_environment=1"), (["-I"], "isolated=1")]
)
def test_it_ignores_what_the_interpreter_ignores(tmp_path: Path, flags: list[str], shown: str):
    own = tmp_path / "own"
    own.mkdir()
    (own / "numpy.py").write_text("raise SystemExit('PYTHONPATH was read')\n")
    write(tmp_path, f"open({str(tmp_path / 'flags')!r}, 'w').write(repr(sys.flags))")
    script = (
        "import sys; sys.path[:0] = sys.argv[2].split('\\n')\n"
        "from pypac_obs import Session\n"
        "with Session(sys.argv[1], offline=True) as session: session.run_offline(0.1)"
    )
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(plain_profile()))
    subprocess.run(
        [sys.executable, *flags, "-c", script, str(path), "\n".join(filter(None, sys.path))],
        env={**os.environ, "PYTHONPATH": str(own)},
        check=True,
    )
    assert shown in (tmp_path / "flags").read_text()
    assert "no_user_site=1" in (tmp_path / "flags").read_text()


def plain_profile() -> dict[str, Any]:
    return {
        "version": 1,
        "sources": {"a": {"synthetic": {"kind": "numbered"}}},
        "tracks": {
            "voice": {"from": "a", "filters": [{"plugin": {"use": "gain_plugin.py:Gain"}}]},
        },
    }


# It is ready, and then says nothing.
SILENT = """
import json, sys
print(json.dumps({"ready": True}), flush=True)
sys.stdin.read()
"""


def test_one_look_alone_ends_nothing(monkeypatch: pytest.MonkeyPatch):
    # As after a sleep of the machine: the process may not have had a chance to speak.
    processes, _ = run_script(monkeypatch, SILENT, [])
    [worker] = processes._workers
    wait_for(lambda: worker._started)
    monkeypatch.setattr(filter_processes, "_SILENT_S", -1)
    processes.look_after()
    assert not worker._hung
    worker._heard_at = time.monotonic() + 60  # it speaks
    processes.look_after()
    worker._heard_at = time.monotonic()
    processes.look_after()
    assert not worker._hung
    processes.look_after()
    assert worker._hung
    wait_for(lambda: any("its process hung" in one for one in processes.look_after()))
    processes.close()


def test_a_filter_that_comes_while_others_are_looked_after_is_looked_after(
    monkeypatch: pytest.MonkeyPatch,
):
    processes, lane = run_script(monkeypatch, SILENT, [])
    [worker] = processes._workers
    look = worker.look_after

    def while_another_comes() -> None:
        look()
        thread.start()
        thread.join(0.2)

    thread = threading.Thread(target=processes.adopt, args=([lane],), kwargs={"wait": False})
    monkeypatch.setattr(worker, "look_after", while_another_comes)
    processes.look_after()
    thread.join()
    assert len(processes._workers) == 2
    processes.close()
    processes.adopt([lane], wait=True)  # too late: it is ended at once
    assert processes._workers == []


def test_it_ends_with_a_session_that_is_killed_even_where_it_holds_the_interpreter(tmp_path: Path):
    pid = tmp_path / "pid"
    # A search that takes for ever, in which no other thread of its process gets to run.
    write(
        tmp_path,
        f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
    )
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(plain_profile()))
    script = (
        "import sys, time\nfrom pypac_obs import Session\nwith Session(sys.argv[1]): time.sleep(60)"
    )
    session = subprocess.Popen([sys.executable, "-I", "-c", script, str(path)])
    try:
        wait_for(lambda: pid.exists() and bool(pid.read_text()))
        process = int(pid.read_text())
        assert is_running(process)
    finally:
        session.kill()
        session.wait()
    try:
        wait_for(lambda: not is_running(process), 5)
    except AssertionError:
        end_child(pid)
        raise


def is_running(pid: int) -> bool:
    if sys.platform != "win32":
        return is_alive(pid)
    import ctypes

    synchronize, has_not_ended = 0x100000, 0x102
    kernel = ctypes.WinDLL("kernel32")
    kernel.OpenProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.OpenProcess(synchronize, False, pid))
    if not process:
        return False
    waited: int = kernel.WaitForSingleObject(process, 0)
    kernel.CloseHandle(process)
    return waited == has_not_ended


LOOK_AHEAD = """
latency_ms = 12.5

def activate(self, sample_rate, channels, max_frames):
    self.kept = np.zeros((round(self.latency_ms * sample_rate / 1000), channels), np.float32)

def process(self, audio):
    audio = np.concatenate([self.kept, 2 * audio])
    self.kept = audio[-len(self.kept):]
    return audio[:-len(self.kept)]
"""


def test_one_that_looks_ahead_says_by_how_much_and_moves_no_track(tmp_path: Path):
    write(tmp_path)
    body = textwrap.indent(LOOK_AHEAD, "    ")
    (tmp_path / "gain_plugin.py").write_text(
        f"import numpy as np\nfrom pypac_obs import Filter\n\nclass Gain(Filter):{body}"
    )
    heard = Heard()
    with Session(profile(tmp_path), offline=True, on_block=heard) as session:
        session.run_offline(0.5)
    assert (heard.gains() == 2).all()
    assert session.incidents == ()


@pytest.mark.parametrize(("latency", "said"), [("-1", "is -1, not 0 to 1000"), ("'a'", "is str")])
def test_a_latency_that_cannot_be_is_refused(tmp_path: Path, latency: str, said: str):
    write(tmp_path)
    path = tmp_path / "gain_plugin.py"
    path.write_text(path.read_text().replace("at, kept", f"latency_ms = {latency}\n    at, kept"))
    with pytest.raises(PluginFailed, match=rf"voice\.filter\.loud: .*its latency_ms {said}"):
        Session(profile(tmp_path)).start()
