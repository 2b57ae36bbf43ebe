# SPDX-License-Identifier: MIT
"""WebSockets: state, patches and events, requests, holds, meters, and clients that do not read."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from control_api import TOKEN, Api, Client
from fake_controls import FakeControls
from websockets.exceptions import ConnectionClosed

from pypac_obs.control.controls import LevelLayout
from pypac_obs.control.meters import CLIPPED, SILENT, Levels, MeterFeed
from pypac_obs.control.outbox import Entry, Outbox
from pypac_obs.events import NewsTold

Wait = Callable[[Callable[[], object]], None]


def test_a_client_gets_its_name_the_state_and_then_patches(
    api: Api, controls: FakeControls
) -> None:
    with api.client("deck") as client, api.client("deck") as other:
        assert client.name != other.name
        assert client.name.startswith("deck-")
        assert client.state["values"]["voice.gain_db"]["value"] == 0
        reply = client.ask("set", address="voice.gain_db", value=-6)
        assert reply["ok"]
        assert reply["result"] == {"address": "voice.gain_db", "value": -6.0, "revision": 2}
        patch = {
            "type": "patch",
            "number": 1,
            "revision": 2,
            "origin": client.name,
            "layer": "live",
            "values": {"voice.gain_db": -6.0},
        }
        assert other.take("patch") == patch


def test_two_writers_both_see_the_last_value(api: Api) -> None:
    with api.client("a") as first, api.client("b") as second:

        def write(client: Client, base: int) -> None:
            for step in range(40):
                client.send(
                    type="request", command="set", address="voice.gain_db", value=base - step
                )

        writers = [threading.Thread(target=write, args=pair) for pair in ((first, 0), (second, 9))]
        for one in writers:
            one.start()
        for one in writers:
            one.join()
        last = []
        for client in (first, second):
            while (patch := client.take("patch"))["revision"] < 81:
                pass
            last.append(patch)
        value = api.request("GET", "/api/v1/values/voice.gain_db")[1]["value"]
        assert last[0] == last[1]
        assert last[0]["values"] == {"voice.gain_db": value}


def test_all_commands_are_there_and_wrong_ones_are_told(api: Api, controls: FakeControls) -> None:
    with api.client() as client:
        assert client.ask("get", address="voice.mute")["result"]["layer"] == "profile"
        assert client.ask("state")["result"]["session"] == "evening"
        assert client.ask("status")["result"]["frames"] == 96000
        assert client.ask("reload", plan=True)["result"]["lines"] == ["+ track extra"]
        assert client.ask("mark", text="now")["result"]["in_file"]
        for command, keys, kind in (
            ("set", {"address": "no.where", "value": 1}, "UnknownAddress"),
            ("set", {"address": "voice.mute", "value": 1, "x": 1}, "BadRequest"),
            ("subscribe", {"meters": {"hz": 31}}, "BadRequest"),
            ("subscribe", {"levels": True}, "BadRequest"),
            ("sing", {}, "BadRequest"),
        ):
            reply = client.ask(command, **keys)
            assert (reply["id"], reply["ok"], reply["error"]["kind"]) == (command, False, kind)
        for text in ("{", "[]", '{"type":"set"}', '{"type":"request","id":[1],"command":1}'):
            client.socket.send(text)
            assert client.take("reply")["error"]["kind"] == "BadRequest"
        assert client.ask("stop")["ok"]
    assert controls.stopped.is_set()


def test_a_hold_ends_with_its_client(api: Api, controls: FakeControls, wait_until: Wait) -> None:
    with api.client() as other, api.client("pedal") as pedal:
        assert pedal.ask("hold", address="voice.mute", value=True)["result"]["value"] is True
        assert other.take("patch")["layer"] == "held"
        assert pedal.ask("release", address="voice.mute")["result"]["value"] is False
        other.take("patch")
        pedal.ask("hold", address="voice.mute", value=True)
        other.take("patch")
        # Its program dies: no goodbye.
        pedal.socket.socket.shutdown(socket.SHUT_RDWR)
        patch = other.take("patch")
    assert patch["values"] == {"voice.mute": False}
    wait_until(lambda: set(controls.released) == {pedal.name, other.name})


def test_a_hold_that_is_under_way_when_its_client_goes_ends_as_well(
    api: Api, controls: FakeControls, wait_until: Wait
) -> None:
    inside, go = threading.Event(), threading.Event()

    def wait(command: str) -> None:
        if command == "hold":
            inside.set()
            go.wait(10)

    controls.before = wait
    with api.client("pedal") as pedal:
        pedal.send(type="request", command="hold", address="voice.mute", value=True)
        assert inside.wait(5)
    wait_until(lambda: controls.released)
    go.set()
    wait_until(lambda: ("hold", "voice.mute", True, pedal.name) in controls.calls)
    wait_until(lambda: len(controls.released) == 2)
    assert controls.layer_of("voice.mute") == "profile"


def test_events_come_to_those_who_ask_for_them(api: Api, controls: FakeControls) -> None:
    with api.client() as listener, api.client() as other:
        assert listener.ask("subscribe", events=True)["ok"]
        controls.events.publish(NewsTold("OBS has come"))
        event = listener.take("event")
        assert (event["event"], event["text"]) == ("news", "OBS has come")
        assert isinstance(event["number"], int)
        api.post("reload")
        assert listener.take("event")["lines"] == ["+ track extra"]
        listener.ask("subscribe", events=False)
        controls.events.publish(NewsTold("unheard"))
        api.post("toggle", address="voice.mute")
        for client in (listener, other):
            assert client.receive()["type"] == "patch"


def read(frame: bytes) -> tuple[int, int, list[tuple[int, ...]]]:
    version, flags, sources, tracks, filters, sequence = struct.unpack_from("<BBHHHI", frame)
    assert version == 2
    assert len(frame) == 12 + 5 * sources + 21 * tracks + 2 * filters
    rows = [struct.unpack_from("<hhB", frame, 12 + 5 * i) for i in range(sources)]
    begin = 12 + 5 * sources
    rows += [struct.unpack_from("<hhB8h", frame, begin + 21 * i) for i in range(tracks)]
    begin += 21 * tracks
    rows += [struct.unpack_from("<H", frame, begin + 2 * i) for i in range(filters)]
    return flags, sequence, rows


# What a track of the fake session has behind peak, RMS and flags.
LOUDNESS = (-602, -250, -1800, -2050, -2300, 450, -1525, -32768)


def test_meters_are_one_frame_for_all_and_nobody_reads_levels_for_nothing(
    api: Api, controls: FakeControls, wait_until: Wait
) -> None:
    controls.level_rows = [(0.5, 0.25, 0.5), (0, 0, 0), (1.5, 0.1, 1.5), (1e-5, 1e-7, 1)]
    controls.reducers = ("voice.filter.squeeze",)
    with api.client() as client:
        assert controls.level_reads == 0
        client.ask("subscribe", meters={"hz": 30})
        layout = client.take("meters")
        assert layout == {
            "type": "meters",
            "sources": ["game", "mic"],
            "tracks": ["game", "voice"],
            "filters": ["voice.filter.squeeze"],
        }
        flags, sequence, rows = read(client.frame())
        assert (flags, sequence) == (0, 0)
        assert rows == [
            (-602, -1204, 0),
            (-32768, -32768, SILENT),
            (352, -2000, CLIPPED, *LOUDNESS),
            (-10000, -32768, 0, *LOUDNESS),
            (325,),
        ]
        assert read(client.frame())[1] == 1
        controls.level_rows = None
        api.post("reload")
        assert client.take("meters")["tracks"] == ["game", "voice", "extra"]
        client.ask("subscribe")
        before = controls.level_reads  # nobody looks any more
        with pytest.raises(TimeoutError):
            client.take("meters", 0.1)
        assert controls.level_reads == before


def test_a_client_gets_the_highest_peaks_since_its_last_frame() -> None:
    layout = LevelLayout(("a",), ("b",), ("b.filter.gate",))

    def levels(first: float, second: float, *, clipped: bool = False) -> Levels:
        values = np.zeros(layout.size, np.float32)
        [source], [track], reductions = layout.parts(values)
        source[:] = first, first / 2, first
        track[:] = second, second / 2, second, second, 1, -20, -30, -40, 5, -10, math.nan
        track[5] = -20 if clipped else -18  # the momentary loudness: the newest counts
        reductions[:] = 20 * second
        return Levels(layout, values, np.array([clipped, False]))

    feed = MeterFeed(30, lambda: None)
    feed._last = -1e9
    feed.take_in(levels(0.1, 1.0, clipped=True))
    feed.take_in(levels(1.0, 0.1))
    assert feed.take_layout() == layout
    frame = feed.take_frame()
    assert frame is not None
    lufs = (-3000, -4000, 500, -1000, -32768)
    assert read(frame)[2] == [
        (0, -602, CLIPPED),
        (0, -2602, 0, 0, 0, -1800, *lufs),
        (2000,),
    ]
    feed._last = -1e9
    feed.take_in(levels(0.1, 0.1))
    frame = feed.take_frame()
    assert frame is not None
    assert read(frame)[1:] == (
        1,
        [(-2000, -2602, 0), (-2000, -2602, 0, -2000, 0, -1800, *lufs), (200,)],
    )


@pytest.mark.parametrize("hz", [5, 15])
def test_meters_come_as_often_as_asked_for(api: Api, hz: int) -> None:
    with api.client() as client:
        client.ask("subscribe", meters={"hz": hz})
        client.frame()
        begin = time.monotonic()
        for _ in range(4):
            client.frame()
        took = time.monotonic() - begin
    assert 4 / hz * 0.7 < took < 4 / hz + 0.5


def test_a_client_that_stops_reading_costs_the_others_nothing(
    api: Api, controls: FakeControls
) -> None:
    with contextlib.ExitStack() as stack:
        # It reads nothing of what its 4 kB do not hold, and it closes without waiting.
        sleeper = socket.create_connection(("127.0.0.1", api.port))
        stack.callback(sleeper.close)
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        _open_by_hand(sleeper, api.port)
        reader = stack.enter_context(api.client())
        reader.ask("subscribe", events=True, meters={"hz": 30})
        text = "x" * 5000
        begin = time.monotonic()
        for number in range(1000):
            controls.events.publish(NewsTold(f"{number} {text}"))
            if number % 100 == 99:
                controls.set("voice.gain_db", -number / 100, origin="test")
                while reader.take("patch")["values"]["voice.gain_db"] != -number / 100:
                    pass
        assert time.monotonic() - begin < 5
        reader.frame()


def _open_by_hand(plain: socket.socket, port: int) -> None:
    """Opens a WebSocket and asks for everything, then never reads again."""
    plain.sendall(
        b"GET /api/v1/ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" % port
    )
    got = b""
    while b"\r\n\r\n" not in got:
        got += plain.recv(4096)
    for message in (
        {"type": "auth", "token": TOKEN},
        {"type": "request", "command": "subscribe", "events": True, "meters": {"hz": 30}},
    ):
        data = json.dumps(message).encode()
        length = (
            bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack(">BH", 0xFE, len(data))
        )
        plain.sendall(b"\x81" + length + bytes(4) + data)  # a mask of zeros


def test_who_was_too_slow_gets_the_whole_state_and_every_reply() -> None:
    import asyncio

    class Sender:
        def __init__(self) -> None:
            self.texts: list[str] = []
            self.open = asyncio.Event()

        async def send_text(self, data: str) -> None:
            await self.open.wait()
            self.texts.append(data)

        async def send_bytes(self, data: bytes) -> None:
            raise AssertionError

    async def check() -> list[str]:
        revision = 0

        async def state() -> dict[str, object]:
            return {"revision": revision}

        sender, outbox = Sender(), Outbox(state)
        sending = asyncio.create_task(outbox.send_to(sender))
        await asyncio.sleep(0)
        outbox.put(Entry("reply", "reply"))
        for number in range(1, 700):
            outbox.put(Entry("patch", f"patch {number}", number))
        revision = 650
        outbox.close()
        sender.open.set()
        await sending
        return sender.texts

    texts = asyncio.run(check())
    assert texts[0] == '{"type":"state","revision":0}'
    assert texts[1] == '{"type":"state","revision":650}'
    assert texts[2] == "reply"
    assert texts[3:] == [f"patch {number}" for number in range(651, 700)]


def drain(client: Client, replies: list[Any]) -> None:
    while True:
        replies.append(client.take("reply"))


def test_a_client_that_asks_and_does_not_read_is_closed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypac_obs.control.outbox._MOST_REPLIES", 0)
    with api.client() as client, api.connect() as stranger:
        client.send(type="request", command="get", address="voice.mute")
        with pytest.raises(ConnectionClosed) as closed:
            client.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        stranger.send("{}")
        with pytest.raises(ConnectionClosed):
            stranger.recv(5)


def test_an_event_that_cannot_be_told_costs_no_other(api: Api, controls: FakeControls) -> None:
    class Broken:
        def to_json(self) -> None:
            raise RuntimeError

    with api.client() as client:
        client.ask("subscribe", events=True)
        controls.events.publish(NewsTold(Broken()))  # type: ignore[arg-type]
        controls.events.publish(NewsTold(math.inf))  # type: ignore[arg-type]
        controls.events.publish(NewsTold("whole"))
        assert client.take("event")["text"] is None
        assert client.take("event")["text"] == "whole"


def test_those_who_show_no_token_take_nobodys_place(api: Api, wait_until: Wait) -> None:
    with contextlib.ExitStack() as stack:
        before = api.client()
        stack.callback(before.close)
        strangers = [stack.enter_context(api.connect()) for _ in range(16)]
        with api.connect() as one_more, pytest.raises(ConnectionClosed) as closed:
            one_more.recv(5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        assert before.ask("get", address="voice.mute")["ok"]
        strangers[0].close()
        with api.client() as client:
            assert client.ask("get", address="voice.mute")["ok"]


def test_a_flood_of_requests_is_told_to_slow_down_and_then_closed(
    api: Api, controls: FakeControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypac_obs.control.websocket._MOST_REFUSED", 5)
    monkeypatch.setattr("pypac_obs.control.limits._PER_SECOND", 20)
    with api.client() as client:
        with contextlib.suppress(ConnectionClosed):
            for number in range(60):
                client.send(type="request", id=number, command="get", address="voice.mute")
        replies: list[Any] = []
        with pytest.raises(ConnectionClosed) as closed:
            drain(client, replies)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert "TooManyRequests" in [one["error"]["kind"] for one in replies if not one["ok"]]
    with api.client() as again:
        assert again.ask("get", address="voice.mute")["ok"]


def test_a_message_of_more_than_64_kib_closes_that_client_alone(api: Api) -> None:
    with api.client() as client, api.client() as other:
        client.socket.send("x" * (64 * 1024 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            client.take("reply")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        other.socket.send(b"x")
        with pytest.raises(ConnectionClosed) as binary:
            other.take("reply")
        assert binary.value.rcvd is not None
        assert binary.value.rcvd.code == 1003


def test_sixteen_clients_may_come_and_the_next_is_told(api: Api) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(api.client())
        with api.connect() as one_more, pytest.raises(ConnectionClosed) as closed:
            one_more.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
