# SPDX-License-Identifier: MIT
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fake_server import VERSION, FakeObs, Peer

from pypac_obs.errors import (
    ObsDisabled,
    ObsError,
    ObsNotAnswering,
    ObsNotRunning,
    ObsProtocolError,
    ObsRefused,
    ObsWrongPassword,
)
from pypac_obs.obs.client import link as link_module
from pypac_obs.obs.client.connection import ObsAddress, ObsConnection, Secret
from pypac_obs.obs.client.link import ObsLink

PATIENCE_S = 30.0


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


class Watcher:
    """Keeps what a link calls back."""

    def __init__(self, find: Callable[[], ObsAddress], **options: Any) -> None:
        self.connected: list[ObsConnection] = []
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.lost: list[ObsError] = []
        self.threads: set[str] = set()
        self.link = ObsLink(
            find,
            on_connected=self.on_connected,
            on_event=self.on_event,
            on_lost=self.on_lost,
            timeout_s=5.0,
            **options,
        )

    def on_connected(self, obs: ObsConnection) -> None:
        self.threads.add(threading.current_thread().name)
        obs.request("GetSceneList")  # allowed here
        self.connected.append(obs)

    def on_event(self, obs: ObsConnection, kind: str, data: Mapping[str, Any]) -> None:
        self.threads.add(threading.current_thread().name)
        obs.request("GetInputList")  # allowed here, too
        self.events.append((kind, data))

    def on_lost(self, reason: ObsError) -> None:
        self.threads.add(threading.current_thread().name)
        self.lost.append(reason)

    def __enter__(self) -> Watcher:
        self.link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.link.stop()
        assert self.link.state == "stopped"
        assert self.link.connection is None


def at(server: FakeObs) -> Callable[[], ObsAddress]:
    def find() -> ObsAddress:
        secret = Secret("right") if server.password is not None else None
        return ObsAddress("127.0.0.1", server.port, secret)

    return find


def test_it_connects_calls_back_and_says_so() -> None:
    with FakeObs() as server, Watcher(at(server)) as watcher:
        wait_for(lambda: bool(watcher.connected))
        assert watcher.link.state == f"connected to OBS 29.0.2 at 127.0.0.1:{server.port}"
        assert watcher.link.error is None
        assert watcher.link.connection is watcher.connected[0]
    assert watcher.threads == {"obs link"}
    assert not watcher.lost  # the end was ours


def test_an_obs_that_comes_later_and_again_is_served_each_time() -> None:
    with FakeObs() as server:
        port = server.port
    with Watcher(lambda: ObsAddress("127.0.0.1", port)) as watcher:
        wait_for(lambda: watcher.link.error is not None)
        assert isinstance(watcher.link.error, ObsNotRunning)
        assert "tried again every" in watcher.link.state
        for times in (1, 2, 3):
            with FakeObs(port=port):
                began = time.monotonic()
                wait_for(lambda: len(watcher.connected) == times)  # noqa: B023
                assert time.monotonic() - began < 5.0  # what is promised; it takes 2 s at most
            wait_for(lambda: len(watcher.lost) == times)  # noqa: B023
            assert isinstance(watcher.lost[-1], ObsNotRunning)


def test_an_obs_that_has_just_come_up_is_left_alone_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settling_s = 0.4
    monkeypatch.setattr(link_module, "SETTLING_S", settling_s)
    waited: list[float] = []

    def connected(obs: ObsConnection) -> None:
        began = time.monotonic()
        link.let_settle()
        waited.append(time.monotonic() - began)

    with FakeObs() as server:
        port = server.port
        link = ObsLink(lambda: ObsAddress("127.0.0.1", port), on_connected=connected)
        link.start()
        wait_for(lambda: len(waited) == 1)
    assert waited[0] < settling_s, "it was there before us"
    wait_for(lambda: link.error is not None)
    with FakeObs(port=port):
        wait_for(lambda: len(waited) == 2)
    assert waited[1] >= settling_s - 0.001  # Windows counts in steps of 15.6 ms
    link.stop()


def test_events_come_in_order_on_the_links_thread() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        for number in range(200):
            peer.send_event("SceneCreated", {"number": number})
        peer.answer_requests()

    with FakeObs(script) as server, Watcher(at(server)) as watcher:
        wait_for(lambda: len(watcher.events) == 200)
    assert [data["number"] for _, data in watcher.events] == list(range(200))
    assert watcher.threads == {"obs link"}


