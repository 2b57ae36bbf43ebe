# SPDX-License-Identifier: MIT
"""The API of a session that really runs, of sources that are computed."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from control_api import Api, Client

from pypac_obs import Session
from pypac_obs.control.documents import State, Status
from pypac_obs.control.token import read_or_make_token
from pypac_obs.session_registry import running_sessions

PROFILE = """\
version: 1
control: {port: PORT}
sources:
  tone: {synthetic: {kind: tone, level_dbfs: -6}}
  quiet: {synthetic: {kind: silence}}
tracks:
  music: {from: tone}
  voice: {from: quiet}
  even: {from: tone, filters: [{leveller: {target_lufs: -20, speed_db_s: 20}}]}
"""


@pytest.fixture
def file(tmp_path: Path, home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, home.get(name, str(tmp_path)))
    file = tmp_path / "evening.yaml"
    file.write_text(PROFILE.replace("PORT", "24700"))
    return file


@pytest.fixture
def session(file: Path) -> Iterator[Session]:
    with Session(str(file)) as session:
        yield session


@pytest.fixture
def real(session: Session) -> Api:
    until = time.monotonic() + 10
    while not (ports := [one.control_port for one in running_sessions() if one.control_port]):
        assert time.monotonic() < until
        time.sleep(0.01)
    return Api(ports[0], read_or_make_token())


def test_a_value_that_is_set_is_heard_and_told(real: Api, session: Session) -> None:
    with real.client() as client, session.blocks() as blocks:
        State.model_validate(client.state)
        Status.model_validate(client.ask("status")["result"])
        answer = client.ask("set", address="music.gain_db", value=-20)
        assert answer["ok"], answer
        loudest = 1.0
        until = time.monotonic() + 10
        while not 0.048 < loudest < 0.052:
            assert time.monotonic() < until, loudest
            loudest = float(np.abs(next(iter(blocks)).audio["music"]).max())
        assert real.post("set", address="music.gain_db", value="loud")[0] == 422
        assert real.post("hold")[0] == 404
        assert client.ask("hold", address="music.mute", value=True)["ok"]
        assert real.request("GET", "/api/v1/values/music.mute")[1]["layer"] == "held"
    with real.client() as client:
        while client.state["values"]["music.mute"]["layer"] == "held":
            client.state = client.ask("state")["result"]
        assert client.state["values"]["music.mute"]["value"] is False


def test_levels_are_those_of_the_session(real: Api) -> None:
    with real.client() as client:
        client.ask("subscribe", meters={"hz": 30})
        layout = client.take("meters")
        assert (layout["sources"], layout["tracks"]) == (
            ["tone", "quiet"],
            ["music", "voice", "even"],
        )
        assert layout["filters"] == ["even.filter.leveller"]
        until = time.monotonic() + 10
        while (rows := _rows(client))[2][5] < -675:  # the momentary loudness takes longest
            assert time.monotonic() < until, rows
        assert rows[0][0] == pytest.approx(-600, abs=30)
        assert rows[2][0] == pytest.approx(-600, abs=30)
        assert rows[2][3] == pytest.approx(-600, abs=30)  # true peak
        assert rows[2][4] == pytest.approx(-600, abs=30)
        assert rows[2][5] == pytest.approx(-668, abs=10)  # a tone of 440 Hz in both channels
        assert rows[1] == (-32768, -32768, 2)
        assert rows[3][:6] == (-32768, -32768, 2, -32768, -32768, -32768)
        # The leveller brings the tone to -20 LUFS.
        while not (rows := _rows(client))[5][0] > 50:
            assert time.monotonic() < until, rows
        status = client.ask("status")["result"]
        assert status["tracks"][2]["reduction_db"]["leveller"] > 0.5
        while status["tracks"][0]["loudness"]["integrated"] is None:
            assert time.monotonic() < until, status
            status = client.ask("status")["result"]


def test_loudness_begins_anew(real: Api, session: Session) -> None:
    def highest() -> float:
        return session.status().tracks[0].loudness.max_true_peak

    def wait_for(low: float, high: float) -> None:
        until = time.monotonic() + 10
        while not low < highest() < high:
            assert time.monotonic() < until, highest()
            time.sleep(0.01)

    wait_for(-7, -5)
    session.set("music.gain_db", -20)
    until = time.monotonic() + 10
    while session.status().tracks[0].level.peak > -20:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert highest() > -7
    assert real.post("reset_loudness", track="music") == (200, {})
    wait_for(-30, -15)
    status, answer = real.post("reset_loudness", track="nobody")
    assert (status, answer["error"]["kind"]) == (404, "UnknownAddress")
    session.reset_loudness()


def _rows(client: Client) -> list[tuple[int, ...]]:
    """The rows of two sources, three tracks and one filter."""
    frame = client.frame()
    rows = [struct.unpack_from("<hhB", frame, 12 + 5 * at) for at in range(2)]
    rows += [struct.unpack_from("<hhB8h", frame, 22 + 21 * at) for at in range(3)]
    return [*rows, struct.unpack_from("<H", frame, 85)]


def test_a_profile_that_is_reloaded_brings_its_track(
    real: Api, session: Session, file: Path
) -> None:
    with real.client() as client:
        client.ask("subscribe", events=True)
        file.write_text(file.read_text() + "  more: {from: [tone, quiet]}\n")
        status, planned = real.post("reload", plan=True)
        assert (status, planned["lines"]) == (200, ["+ track more"])
        while client.take("event")["event"] != "profile_applied":  # or the watch on the file does
            real.post("reload")
        assert "more" in client.ask("state")["result"]["tracks"]
        assert "- track more" in real.post("undo")[1]["lines"]
        file.write_text("version: 1\ntracks: {a: {from: nowhere}}\n")
        status, refused = real.post("reload")
        assert (status, refused["error"]["kind"]) == (422, "ProfileError")
        assert "nowhere" in "".join(refused["error"]["problems"])
    assert session.status().tracks


def test_a_mark_is_taken_and_stop_ends_the_session(real: Api, session: Session) -> None:
    status, marked = real.post("mark", text="now")
    assert (status, marked["sample_rate"]) == (200, 48000)
    assert real.request("GET", "/metrics")[0] == 200
    assert real.post("stop") == (200, {})
    until = time.monotonic() + 10
    while session.running:
        assert time.monotonic() < until
        time.sleep(0.01)
