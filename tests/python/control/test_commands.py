# SPDX-License-Identifier: MIT
"""Commands by HTTP: what they do, what they answer, and what is refused."""

from __future__ import annotations

import threading

import pytest
from control_api import BEARER, Api
from fake_controls import FakeControls, broken_profile

from pypac_obs.control.limits import CommandRate
from pypac_obs.errors import PermissionDenied


def test_values_are_set_and_read(api: Api, controls: FakeControls) -> None:
    assert api.post("set", address="voice.gain_db", value=-6) == (
        200,
        {"address": "voice.gain_db", "value": -6.0, "revision": 2},
    )
    assert api.post("adjust", address="voice.gain_db", by=3)[1]["value"] == -3
    assert api.post("adjust", address="voice.gain_db", by=1000)[1]["value"] == 24
    assert api.post("toggle", address="voice.mute")[1]["value"] is True
    faded = api.post("fade", address="voice.gain_db", value=-30, seconds=2)
    assert faded == (
        200,
        {"address": "voice.gain_db", "value": -30, "seconds": 2.0, "revision": controls.revision},
    )
    status, read, _ = api.request("GET", "/api/v1/values/voice.send.mic.gain_db")
    assert (status, read["value"], read["layer"]) == (200, 0, "profile")
    every = api.request("GET", "/api/v1/values")[1]
    assert every["revision"] == controls.revision
    assert every["values"]["voice.mute"] == {"value": True, "layer": "live"}
    assert api.request("GET", "/api/v1/state")[1]["values"] == every["values"]
    assert api.request("GET", "/api/v1/status")[1]["frames"] == 96000


def test_the_origin_is_the_header_or_http(api: Api, controls: FakeControls) -> None:
    api.post("toggle", address="voice.mute")
    named = BEARER | {"X-Client-Id": "stream deck"}
    body = {"address": "voice.mute", "value": False}
    assert api.request("POST", "/api/v1/set", body, named)[0] == 200
    assert [call[3] for call in controls.calls if call[0] == "set"] == ["http", "stream deck"]
    for wrong in ("", "x" * 65, "a\x07b", "caf\xe9"):
        named = BEARER | {"X-Client-Id": wrong}
        assert api.request("POST", "/api/v1/set", body, named)[0] == 422
    assert len([call for call in controls.calls if call[0] == "set"]) == 2


def test_reload_tells_what_it_changes_and_undo_goes_back(api: Api, controls: FakeControls) -> None:
    status, planned = api.post("reload", plan=True)
    assert (status, planned["lines"], planned["revision"]) == (200, ["+ track extra"], 1)
    assert api.post("reload", expect_revision=1)[1] == {"lines": ["+ track extra"], "revision": 2}
    assert "extra.gain_db" in api.request("GET", "/api/v1/values")[1]["values"]
    conflict = api.post("reload", expect_revision=1)
    assert (conflict[0], conflict[1]["error"]["kind"]) == (409, "RevisionConflict")
    assert conflict[1]["error"]["remedy"] == "Look."
    assert api.post("undo")[1]["lines"] == ["- track extra"]
    assert api.request("POST", "/api/v1/undo", raw=b"")[0] == 200


def test_a_profile_with_mistakes_is_refused_with_the_lines_of_check(
    api: Api, controls: FakeControls
) -> None:
    controls.file = broken_profile()
    for plan in (True, False):
        status, answer = api.post("reload", plan=plan)
        assert status == 422
        assert answer["error"]["kind"] == "ProfileError"
        assert answer["error"]["problems"] == [str(one) for one in broken_profile().mistakes]
    assert controls.revision == 1


def test_a_mark_and_the_end(api: Api, controls: FakeControls) -> None:
    marked = api.post("mark", text="first kill")
    assert marked == (200, {"frame": 96000, "in_file": True, "sample_rate": 48000})
    assert api.post("mark", text="later", host_ns=12)[0] == 200
    assert ("mark", "later", 12, "http") in controls.calls
    assert api.post("mark", text="  ")[1]["error"]["kind"] == "InvalidValue"
    assert api.post("stop") == (200, {})
    assert controls.stopped.is_set()
    controls.close()
    status, answer = api.post("set", address="voice.mute", value=True)
    assert (status, answer["error"]["kind"]) == (409, "SessionClosed")