def test_where_obs_is_is_asked_again_before_each_attempt() -> None:
    with FakeObs() as server:
        addresses = iter([ObsDisabled("off"), ObsNotRunning("not yet")])

        def find() -> ObsAddress:
            error = next(addresses, None)
            if error is not None:
                raise error
            return ObsAddress("127.0.0.1", server.port)

        with Watcher(find) as watcher:
            wait_for(lambda: bool(watcher.connected))


def test_a_wrong_password_is_tried_seldom_and_again() -> None:
    with FakeObs(password="not this one") as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(link_module, "USERS_TURN_S", 0.5)
        with Watcher(at(server)) as watcher:
            wait_for(lambda: watcher.link.error is not None)
            assert isinstance(watcher.link.error, ObsWrongPassword)
            assert "does not take the password" in watcher.link.state
            assert "right" not in watcher.link.state
            server.password = "right"
            wait_for(lambda: bool(watcher.connected))
    assert 2 <= server.connections <= 4


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "more events than"),
        ({"text": "x" * 1_000_000}, "more events than can be heeded: 16 wait already, of 16"),
        ({"list": [[]] * 9_000}, "more events than can be heeded: 9 wait already, of 16"),
    ],
    ids=["of-many-events", "of-few-large-events", "of-few-events-of-many-values"],
)
def test_a_flood_is_ended_and_the_connection_made_again(data: dict[str, Any], said: str) -> None:
    flooded = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        if not flooded.is_set():
            while True:  # faster than anyone can heed, until we are thrown out
                flooded.set()
                peer.send_event("SceneCreated", data)
        peer.answer_requests()

    with FakeObs(script) as server, Watcher(at(server)) as watcher:
        wait_for(lambda: bool(watcher.lost) and watcher.link.connection is not None)
    assert isinstance(watcher.lost[0], ObsProtocolError)
    assert said in str(watcher.lost[0])


def test_connections_that_are_lost_at_once_are_made_again_less_and_less_often() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        peer.close(1001)

    with FakeObs(script) as server, Watcher(at(server)):
        since_s = time.monotonic()
        wait_for(lambda: server.connections >= 4)
        assert time.monotonic() - since_s >= 0.25 + 0.5 + 1.0 - 0.1


def test_what_obs_was_too_slow_for_is_tried_again_with_a_new_connection() -> None:
    tried: list[ObsConnection] = []

    def slow_at_first(obs: ObsConnection) -> None:
        tried.append(obs)
        if len(tried) == 1:
            raise ObsNotAnswering("it did not answer in time")

    with FakeObs() as server:
        link = ObsLink(at(server), on_connected=slow_at_first)
        link.start()
        wait_for(lambda: len(tried) == 2 and link.error is None)
        assert tried[0].closed
        assert link.connection is tried[1]
        link.stop()


def test_nothing_is_done_on_connecting_once_it_is_to_stop() -> None:
    begun, go_on = threading.Event(), threading.Event()
    connected: list[ObsConnection] = []

    def script(peer: Peer) -> None:
        begun.set()
        go_on.wait(PATIENCE_S)
        peer.open()
        peer.answer_requests()

    with FakeObs(script) as server:
        link = ObsLink(at(server), on_connected=connected.append)
        link.start()
        begun.wait(PATIENCE_S)
        stopping = threading.Thread(target=link.stop)
        stopping.start()
        time.sleep(0.1)  # it waits for the connecting: that nothing happens is not told
        go_on.set()
        stopping.join()
    assert connected == []
    assert link.state == "stopped"


def test_an_obs_that_is_still_loading_is_tried_again_soon_and_left_to_settle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "SETTLING_S", 0.2)
    waited: list[float] = []

    def connected(obs: ObsConnection) -> None:
        began = time.monotonic()
        link.let_settle()
        waited.append(time.monotonic() - began)

    def version(peer: Peer, request: Any) -> None:
        if len(server.peers) == 1:
            peer.refuse(request, 207, "OBS is not ready")
        else:
            peer.reply(request, VERSION)

    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.greet()
        peer.answer_requests()

    with FakeObs(script) as server:
        server.answers["GetVersion"] = version
        link = ObsLink(at(server), on_connected=connected, timeout_s=0.3)
        link.start()
        wait_for(lambda: bool(waited))
        link.stop()
    assert waited[0] >= 0.2 - 0.001


