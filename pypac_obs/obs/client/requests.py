# SPDX-License-Identifier: MIT
"""Requests to OBS and what their replies have to be like, one at a time and in batches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pypac_obs.errors import ObsProtocolError, ObsRefused
from pypac_obs.obs.client.messages import (
    BATCH_VALUES,
    MAX_MESSAGE_BYTES,
    count_values,
    quoted,
)

__all__ = [
    "Answer",
    "BatchSizes",
    "Request",
    "batch_data",
    "checked_batch",
    "checked_reply",
    "given",
]

# OBS does what is in a batch in its order, at once and without waiting for its next picture.
_SERIAL_REALTIME = 0


@dataclass(frozen=True)
class Request:
    """A request to OBS, by obs-websocket's own names."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


Answer = dict[str, Any] | ObsRefused
"""What one request of a batch came to."""


def given(answer: Answer) -> dict[str, Any]:
    """Gives an answer's data. Raises ObsRefused where OBS has refused it."""
    if isinstance(answer, ObsRefused):
        raise answer
    return answer


def batch_data(requests: Sequence[Request]) -> dict[str, Any]:
    """Gives the data of the message that asks for a batch; each request has its place as its id."""
    return {
        "haltOnFailure": False,
        "executionType": _SERIAL_REALTIME,
        "requests": [
            {"requestType": one.kind, "requestId": str(place), "requestData": dict(one.data)}
            for place, one in enumerate(requests)
        ],
    }


def checked_reply(kind: str, reply: Mapping[str, Any]) -> dict[str, Any]:
    """Gives a reply as obsws-python wants it. Raises ObsProtocolError."""
    status = reply.get("requestStatus")
    data = reply.get("responseData")
    if not isinstance(status, Mapping) or not isinstance(data, dict | None):
        raise ObsProtocolError(f"OBS's answer to {kind} has no status, or no data")
    result, code, comment = (status.get(key) for key in ("result", "code", "comment"))
    if not isinstance(result, bool) or not isinstance(code, int) or isinstance(code, bool):
        raise ObsProtocolError(f"OBS's answer to {kind} has no result and code")
    words = quoted(comment) if isinstance(comment, str) else ""
    checked = {"result": result, "code": code, "comment": words}
    return {"requestType": kind, "requestStatus": checked, "responseData": data}


def checked_batch(requests: Sequence[Request], reply: Mapping[str, Any]) -> list[Answer]:
    """Gives the answer to each request of a batch. Raises ObsProtocolError.

    A reply that does not hold one answer for each request, in their order, is not believed at all.
    """
    results = reply.get("results")
    if not isinstance(results, list):
        raise ObsProtocolError("OBS's answer to a batch of requests has no results")
    if len(results) != len(requests):
        raise ObsProtocolError(
            f"OBS's answer to a batch of {len(requests)} requests has {len(results)} results"
        )
    return [
        _checked_result(str(place), request.kind, result)
        for place, (request, result) in enumerate(zip(requests, results, strict=True))
    ]


def _checked_result(request_id: str, kind: str, result: object) -> Answer:
    if not isinstance(result, Mapping):
        raise ObsProtocolError(f"OBS's answer to {kind} in a batch is no object")
    if result.get("requestId") != request_id or result.get("requestType") != kind:
        raise ObsProtocolError(f"OBS's answer to {kind} in a batch is one to another request")
    checked = checked_reply(kind, result)
    status = checked["requestStatus"]
    if not status["result"]:
        return ObsRefused(kind, status["code"], status["comment"])
    return checked["responseData"] or {}


class BatchSizes:
    """Says how many requests fit into a batch, so that its reply stays below the limit.

    How long an answer will be shows only once it is there. So the first batch goes by what is
    longer than almost any, and the next ones by four times the longest of their kind so far::

        sizes = BatchSizes()
        count = sizes.fitting(requests)         # at least one
        sizes.learn(requests[:count], answers)  # what is left may be more, or less, at once
    """

    def __init__(self) -> None:
        self._expected = {
            # An item has some 900 characters, so this is a scene of 145 of them.
            "GetSceneItemList": 128 * 2**10,
            "GetGroupSceneItemList": 128 * 2**10,
            "GetSceneList": 256 * 2**10,
            "GetInputList": 256 * 2**10,
            "GetInputDefaultSettings": 64 * 2**10,
            "GetInputSettings": 16 * 2**10,
            "GetInputKindList": 16 * 2**10,
            "GetProfileList": 16 * 2**10,
            "GetSceneCollectionList": 16 * 2**10,
        }

    def fitting(self, requests: Sequence[Request]) -> int:
        """Counts how many of the requests, from the first on, are one batch."""
        size = 0
        for count, request in enumerate(requests):
            size += self._expected.get(request.kind, _LEAST)
            if size > MAX_MESSAGE_BYTES:
                return max(1, count)
        return len(requests)

    def learn(self, requests: Sequence[Request], answers: Sequence[Answer]) -> None:
        """Takes the length of answers for what others of their kinds will have."""
        longest: dict[str, int] = {}
        for request, answer in zip(requests, answers, strict=True):
            size = 0 if isinstance(answer, ObsRefused) else _size(answer)
            longest[request.kind] = max(size, longest.get(request.kind, 0))
        for kind, size in longest.items():
            self._expected[kind] = max(_LEAST, 4 * size)


_LEAST = 2**10


def _size(answer: dict[str, Any]) -> int:
    """An answer's characters, or its share of the values that a reply may have."""
    text = json.dumps(answer)
    return max(len(text), count_values(text) * MAX_MESSAGE_BYTES // BATCH_VALUES)
