# SPDX-License-Identifier: MIT
"""obs-websocket's messages, as far as they are believed: none is read before its size is known."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, NoReturn

from pypac_obs.errors import ObsProtocolError, ObsTooOld
from pypac_obs.obs.client.address import ObsAddress

__all__ = [
    "BATCH_VALUES",
    "MAX_MESSAGE_BYTES",
    "Message",
    "MessageReader",
    "Op",
    "count_values",
    "not_the_protocol",
    "quoted",
    "too_old",
]

# No message is longer; what is read from one is bounded by its kind, below.
MAX_MESSAGE_BYTES = 4 * 2**20
# Nor does the reply to a batch of requests have more values.
BATCH_VALUES = 200_000
# Of words from the other end that go into our messages.
_MAX_QUOTE = 200


@dataclass(frozen=True, slots=True)
class _Limit:
    """The longest message of a kind: in characters, and in keys and values.

    A value of two characters takes some hundred bytes once it is read, so both count.
    """

    characters: int
    values: int


_GREETING = _Limit(2**16, 1_000)
# Events wait in a queue, so each is to be smaller than answers may be.
_EVENT = _Limit(2**20, 20_000)
_LIST = _Limit(MAX_MESSAGE_BYTES, 50_000)  # an item of a scene has some 40 of them
_SETTINGS = _Limit(MAX_MESSAGE_BYTES, 20_000)
_ANSWERS = {
    "GetGroupSceneItemList": _LIST,
    "GetInputList": _LIST,
    "GetSceneItemList": _LIST,
    "GetSceneList": _LIST,
    "GetInputDefaultSettings": _SETTINGS,
    "GetInputSettings": _SETTINGS,
    "GetOutputSettings": _SETTINGS,
    "GetStreamServiceSettings": _SETTINGS,
}
_OTHER_ANSWER = _Limit(2**20, 10_000)
_BATCH = _Limit(MAX_MESSAGE_BYTES, BATCH_VALUES)
# What a value takes once it is read, in bytes, or in characters of a long text.
_VALUE_SIZE = 100
# A text in JSON, or one that does not end.
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+\\?(?:"|\Z)', re.DOTALL)


class Op(IntEnum):
    """The kinds of message; obs-websocket's own numbers."""

    HELLO = 0
    IDENTIFY = 1
    IDENTIFIED = 2
    EVENT = 5
    REQUEST = 6
    REQUEST_RESPONSE = 7
    REQUEST_BATCH = 8
    REQUEST_BATCH_RESPONSE = 9


class Message(NamedTuple):
    """A message: its kind, its data, its text, and its size.

    The size is its characters, or 100 for each of its values where that is more.
    """

    op: int
    data: Mapping[str, Any]
    text: str
    size: int


class MessageReader:
    """Reads the messages that an OBS sends, each within the limit of what was asked for.

    At first only a greeting is allowed. Raises ObsProtocolError and ObsTooOld.
    """

    def __init__(self, address: ObsAddress) -> None:
        self._address = address
        self._limit = _GREETING  # it grows

    def allow_events(self) -> None:
        """Lets events come."""
        self._allow(_EVENT)

    def allow_answer(self, kind: str) -> None:
        """Lets the answer to this kind of request come. Not for two threads at once."""
        self._allow(_ANSWERS.get(kind, _OTHER_ANSWER))

    def allow_batch(self) -> None:
        """Lets the reply to a batch of requests come. Not for two threads at once."""
        self._allow(_BATCH)

    def read(self, data: bytes | bytearray) -> Message:
        """Reads a message."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise not_the_protocol(self._address, "text that is not UTF-8") from None
        values = self._counted(text, self._limit)
        message = _parsed(text)
        if not isinstance(message, Mapping):
            raise not_the_protocol(self._address, "it sends what is not a JSON object")
        if "op" not in message and message.keys() & {"message-id", "update-type"}:
            raise too_old(self._address)
        op, content = message.get("op"), message.get("d")
        if op == Op.EVENT:
            self._counted(text, _EVENT)
        if not isinstance(op, int) or isinstance(op, bool) or not isinstance(content, Mapping):
            raise not_the_protocol(self._address, "a message has no op and d")
        return Message(op, content, text, max(len(text), _VALUE_SIZE * values))

    def _allow(self, limit: _Limit) -> None:
        values = max(limit.values, self._limit.values)
        self._limit = _Limit(max(limit.characters, self._limit.characters), values)

    def _counted(self, text: str, limit: _Limit) -> int:
        """Counts the keys and values of a message before anything is made of it."""
        if len(text) > limit.characters:
            raise not_the_protocol(
                self._address, f"it sends a message of more than {limit.characters >> 10} KiB"
            )
        values = count_values(text)
        if values > limit.values:  # some may be part of texts
            values = count_values(_TEXT.sub("", text))
        if values > limit.values:
            raise not_the_protocol(
                self._address, f"it sends a message of more than {limit.values} values"
            )
        return values


def quoted(text: str) -> str:
    """Makes words from the other end fit for a message: on one line, printable, not long."""
    line = " ".join(text[: 2 * _MAX_QUOTE].split())
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return line if len(line) <= _MAX_QUOTE else line[: _MAX_QUOTE - 1] + "…"


def too_old(address: ObsAddress) -> ObsTooOld:
    """Says that an OBS is of before obs-websocket 5."""
    return ObsTooOld(
        f"the OBS at {address} speaks another version of the protocol than obs-websocket 5",
        remedy="Update OBS to version 28 or newer; remove an obs-websocket installed beside it.",
    )


def not_the_protocol(address: ObsAddress, detail: str) -> ObsProtocolError:
    """Says what is wrong with who answers."""
    return ObsProtocolError(
        f"what answers at {address} is not OBS, or does not keep to its protocol: {detail}",
        remedy="See which program listens at this port; OBS's own is shown under "
        "Tools > WebSocket Server Settings.",
    )


def count_values(text: str) -> int:
    """Counts the keys and values of JSON, and what looks like some in its texts.

    An empty list or object counts twice.

    >>> count_values('{"a": [1, 2, 3]}')
    6
    """
    return 1 + sum(map(text.count, ",:[{"))


def _parsed(text: str) -> object:
    """Reads JSON; None for what is none, or holds numbers that are none."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