def test_large_events_that_are_heeded_do_not_count_any_more() -> None:
    heeded: list[int] = []

    def script(peer: Peer) -> None:
        peer.open()
        for number in range(1, 41):
            peer.send_event("SceneCreated", {"text": "x" * 1_000_000, "number": number})
            wait_for(lambda: len(heeded) == number)  # noqa: B023
        peer.answer_requests()

    with FakeObs(script) as server:
        link = ObsLink(at(server), on_event=lambda obs, kind, data: heeded.append(data["number"]))
        link.start()
        wait_for(lambda: len(heeded) == 40)
        assert link.error is None
        link.stop()
    assert server.connections == 1


def test_what_a_callback_cannot_do_is_kept_and_the_link_goes_on() -> None:
    with FakeObs() as server:
        server.answers["GetSceneList"] = lambda peer, request: peer.refuse(request, 600, "no scene")
        with Watcher(at(server)) as watcher:
            wait_for(lambda: watcher.link.error is not None)
            assert isinstance(watcher.link.error, ObsRefused)
            assert watcher.link.connection is not None
            server.peers[0].send_event("SceneCreated")
            wait_for(lambda: bool(watcher.events))


def test_a_fault_in_a_callback_does_not_end_the_link() -> None:
    heeded: list[str] = []

    def heed(obs: ObsConnection, kind: str, data: Mapping[str, Any]) -> None:
        heeded.append(kind)
        raise KeyError("inputName")

    with FakeObs() as server:
        link = ObsLink(at(server), on_event=heed)
        link.start()
        wait_for(lambda: link.connection is not None)
        for number in (1, 2):
            server.peers[0].send_event("SceneCreated")
            wait_for(lambda: len(heeded) == number)  # noqa: B023
        assert "KeyError: 'inputName'" in str(link.error)
        link.stop()


def test_a_posted_job_runs_on_the_links_thread() -> None:
    done: list[str] = []

    def job(obs: ObsConnection) -> None:
        obs.request("CreateRecordChapter")
        done.append(threading.current_thread().name)

    with FakeObs() as server, Watcher(at(server)) as watcher:
        wait_for(lambda: bool(watcher.connected))
        assert watcher.link.post(job)
        wait_for(lambda: bool(done))
    assert done == ["obs link"]
    assert not watcher.link.post(job)


def test_stop_does_not_wait_for_a_keyring_that_asks_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "ENDS_WITHIN_S", 0.1)
    asked, answered = threading.Event(), threading.Event()

    def ask() -> ObsAddress:
        asked.set()
        assert answered.wait(PATIENCE_S)
        raise ObsNotRunning("there is no OBS")

    link = ObsLink(ask)
    link.start()
    assert asked.wait(PATIENCE_S)
    link.stop()
    assert not answered.is_set()
    answered.set()
    wait_for(lambda: link.state == "stopped")


def test_stop_does_not_wait_for_an_obs_that_hangs() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        peer.wait_until_gone()  # no request is ever answered

    with FakeObs(script) as server:
        link = ObsLink(
            at(server), on_connected=lambda obs: obs.request("GetSceneList"), timeout_s=PATIENCE_S
        )
        link.start()
        wait_for(lambda: link.connection is not None)
        began = time.monotonic()
        link.stop()
        assert time.monotonic() - began < PATIENCE_S / 2
        link.stop()


def test_stop_does_not_wait_for_what_holds_up_a_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "ENDS_WITHIN_S", 0.1)
    begun, go_on = threading.Event(), threading.Event()

    def hangs(obs: ObsConnection) -> None:
        begun.set()
        go_on.wait(PATIENCE_S)

    with FakeObs() as server:
        link = ObsLink(at(server), on_connected=hangs)
        link.start()
        assert begun.wait(PATIENCE_S)
        began = time.monotonic()
        link.stop()
        assert time.monotonic() - began < PATIENCE_S / 2
        go_on.set()
        wait_for(lambda: link.state == "stopped")


def test_stop_does_not_wait_for_a_server_that_pings_without_end() -> None:
    pinging = threading.Event()

    def script(peer: Peer) -> None:
        peer.shake_hands()
        pinging.set()
        while True:
            peer.send_raw(b"\x89\x00" * 1000)

    with FakeObs(script) as server:
        link = ObsLink(at(server), timeout_s=0.5)
        link.start()
        assert pinging.wait(PATIENCE_S)
        began = time.monotonic()
        link.stop()
        assert time.monotonic() - began < PATIENCE_S / 2
        wait_for(lambda: link.state == "stopped")


def test_stop_before_start_is_allowed() -> None:
    ObsLink(lambda: ObsAddress("127.0.0.1", 1)).stop()
