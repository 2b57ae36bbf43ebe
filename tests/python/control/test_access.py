# SPDX-License-Identifier: MIT
"""Who has no token, or a wrong one, is told nothing; and the token stays secret."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from control_api import TOKEN, Api
from fake_controls import FakeControls
from websockets.exceptions import ConnectionClosed

from pypac_obs.control.limits import TokenCheck


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Cookie": f"token={TOKEN}"},
        {"Authorization": "Bearer t\xe9t"},
    ],
)
def test_no_token_or_a_wrong_one_is_401_everywhere(
    api: Api, controls: FakeControls, shown: dict[str, str]
) -> None:
    for method, path in [
        ("GET", "/api/v1/status"),
        ("GET", f"/api/v1/status?token={TOKEN}"),
        ("POST", "/api/v1/stop"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/no/such/place"),
    ]:
        status, answer, got = api.request(method, path, headers=shown)
        assert status == 401
        assert got["www-authenticate"] == "Bearer"
        assert "pypac-obs control token" in answer["error"]["remedy"]
    assert not controls.calls


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"type":"auth","token":"wrong"}', 4003),
        ('{"type":"auth","token":""}', 4003),
        ('{"type":"auth","token":"\\ud800"}', 4001),
        ('{"type":"auth"}', 4001),
        ('{"type":"auth","token":1}', 4001),
        (f'{{"type":"auth","token":"{TOKEN}","more":1}}', 4001),
        (f'{{"type":"auth","token":"{TOKEN}","client":"\\u0007"}}', 4001),
        ('{"type":"request","id":1,"command":"stop"}', 4001),
        ("not JSON", 4001),
        ("[" * 5000, 4001),
        ("[]", 4001),
        (b"\x00", 4001),
    ],
)
def test_a_websocket_that_does_not_begin_with_the_token_is_closed(
    api: Api, controls: FakeControls, first: str | bytes, code: int
) -> None:
    with api.connect() as socket:
        socket.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert not controls.calls


def test_a_websocket_that_says_nothing_is_closed_in_five_seconds(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypac_obs.control.websocket._AUTH_WITHIN_S", 0.05)
    with api.connect() as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4001


def test_after_ten_wrong_tokens_in_a_minute_each_takes_a_while_and_the_right_one_none() -> None:
    now = [0.0]
    check = TokenCheck(lambda: "right", lambda: now[0], delay_s=0.05)

    async def took(token: str) -> float:
        begin = time.perf_counter()
        assert await check(token) == (token == "right")
        return time.perf_counter() - begin

    async def guess() -> None:
        for _ in range(10):
            assert await took("wrong") < 0.04
        assert await took("wrong") >= 0.05
        assert await took("right") < 0.04
        now[0] += 61
        assert await took("wrong") < 0.04

    asyncio.run(guess())


def test_no_token_is_in_any_log(
    api: Api, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("websockets.client").setLevel(logging.INFO)  # the test's own
    with caplog.at_level(logging.DEBUG):
        api.request("GET", f"/api/v1/status?token={TOKEN}")
        api.request("GET", f"/api/v1/status?token={TOKEN}", headers={})
        with api.connect() as socket:
            socket.send(f'{{"type":"auth","token":"{TOKEN}"')
        with api.client() as client:
            client.ask("set", address="voice.mute", value=TOKEN)
    out, err = capfd.readouterr()
    for text in (caplog.text, out, err):
        assert TOKEN[:8] not in text
        assert "Traceback" not in text
