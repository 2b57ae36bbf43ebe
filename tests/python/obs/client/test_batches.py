# SPDX-License-Identifier: MIT
"""Batches of requests, against servers that answer them well, and others."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from fake_server import FakeObs, Peer

from pypac_obs.errors import ObsNotAnswering, ObsNotRunning, ObsProtocolError, ObsRefused
from pypac_obs.obs.client.connection import ObsAddress, ObsConnection
from pypac_obs.obs.client.messages import BATCH_VALUES, MAX_MESSAGE_BYTES
from pypac_obs.obs.client.requests import BatchSizes, Request, given

PATIENCE_S = 30.0
TWO = [Request("GetSceneList"), Request("GetInputMute", {"inputName": "voice"})]


def connected(server: FakeObs, **options: Any) -> ObsConnection:
    return ObsConnection(ObsAddress("127.0.0.1", server.port), **{"timeout_s": 5.0} | options)


def result(asked: dict[str, Any], data: Any = None, code: int = 100) -> dict[str, Any]:
    status = {"result": code == 100, "code": code, "comment": "words"}
    return {
        "requestType": asked["requestType"],
        "requestId": asked["requestId"],
        "requestStatus": status,
        "responseData": data,
    }


def test_a_batch_is_one_message_and_gives_each_its_own_answer() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        batch = peer.batch()
        assert batch["executionType"] == 0
        assert batch["haltOnFailure"] is False
        seen.append([(one["requestType"], one["requestData"]) for one in batch["requests"]])
        first, second = batch["requests"]
        results = [result(first, code=600), result(second, {"inputMuted": True})]
        peer.send(9, {"requestId": batch["requestId"], "results": results})
        peer.wait_until_gone()

    seen: list[Any] = []
    with FakeObs(script) as server, connected(server) as obs:
        refused, muted = obs.request_all(TWO)
    assert seen == [[("GetSceneList", {}), ("GetInputMute", {"inputName": "voice"})]]
    assert given(muted) == {"inputMuted": True}
    assert isinstance(refused, ObsRefused)
    assert (refused.request, refused.code, refused.comment) == ("GetSceneList", 600, "words")
    with pytest.raises(ObsRefused):
        given(refused)


def test_no_requests_are_no_message() -> None:
    with FakeObs() as server, connected(server) as obs:
        assert obs.request_all([]) == []
        assert not server.requests


Spoiler = Callable[[list[dict[str, Any]]], Any]
WRONG: dict[str, Spoiler] = {
    "no results": lambda results: None,
    "results that are no list": lambda results: {"0": results[0]},
    "one result too few": lambda results: results[:1],
    "one result too many": lambda results: [*results, results[0]],
    "none at all": lambda results: [],
    "results in another order": lambda results: results[::-1],
    "twice the same": lambda results: [results[0], results[0]],
    "the id of another one": lambda results: [results[0], results[1] | {"requestId": "7"}],
    "an id that is a number": lambda results: [results[0], results[1] | {"requestId": 1}],
    "no id": lambda results: [{**results[0], "requestId": None}, results[1]],
    "another type": lambda results: [results[0] | {"requestType": "StopRecord"}, results[1]],
    "a result that is a number": lambda results: [7, results[1]],
    "no status": lambda results: [results[0] | {"requestStatus": None}, results[1]],
    "a code that is a text": lambda results: [
        results[0] | {"requestStatus": {"result": True, "code": "100"}},
        results[1],
    ],
    "data that is a list": lambda results: [results[0] | {"responseData": [1]}, results[1]],
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG.keys())
def test_a_reply_that_is_wrong_fails_its_batch_as_a_whole_and_nothing_else(spoil: Spoiler) -> None:
    def script(peer: Peer) -> None:
        peer.open()
        batch = peer.batch()
        results = spoil([result(one, {}) for one in batch["requests"]])
        peer.send(9, {"requestId": batch["requestId"], "results": results})
        peer.answer_requests()

    with FakeObs(script) as server, connected(server) as obs:
        with pytest.raises(ObsProtocolError, match="OBS's answer to"):
            obs.request_all(TWO)
        server.answers["GetInputMute"] = {"inputMuted": True}
        assert obs.request_all(TWO) == [{}, {"inputMuted": True}]
        assert obs.request("GetInputMute", inputName="voice") == {"inputMuted": True}


def test_a_reply_of_another_kind_than_asked_for_ends_the_connection() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        batch = peer.batch()
        peer.send(7, result({"requestType": "GetSceneList", "requestId": batch["requestId"]}))
        peer.wait_until_gone()

    with FakeObs(script) as server, connected(server) as obs:
        with pytest.raises(ObsProtocolError, match="another kind"):
            obs.request_all(TWO)
        assert obs.closed


def test_a_late_reply_is_not_taken_for_the_next_one() -> None:
    given_up = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        late = peer.batch()
        assert given_up.wait(PATIENCE_S)
        results = [result(one, {"late": True}) for one in late["requests"]]
        peer.send(9, {"requestId": late["requestId"], "results": results})
        peer.answer_requests()

    with FakeObs(script) as server, connected(server) as obs:
        with pytest.raises(ObsNotAnswering, match="2 requests from GetSceneList on in time"):
            obs.request_all(TWO, timeout_s=0.1)
        given_up.set()
        assert obs.request_all(TWO) == [{}, {}]


def test_all_of_the_requests_have_one_deadline() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        while True:
            batch = peer.batch()
            time.sleep(0.15)  # late, and the next one, too
            results = [result(one, code=207) for one in batch["requests"]]
            peer.send(9, {"requestId": batch["requestId"], "results": results})

    with FakeObs(script) as server, connected(server) as obs:
        began = time.monotonic()
        with pytest.raises(ObsNotAnswering):
            obs.request_all(TWO, timeout_s=0.5)
        assert time.monotonic() - began < 3.0


def test_only_what_obs_is_not_ready_for_is_asked_again() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        for codes in ([100, 207], [100]):
            batch = peer.batch()
            asked.append([one["requestType"] for one in batch["requests"]])
            results = [
                result(one, {"code": code}, code)
                for one, code in zip(batch["requests"], codes, strict=True)
            ]
            peer.send(9, {"requestId": batch["requestId"], "results": results})
        peer.wait_until_gone()

    asked: list[list[str]] = []
    with FakeObs(script) as server, connected(server) as obs:
        assert obs.request_all(TWO) == [{"code": 100}, {"code": 100}]
    assert asked == [["GetSceneList", "GetInputMute"], ["GetInputMute"]]


def sends(text: str) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.open()
        peer.batch()
        peer.send_text(text)
        peer.wait_until_gone()

    return script


@pytest.mark.parametrize(
    "text",
    [
        '{"op":9,"d":{"requestId":"2","results":["' + "x" * MAX_MESSAGE_BYTES + '"]}}',
        '{"op":9,"d":{"requestId":"2","results":[' + "0," * BATCH_VALUES + "0]}}",
    ],
    ids=["of too many characters", "of too many values"],
)
def test_a_huge_reply_is_not_read(text: str) -> None:
    with FakeObs(sends(text)) as server, connected(server) as obs:
        with pytest.raises(ObsProtocolError, match=r"too long|more than"):
            obs.request_all(TWO)
        assert obs.closed


def test_a_connection_that_is_lost_within_a_batch_says_so() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        peer.batch()

    with FakeObs(script) as server, connected(server) as obs, pytest.raises(ObsNotRunning):
        obs.request_all(TWO)


def test_no_batch_on_the_connections_own_thread() -> None:
    raised: list[BaseException] = []

    def on_event(kind: str, data: Any, size: int) -> None:
        try:
            obs.request_all(TWO)
        except RuntimeError as error:
            raised.append(error)
        done.set()

    done = threading.Event()
    with FakeObs() as server, connected(server, on_event=on_event) as obs:
        server.peers[0].send_event("SceneCreated", {})
        assert done.wait(PATIENCE_S)
    assert raised


def test_threads_that_ask_at_once_get_their_own_answers() -> None:
    def echo(peer: Peer, request: Any) -> None:
        peer.reply(request, request["requestData"])

    def ask(number: int) -> None:
        for turn in range(20):
            words = [f"{number} {turn} {one}" for one in range(5)]
            if number % 2:
                batch = [Request("Echo", {"word": word}) for word in words]
                right.append(obs.request_all(batch) == [{"word": word} for word in words])
            else:
                right.append(obs.request("Echo", word=words[0]) == {"word": words[0]})

    right: list[bool] = []
    with FakeObs() as server, connected(server, timeout_s=PATIENCE_S) as obs:
        server.answers["Echo"] = echo
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert right == [True] * 120


def scene_items(count: int) -> dict[str, Any]:
    """As long as OBS's own."""
    transform = {f"transform value {n}": 1280.0 for n in range(25)}
    item = {"sceneItemId": 1, "sourceName": "a source", "sceneItemTransform": transform}
    return {"sceneItems": [item] * count}


