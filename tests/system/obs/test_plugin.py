# SPDX-License-Identifier: MIT
"""The OBS module in the real OBS: what sessions write is what OBS records, each on its track."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pypac_obs.sandbox import Player, Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from ..conftest import RATE, Audio, level_db, long_or, wait_until
from .conftest import Websocket, let_record, lossless_obs, start_recording

pytestmark = pytest.mark.obs

SESSION = Path(__file__).with_name("shared_session.py")
NUMBERS = 1 << 24

Start = Callable[..., Player]


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    with lossless_obs(sandbox) as running:
        yield running


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[Start]:
    """Starts sessions in processes of their own; all are killed after the test."""
    started: list[Player] = []

    def start(
        name: str, *tracks: str, latency_ms: float = 10, env: dict[str, str] | None = None
    ) -> Player:
        command = [sys.executable, "-I", str(SESSION), name, str(latency_ms), *tracks]
        player = sandbox.spawn(command, env=env)
        started.append(player)
        wait_until(lambda: "started" in player.output(), 30.0, player.output)
        return player

    yield start
    for player in started:
        player.kill()


@pytest.fixture
def websocket(obs: ObsSandbox) -> Iterator[Websocket]:
    """A connection for one test, whose inputs are gone after it."""
    obs.start()
    with Websocket(obs) as connected:
        yield connected
    obs.start()
    with Websocket(obs) as connected:
        remove_inputs(connected)


def remove_inputs(websocket: Websocket) -> None:
    # First from the scene: until that is drawn again it keeps what is removed only as an input.
    for item in websocket.request("GetSceneItemList", sceneName="Scene")["sceneItems"]:
        websocket.request("RemoveSceneItem", sceneName="Scene", sceneItemId=item["sceneItemId"])
    for name in input_names(websocket):
        websocket.ask("RemoveInput", inputName=name)  # it may be gone with its scene item
    wait_until(lambda: not input_names(websocket), 10.0)


def input_names(websocket: Websocket) -> list[str]:
    return [one["inputName"] for one in websocket.request("GetInputList")["inputs"]]


def add_input(websocket: Websocket, name: str, session: str, track: str, number: int) -> None:
    """An input of our kind, on one of OBS's tracks."""
    websocket.request(
        "CreateInput",
        sceneName="Scene",
        inputName=name,
        inputKind="pypac_track",
        inputSettings={"session": session, "track": track},
    )
    on = {str(one): one == number for one in range(1, 7)}
    websocket.request("SetInputAudioTracks", inputName=name, inputAudioTracks=on)


def wait_until_playing(obs: ObsSandbox, session: str, track: str, times: int = 1) -> None:
    line = f"track '{track}' of '{session}' is running"
    wait_until(lambda: obs.log().count(line) >= times, 30.0, obs.log)


@pytest.fixture
def patient(obs: ObsSandbox, websocket: Websocket, session: Start) -> None:
    """Lets OBS buffer so much that it waits for tracks that are late on a busy machine.

    Else it puts silence in, and repeats what it has already given out. It never takes back what it
    has added for one late source.
    """

    def has_buffered() -> bool:
        added = re.findall(r"total audio buffering is now (\d+) milli", obs.log())
        return any(int(ms) >= 300 for ms in added)

    if has_buffered():
        return
    session("slow", "late=440", latency_ms=400)
    add_input(websocket, "Late", "slow", "late", 6)
    wait_until(has_buffered, 30.0, obs.log)
    websocket.request("RemoveInput", inputName="Late")


def record(websocket: Websocket, seconds: float) -> list[Audio]:
    """Records, and returns OBS's tracks 1 to 6, each (frames, 2)."""
    start_recording(websocket)
    let_record(websocket, seconds)
    return finish_recording(websocket)


def finish_recording(websocket: Websocket) -> list[Audio]:
    # OBS frees this output while frames may still be on their way into it, and hangs or writes them
    # into the next recording. While it is paused none are.
    websocket.request("PauseRecord")
    written, since = -1, time.monotonic()
    while time.monotonic() < since + 1.0:  # what is on its way is heard up to 960 ms later
        now = websocket.request("GetRecordStatus")
        assert now["outputActive"], websocket.obs.log()
        if now["outputBytes"] != written:
            written, since = now["outputBytes"], time.monotonic()
        time.sleep(0.05)
    path = websocket.request("StopRecord")["outputPath"]
    wait_until(lambda: not websocket.request("GetRecordStatus")["outputActive"], 20.0)
    return [decode(path, number) for number in range(6)]