@pytest.mark.parametrize(
    ("command", "keys", "status", "kind"),
    [
        ("set", {"address": "voice.gain", "value": 1}, 404, "UnknownAddress"),
        ("set", {"address": "voice.gain_db", "value": "loud"}, 422, "InvalidValue"),
        ("set", {"address": "voice.gain_db", "value": 1000}, 422, "InvalidValue"),
        ("set", {"address": "voice.gain_db", "value": {"a": 1}}, 422, "BadRequest"),
        ("set", {"address": "voice.gain_db"}, 422, "BadRequest"),
        ("set", {"address": "voice.gain_db", "value": 1, "more": 1}, 422, "BadRequest"),
        ("set", {"address": "", "value": 1}, 422, "BadRequest"),
        ("set", {"address": 7, "value": 1}, 422, "BadRequest"),
        ("set", {"address": "\ud800", "value": 1}, 422, "BadRequest"),
        ("adjust", {"address": "voice.gain_db", "by": "3"}, 422, "BadRequest"),
        ("adjust", {"address": "voice.gain_db", "by": True}, 422, "BadRequest"),
        ("adjust", {"address": "voice.mute", "by": 1}, 422, "InvalidValue"),
        ("toggle", {"address": "voice.gain_db"}, 422, "InvalidValue"),
        ("fade", {"address": "voice.gain_db", "value": 1, "seconds": -1}, 422, "BadRequest"),
        ("reload", {"plan": 1}, 422, "BadRequest"),
        ("reload", {"path": "/etc/passwd"}, 422, "BadRequest"),
        ("undo", {}, 409, "ChangeRefused"),
        ("mark", {"text": "x" * 501}, 422, "BadRequest"),
        ("mark", {"text": "x", "host_ns": -1}, 422, "BadRequest"),
        ("stop", {"now": True}, 422, "BadRequest"),
        ("hold", {"address": "voice.mute", "value": True}, 404, "NotFound"),
        ("subscribe", {"events": True}, 404, "NotFound"),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(
    api: Api, controls: FakeControls, command: str, keys: dict[str, object], status: int, kind: str
) -> None:
    got, answer = api.post(command, **keys)
    assert (got, answer["error"]["kind"]) == (status, kind)
    assert answer["error"]["message"]
    assert set(answer["error"]) == {"kind", "message", "remedy", "problems"}
    assert controls.revision == 1
    assert not controls.stopped.is_set()


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"address": "voice.gain_db", "value": NaN}',
        b'{"address": "voice.gain_db", "value": Infinity}',
        b'{"address": "voice.gain_db", "value": 1e999}',
        b'{"address": "voice.gain_db", "value": 1, "value": 2}',
        b'{"address": "voice.gain_db", "value": ' + b"9" * 5000 + b"}",
        b'{"address": "voice.gain_db", "value": ' + b"9" * 400 + b"}",
        b"[" * 30000,
        b"address=voice.gain_db&value=1",
    ],
)
def test_a_body_that_is_no_json_is_refused(api: Api, controls: FakeControls, raw: bytes) -> None:
    status, answer, _ = api.request("POST", "/api/v1/set", raw=raw)
    assert status == 422
    assert answer["error"]["kind"] in ("BadRequest", "InvalidValue")
    assert controls.revision == 1


def test_more_than_64_kib_are_refused(api: Api, controls: FakeControls) -> None:
    status, answer, _ = api.request("POST", "/api/v1/mark", raw=b" " * (64 * 1024 + 1))
    assert (status, answer["error"]["kind"]) == (413, "TooLarge")
    assert api.post("mark", text="x")[0] == 200


def test_there_are_100_commands_a_second_for_each_client(api: Api) -> None:
    statuses = [
        api.request("GET", "/api/v1/values/voice.mute")[0] for _ in range(40)
    ]  # a client that is no flood is let through
    assert set(statuses) == {200}
    now = [0.0]
    rate = CommandRate(lambda: now[0])
    assert [rate.take() for _ in range(101)].count(True) == 100
    now[0] += 0.1
    assert [rate.take() for _ in range(11)].count(True) == 10


def test_a_flood_over_http_is_told_to_slow_down(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypac_obs.control.limits._PER_SECOND", 0.001)
    status, answer, _ = api.request("GET", "/api/v1/state")
    assert (status, answer["error"]["kind"]) == (429, "TooManyRequests")


def test_errors_of_the_session_and_ones_that_nobody_foresaw_are_answers(
    api: Api, controls: FakeControls
) -> None:
    def denied(command: str) -> None:
        raise PermissionDenied("the microphone is not yours", remedy="Ask.")

    def broken(command: str) -> None:
        raise RuntimeError("secret words")

    controls.before = denied
    status, answer = api.post("reload")
    assert (status, answer["error"]["message"]) == (409, "the microphone is not yours")
    controls.before = broken
    for path in ("state", "status", "values"):
        status, answer, _ = api.request("GET", f"/api/v1/{path}")
        assert (status, answer["error"]["kind"]) == (500, "InternalError")
        assert "secret" not in str(answer)
    assert api.request("GET", "/metrics")[0] == 500


def test_a_reload_that_waits_holds_up_no_fader(api: Api, controls: FakeControls) -> None:
    inside, go = threading.Event(), threading.Event()

    def wait(command: str) -> None:
        if command == "reload":
            inside.set()
            go.wait(10)

    controls.before = wait
    done = threading.Thread(target=api.post, args=("reload",))
    done.start()
    try:
        assert inside.wait(5)
        assert api.post("set", address="voice.gain_db", value=-6)[0] == 200
        assert api.request("GET", "/")[0] == 200
    finally:
        go.set()
        done.join()
    assert controls.revision == 3


def test_a_session_that_does_not_answer_costs_an_answer_and_nothing_else(
    api: Api, controls: FakeControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypac_obs.control.performer._WITHIN_S", 0.05)
    go = threading.Event()
    controls.before = lambda command: go.wait(10) and None
    try:
        status, answer = api.post("set", address="voice.gain_db", value=-6)
        assert (status, answer["error"]["kind"]) == (503, "NotAnswering")
        assert api.request("GET", "/")[0] == 200
    finally:
        go.set()


def test_prometheus_reads_the_status(api: Api) -> None:
    status, text, headers = api.request("GET", "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = text.splitlines()
    for wanted in (
        "pypac_session_seconds 2",
        "pypac_incidents_total 2",
        'pypac_output_lost_frames_total{output="files"} 7',
        'pypac_source_state{source="mic",state="not_running"} 1',
        'pypac_track_peak_dbfs{track="game"} -12.5',
        'pypac_track_rms_dbfs{track="vo\\"ice"} -Inf',
        'pypac_track_max_true_peak_dbtp{track="game"} -5.75',
        'pypac_track_integrated_lufs{track="game"} -18.5',
        'pypac_track_integrated_lufs{track="vo\\"ice"} -Inf',
        'pypac_track_loudness_range_lu{track="game"} 6.5',
        'pypac_filter_reduction_db{track="game",filter="squeeze"} 3.25',
    ):
        assert wanted in lines