def test_the_replies_of_a_very_large_obs_stay_below_the_limit() -> None:
    sizes = []

    def script(peer: Peer) -> None:
        peer.open()
        while True:
            batch = peer.batch()
            results = []
            for one in batch["requests"]:
                number = int(one["requestData"]["sceneName"])
                # Most are small; all at once one is as large as a scene may be.
                results.append(result(one, scene_items(1000 if number == 150 else 12)))
            reply = {"op": 9, "d": {"requestId": batch["requestId"], "results": results}}
            text = json.dumps(reply)
            sizes.append(len(text))
            peer.send_text(text)

    asked = [Request("GetSceneItemList", {"sceneName": str(number)}) for number in range(400)]
    with FakeObs(script) as server, connected(server, timeout_s=PATIENCE_S) as obs:
        answers = obs.request_all(asked)
    counts = [len(given(answer)["sceneItems"]) for answer in answers]
    assert counts == [12] * 150 + [1000] + [12] * 249
    assert sum(sizes) > MAX_MESSAGE_BYTES
    assert max(sizes) < MAX_MESSAGE_BYTES
    assert len(sizes) <= 10


def test_what_twenty_scenes_and_thirty_inputs_hold_is_one_batch() -> None:
    asked = [Request("GetSceneItemList", {"sceneName": str(n)}) for n in range(20)]
    asked += [Request("GetInputSettings", {"inputName": str(n)}) for n in range(30)]
    asked += [Request("GetInputMute", {"inputName": str(n)}) for n in range(150)]
    asked += [Request("GetSceneCollectionList"), Request("GetSceneList"), Request("GetInputList")]
    assert BatchSizes().fitting(asked) == len(asked)


def test_one_request_is_asked_however_long_its_answer_may_be() -> None:
    sizes = BatchSizes()
    asked = [Request("GetSceneItemList")] * 3
    sizes.learn(asked[:1], [scene_items(1200)])
    assert sizes.fitting(asked) == 1