def decode(path: str, number: int) -> Audio:
    command = ["ffmpeg", "-v", "error", "-i", path, "-map", f"0:a:{number}", "-f", "f32le", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, "<f4").reshape(-1, 2)


def numbers(track: Audio) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The places on the timeline that a numbered track's frames have."""
    assert np.array_equal(track[:, 0], track[:, 1])
    exact = track[:, 0].astype(np.float64) * NUMBERS
    found = np.rint(exact).astype(np.int64)
    assert np.array_equal(exact, found)
    return found


@pytest.mark.usefixtures("patient")
def test_each_track_is_alone_on_its_obs_track(
    obs: ObsSandbox, websocket: Websocket, session: Start
) -> None:
    tones = {"game": 440, "voice": 1000, "music": 3000, "mic": 5000, "chat": 7000, "rest": 9000}
    session("stream", *(f"{name}={frequency}" for name, frequency in tones.items()))
    for number, name in enumerate(tones, start=1):
        add_input(websocket, name.title(), "stream", name, number)
    for name in tones:
        wait_until_playing(obs, "stream", name)
    tracks = record(websocket, 1.5)
    for own, track in zip(tones.values(), tracks, strict=True):
        middle = track[RATE // 2 : RATE]
        for side in (middle[:, 0], middle[:, 1]):
            assert level_db(side, own) == pytest.approx(-12.0, abs=0.01)
            for other in tones.values():
                if other != own:
                    assert level_db(side, other) < -12.0 - 90.0


@pytest.mark.usefixtures("patient")
def test_tracks_are_whole_for_as_long_as_obs_records_and_aligned_to_the_frame(
    obs: ObsSandbox, websocket: Websocket, session: Start
) -> None:
    session("stream", *(f"{name}=numbered" for name in ("a", "b", "c")))
    add_input(websocket, "A", "stream", "a", 1)
    add_input(websocket, "B", "stream", "b", 2)
    wait_until_playing(obs, "stream", "b")
    time.sleep(0.53)  # at no round time
    add_input(websocket, "C", "stream", "c", 3)  # comes later, and is aligned nevertheless
    wait_until_playing(obs, "stream", "c")
    time.sleep(0.5)  # it is heard from the first frame on
    length_s = long_or(8, 60)
    a, b, c = (numbers(track) for track in record(websocket, length_s + 1)[:3])
    assert len(a) > length_s * RATE
    assert np.array_equal(a, b)
    assert np.array_equal(a, c)
    assert np.unique(np.diff(a)).tolist() == [1]


@pytest.mark.usefixtures("patient")
def test_a_track_that_comes_while_obs_records_is_in_its_place_from_its_first_frame(
    obs: ObsSandbox, websocket: Websocket, session: Start
) -> None:
    session("stream", "a=numbered", "b=numbered")
    add_input(websocket, "A", "stream", "a", 1)
    wait_until_playing(obs, "stream", "a")
    time.sleep(0.5)  # it is heard from the first frame on
    start_recording(websocket)
    let_record(websocket, 0.3)
    for number in range(2, 7):
        add_input(websocket, f"B{number}", "stream", "b", number)
        time.sleep(0.31)  # at no round time
    wait_until_playing(obs, "stream", "b", 5)
    let_record(websocket, 0.8)
    a, *late = (numbers(track) for track in finish_recording(websocket))
    for b in late:
        since = int(np.flatnonzero(b)[0])
        assert len(b) > since + RATE // 2
        assert np.array_equal(a[since:], b[since:])


def test_obs_buffers_a_single_round_for_a_latency_of_10_ms(obs: ObsSandbox, session: Start) -> None:
    session("stream", "game=440", "voice=1000")
    added: list[str] = []
    for _ in range(6):  # where the machine is too busy for it, another time
        obs.stop()  # what it has buffered it never gives back
        obs.start()
        with Websocket(obs) as websocket:
            assert input_names(websocket) == []
            add_input(websocket, "Game", "stream", "game", 1)
            add_input(websocket, "Voice", "stream", "voice", 2)
            wait_until_playing(obs, "stream", "voice")
            time.sleep(1.0)  # in which it might buffer more
            remove_inputs(websocket)
        added = re.findall(r"adding .* audio buffering.*", obs.log())
        if len(added) == 1 and "adding 21 milliseconds" in added[0]:
            return
    pytest.fail("\n".join(added))


def test_a_track_that_came_too_late_is_in_its_place_again(
    obs: ObsSandbox, websocket: Websocket, session: Start
) -> None:
    obs.stop()
    obs.start()
    begin_s = time.monotonic() + 3.0
    origin = {"ORIGIN_NS": str(round(begin_s * 1e9))}
    session("one", "n=numbered", env=origin)
    late = session("two", "n=numbered", env=origin)
    time.sleep(max(0.0, begin_s + 0.5 - time.monotonic()))  # from when on they play
    with Websocket(obs) as again:
        add_input(again, "One", "one", "n", 1)
        add_input(again, "Two", "two", "n", 2)
        wait_until_playing(obs, "two", "n")
        start_recording(again)
        let_record(again, 0.5)
        for _ in range(3):
            late.freeze()
            time.sleep(0.1)  # too long
            late.thaw()
            time.sleep(0.2)  # and it goes on
        assert "track 'n' of 'two' came too late" in obs.log()
        let_record(again, 1.5)
        tracks = finish_recording(again)[:2]
    end = min(len(track) for track in tracks)
    one, two = (numbers(track[end - RATE : end]) for track in tracks)
    assert np.mean(one == two) > 0.8
    assert one.any()


@pytest.mark.usefixtures("patient")
def test_a_killed_session_is_silence_and_the_next_one_is_received(
    obs: ObsSandbox, websocket: Websocket, session: Start
) -> None:
    first = session("stream", "game=440")
    add_input(websocket, "Game", "stream", "game", 1)
    wait_until_playing(obs, "stream", "game")
    start_recording(websocket)
    let_record(websocket, 0.8)
    first.kill()
    wait_until(lambda: "track 'game' of 'stream' is gone" in obs.log(), 30.0, obs.log)
    let_record(websocket, 0.3)
    session("stream", "game=1000")
    wait_until_playing(obs, "stream", "game", 2)
    let_record(websocket, 0.8)
    track = finish_recording(websocket)[0][:, 0]
    heard = np.flatnonzero(track)
    steps = np.diff(heard)
    cut = int(np.argmax(steps))
    last, next_one = int(heard[cut]), int(heard[cut + 1])
    # A dead session is told by one second without a sign of life.
    assert next_one - last > RATE
    # Whatever lies between is silence, not what was heard last.
    assert level_db(track[last - RATE // 2 : last], 440) == pytest.approx(-12.0, abs=0.1)
    after = track[next_one + RATE // 10 : next_one + RATE // 2]
    assert level_db(after, 1000) == pytest.approx(-12.0, abs=0.1)
    assert level_db(after, 440) < -60.0


def test_an_obs_that_starts_later_or_again_takes_up_what_runs(
    obs: ObsSandbox, websocket: Websocket, session: Start
) -> None:
    session("stream", "game=440")
    add_input(websocket, "Game", "stream", "game", 1)
    obs.stop()
    obs.start()
    wait_until_playing(obs, "stream", "game")
    obs.kill()
    obs.start()
    wait_until_playing(obs, "stream", "game")
    with Websocket(obs) as again:
        track = record(again, 1.5)[0]
    # This OBS has buffered little: a busy machine makes holes.
    assert level_db(track[RATE // 2 : RATE, 0], 440) > -30.0


@pytest.mark.usefixtures("patient")
def test_two_sessions_at_once(obs: ObsSandbox, websocket: Websocket, session: Start) -> None:
    session("one", "game=440")
    session("two", "game=1000")
    add_input(websocket, "One", "one", "game", 1)
    add_input(websocket, "Two", "two", "game", 2)
    wait_until_playing(obs, "one", "game")
    wait_until_playing(obs, "two", "game")
    tracks = record(websocket, 1.3)
    for track, own, other in zip(tracks, (440, 1000), (1000, 440), strict=False):
        middle = track[RATE // 2 : RATE, 0]
        assert level_db(middle, own) == pytest.approx(-12.0, abs=0.01)
        assert level_db(middle, other) < -102.0


def test_the_properties_page_lists_what_runs(
    obs: ObsSandbox, websocket: Websocket, session: Start
) -> None:
    session("stream", "game=440", "voice=1000")
    add_input(websocket, "Other", "later", "music", 1)

    def listed() -> dict[str, str]:
        items = websocket.request(
            "GetInputPropertiesListPropertyItems", inputName="Other", propertyName="choice"
        )["propertyItems"]
        return {one["itemName"]: one["itemValue"] for one in items}

    expected = {
        "game - stream": "stream/game",
        "voice - stream": "stream/voice",
        "music - later": "later/music",
    }
    # Sessions that were killed just before are told from living ones after a second.
    wait_until(lambda: listed() == expected, else_say=lambda: str(listed()))
    # As the page does it.
    settings = {"choice": "stream/voice"}
    websocket.request("SetInputSettings", inputName="Other", inputSettings=settings)
    found = websocket.request("GetInputSettings", inputName="Other")["inputSettings"]
    assert (found["session"], found["track"]) == ("stream", "voice")
    wait_until_playing(obs, "stream", "voice")


@pytest.mark.usefixtures("patient")
def test_whatever_lies_in_the_runtime_folder_obs_goes_on(
    obs: ObsSandbox, websocket: Websocket, sandbox: Sandbox, session: Start
) -> None:
    session("stream", "game=440")
    tracks = Path(sandbox.env["XDG_RUNTIME_DIR"]) / "pypac-obs" / "tracks"
    real = (tracks / "stream" / "game").read_bytes()
    bad = tracks / "bad"
    bad.mkdir(mode=0o700)
    random = np.random.default_rng(0)
    files = {
        "noise": random.bytes(len(real)),
        "empty": b"",
        "header": real[:4096],
        "copy": real,  # of another name
        "sizes": real[:32] + random.bytes(32) + real[64:],
        "places": real[:1024] + random.bytes(48) + real[1072:],
    }
    for name, content in files.items():
        (bad / name).write_bytes(content)
    os.mkfifo(bad / "pipe")
    (bad / "link").symlink_to("/dev/zero")
    (bad / "folder").mkdir()
    # One that is right, until it is cut off while OBS reads it.
    cut = real.replace(b"stream".ljust(16, b"\0"), b"bad".ljust(16, b"\0"), 1)
    (bad / "game").write_bytes(cut)
    names = [*files, "pipe", "link", "folder", "game"]
    for name in names:
        add_input(websocket, name, "bad", name, 2)
    add_input(websocket, "Good", "stream", "game", 1)
    wait_until_playing(obs, "stream", "game")
    for _ in range(20):
        with (bad / "game").open("r+b") as file:
            file.truncate(int(random.integers(0, len(real))))
            time.sleep(0.02)  # in which it is looked at, or not
            file.seek(0)
            file.write(cut)
    for name in names:
        websocket.request(
            "GetInputPropertiesListPropertyItems", inputName=name, propertyName="choice"
        )
    one, two = record(websocket, 1.5)[:2]
    assert level_db(one[RATE // 2 : RATE, 0], 440) == pytest.approx(-12.0, abs=0.01)
    assert not two.any()


def test_obs_closes_clean_while_tracks_are_received(
    obs: ObsSandbox, websocket: Websocket, session: Start
) -> None:
    session("stream", "game=440", "voice=1000")
    add_input(websocket, "Game", "stream", "game", 1)
    add_input(websocket, "Voice", "stream", "voice", 2)
    wait_until_playing(obs, "stream", "voice")
    assert obs.stop() == 0
    assert "Number of memory leaks: 0" in obs.log()
    assert re.search(r"track 'game' of 'stream': \d+ frames delivered, \d+ lost", obs.log())
