# SPDX-License-Identifier: MIT
"""A connection to OBS's websocket server: obs-websocket 5, which OBS has had since version 28.

Whatever listens at the other end is not trusted: it may be late, send garbage, or vanish. Each of
these ends in one of the errors under `ObsError`, in bounded time and memory.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import json
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, NoReturn, Self

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from pypac_obs.errors import (
    ObsDisabled,
    ObsError,
    ObsNotAnswering,
    ObsNotRunning,
    ObsProtocolError,
    ObsRefused,
    ObsTooOld,
    ObsUntrusted,
    ObsWrongPassword,
)
from pypac_obs.obs.listener import refuse_other_users
from pypac_obs.obs.wire import Wire, connect_socket

__all__ = ["EventGroup", "ObsAddress", "ObsConnection", "ObsVersion", "Secret"]

DEFAULT_PORT = 4455
# No message is longer; what is read from one is bounded by its kind, below.
MAX_MESSAGE_BYTES = 4 * 2**20
_RPC_VERSION = 1
# After this long without a word the other end is asked whether it is there (a ping), and after as
# long again it is taken for gone.
_PING_S = 5.0
# OBS answers "not ready" while it starts and while it changes its scene collection.
_NOT_READY = 207
_NOT_READY_PAUSE_S = 0.1
# What is left of a deadline that is all but over.
_LEAST_S = 0.1
# How long an OBS before 28 has to show itself.
_OLD_SERVER_S = 1.0
# How long `close` waits for what is to be done as a whole, and for the connection's thread.
_UNDIVIDED_S = 10.0
_ENDS_WITHIN_S = 2.0
# Our close codes for frames that are wrong, data that is not text, text that is none, too large.
_PEERS_FAULT = (1002, 1003, 1007, 1009)
# Of words from the other end that go into our messages.
_MAX_QUOTE = 200

SWITCH_ON = (
    "In OBS: Tools > WebSocket Server Settings > Enable WebSocket server. "
    "OBS has to be version 28 or newer."
)


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
# What a value takes once it is read, in bytes, or in characters of a long text.
_VALUE_SIZE = 100
# A text in JSON, or one that does not end.
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+\\?(?:"|\Z)', re.DOTALL)


class EventGroup(IntFlag):
    """The groups of events that one can subscribe to; obs-websocket's own numbers."""

    NONE = 0
    GENERAL = 1 << 0
    CONFIG = 1 << 1
    SCENES = 1 << 2
    INPUTS = 1 << 3
    TRANSITIONS = 1 << 4
    FILTERS = 1 << 5
    OUTPUTS = 1 << 6
    SCENE_ITEMS = 1 << 7
    MEDIA_INPUTS = 1 << 8
    VENDORS = 1 << 9
    UI = 1 << 10
    ALL = (1 << 11) - 1
    """All but those of high volume, below."""
    INPUT_VOLUME_METERS = 1 << 16
    INPUT_ACTIVE_STATE = 1 << 17
    INPUT_SHOW_STATE = 1 << 18
    SCENE_ITEM_TRANSFORM = 1 << 19


class _Op(IntEnum):
    HELLO = 0
    IDENTIFY = 1
    IDENTIFIED = 2
    EVENT = 5
    REQUEST = 6
    REQUEST_RESPONSE = 7


class _CloseCode(IntEnum):
    AUTHENTICATION_FAILED = 4009
    UNSUPPORTED_RPC_VERSION = 4010
    SESSION_INVALIDATED = 4011


class Secret:
    """A text that no log, message, pickle or repr shows.

    >>> Secret("hunter2")
    Secret(***)
    >>> f"{Secret('hunter2')}", Secret("hunter2").reveal()
    ('***', 'hunter2')
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Gives the text itself."""
        return self.__text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__text == other.__text

    def __hash__(self) -> int:
        return hash(self.__text)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class ObsAddress:
    """Where an OBS listens, and how we know.

    ``found_in`` says in words where the address and the password come from. ``withheld`` says where
    a password is from that this computer must not be given, as only a profile names it; "" for
    none. ``disabled_in`` is the file of OBS's settings that says that the websocket server is off,
    "" if none does.
    """

    host: str = "localhost"
    port: int = DEFAULT_PORT
    password: Secret | None = None
    found_in: str = "OBS's defaults"
    disabled_in: str = ""
    withheld: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^\s/\\@?#\[\]\x00-\x1f\x7f]{1,255}", self.host):
            raise ValueError(f"{self.host!r} is not the name or the address of a computer")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"{self.port} is not a port: they go from 1 to 65535")

    @property
    def is_here(self) -> bool:
        """Whether its name is this computer's own address."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ObsVersion:
    """What an OBS says of itself: versions such as "29.0.2" and "5.1.0", and its platform.

    ``requests`` are the kinds of request that it knows.
    """

    obs: str
    websocket: str
    platform: str
    requests: frozenset[str] = frozenset()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The OBS version as numbers, to compare.

        >>> ObsVersion("30.2.0-rc1", "5.5.0", "x11").numbers >= (30, 2)
        True
        """
        return tuple(map(int, re.findall(r"\d{1,9}", self.obs.partition("-")[0])[:3]))


class _Pending:
    """A request that waits for its reply."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.reply: Mapping[str, Any] | None = None
        self.error: ObsError | None = None


class ObsConnection:
    """A connection to OBS, from its making until `close` or until the other end goes.

        with ObsConnection(find_server(None)) as obs:
            print(obs.version.obs, obs.request("GetRecordStatus")["outputActive"])

    ``timeout_s`` is how long connecting, and each request, may take as a whole. ``on_event`` is
    called with each event's type and data and its size (its characters, or 100 for each of its
    values where that is more), ``on_closed`` once when the connection is gone, however it ended:
    both on the connection's thread, where they must be quick and must not call `request`.
    ``on_opening`` gets a function that ends the making of the connection, for any thread.

    What may not be the user's own OBS is refused before it gets proof of the password: a program of
    another user of this computer, and one that does not ask for the password that is known.

    Raises ObsNotRunning, ObsDisabled, ObsWrongPassword, ObsUntrusted, ObsTooOld, ObsNotAnswering or
    ObsProtocolError. `request`, `undivided` and `close` are for any thread.
    """

    def __init__(
        self,
        address: ObsAddress,
        *,
        timeout_s: float = 5.0,
        subscriptions: EventGroup = EventGroup.ALL,
        on_event: Callable[[str, Mapping[str, Any], int], None] | None = None,
        on_closed: Callable[[ObsError], None] | None = None,
        on_opening: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._on_event = on_event
        self._on_closed = on_closed
        self._pending: dict[str, _Pending] = {}
        self._next_id = 0
        self._limit = _GREETING  # of what is asked for; it grows
        self._error: ObsError | None = None  # why it is closed; set once, under the lock
        self._lock = (
            threading.Lock()
        )  # the pending requests and the error; never held while waiting
        self._undivided = threading.RLock()
        deadline = time.monotonic() + timeout_s
        self._wire = _open(address, deadline, on_opening)
        try:
            self._identify(subscriptions, deadline)
        except BaseException:
            self._wire.close()
            self._wire.release()
            raise
        self._thread = threading.Thread(target=self._run, name="obs connection", daemon=True)
        self._thread.start()
        try:
            self.version = self._ask_version(deadline)
        except BaseException:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """True once the connection is gone, whoever ended it."""
        return self._error is not None

    @property
    def error(self) -> ObsError | None:
        """Why the connection is closed; None while it is open."""
        return self._error

    def close(self) -> None:
        """Ends the connection: requests that wait raise ObsNotRunning. May be called again.

        Where another thread is in `undivided`, it waits for that first, for 10 s at most. The
        connection's thread is given up if it does not end.
        """
        waited = not self.closed and self._undivided.acquire(timeout=_UNDIVIDED_S)
        try:
            self._end(ObsNotRunning(f"the connection to OBS at {self.address} was closed"))
        finally:
            if waited:
                self._undivided.release()
        self._wire.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(_ENDS_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Requests -----------------------------------------------------------------------------------

    def request(
        self, kind: str, /, *, timeout_s: float | None = None, **data: Any
    ) -> dict[str, Any]:
        """Asks OBS for something, with obs-websocket's own names, and gives its answer.

        Waits where OBS says that it is not ready yet. What is in the answer is unchecked. Raises
        ObsRefused if OBS cannot do it, ObsNotAnswering after ``timeout_s`` (the connection's, if
        None), and the reason of the end if the connection is or becomes closed.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("no requests on the connection's own thread: it takes the answers")
        deadline = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        while True:
            try:
                return self._ask(kind, data, deadline)
            except ObsRefused as refusal:
                if refusal.code != _NOT_READY:
                    raise
                if time.monotonic() + _NOT_READY_PAUSE_S >= deadline:
                    raise ObsNotAnswering(
                        f"OBS at {self.address} is not ready to answer {kind}",
                        remedy="See whether OBS still loads, or waits for an answer in a dialog.",
                    ) from refusal
            time.sleep(_NOT_READY_PAUSE_S)

    @contextlib.contextmanager
    def undivided(self) -> Iterator[None]:
        """Keeps `close` from coming between requests that leave OBS in between, each alone."""
        with self._undivided:
            yield

    def _ask(self, kind: str, data: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        pending = _Pending()
        with self._lock:
            if self._error is not None:
                raise _again(self._error)
            self._next_id += 1
            request_id = str(self._next_id)
            self._allow(_ANSWERS.get(kind, _OTHER_ANSWER))
            self._pending[request_id] = pending
        try:
            message = {"requestType": kind, "requestId": request_id, "requestData": data}
            self._send(_Op.REQUEST, message, deadline)
            if not pending.done.wait(max(0.0, deadline - time.monotonic())):
                raise ObsNotAnswering(
                    f"OBS at {self.address} did not answer {kind} in time",
                    remedy="See whether OBS hangs, or waits for an answer in a dialog of its own.",
                )
        finally:
            with self._lock:
                self._pending.pop(request_id, None)
        if pending.error is not None:
            raise _again(pending.error)
        assert pending.reply is not None
        return _answer(kind, pending.reply)

    def _ask_version(self, deadline: float) -> ObsVersion:
        left_s = max(_LEAST_S, deadline - time.monotonic())
        answer = self.request("GetVersion", timeout_s=left_s)
        words = [answer.get(k) for k in ("obsVersion", "obsWebSocketVersion", "platform")]
        known = answer.get("availableRequests", [])
        if not all(isinstance(word, str) for word in words) or not isinstance(known, list):
            raise _not_the_protocol(self.address, "GetVersion has no versions")
        obs, websocket, platform = (_quoted(str(word)) for word in words)
        return ObsVersion(
            obs, websocket, platform, frozenset(k for k in known if isinstance(k, str))
        )

    # Hello --------------------------------------------------------------------------------------

    def _identify(self, subscriptions: EventGroup, deadline: float) -> None:
        try:
            hello = self._await(_Op.HELLO, deadline)
            reply: dict[str, Any] = {
                "rpcVersion": _RPC_VERSION,
                "eventSubscriptions": int(subscriptions),
            }
            rpc_version = hello.get("rpcVersion")
            if not isinstance(rpc_version, int):
                raise _not_the_protocol(self.address, "its greeting has no rpcVersion")
            if rpc_version < _RPC_VERSION:
                raise _too_old(self.address)
            if (question := hello.get("authentication")) is not None:
                reply["authentication"] = self._proof(question)
            elif self.address.password is not None:
                raise ObsUntrusted(
                    f"what answers at {self.address} asks for no password, and "
                    f"{self.address.found_in} has one: it may not be your OBS",
                    remedy="See which program listens at this port. If it is your OBS: in OBS, "
                    "Tools > WebSocket Server Settings > Enable Authentication; or take the "
                    "password out there.",
                )
            self._send(_Op.IDENTIFY, reply, deadline)
            self._await(_Op.IDENTIFIED, deadline)
        except ConnectionClosed as closed:
            raise self._why(closed) from None

    def _proof(self, question: object) -> str:
        """Computes what shows OBS that we know the password, without sending it."""
        if self.address.password is None and self.address.withheld:
            raise ObsWrongPassword(
                f"OBS at {self.address} asks for a password, and does not get the one from "
                f"{self.address.withheld}: only the profile names that computer",
                remedy="If you trust it, set the environment variable "
                f"OBS_HOST={self.address.host}.",
            )
        if self.address.password is None:
            raise ObsWrongPassword(
                f"OBS at {self.address} asks for a password, and none is known",
                remedy="Set the environment variable OBS_PASSWORD, or name where it is in the "
                "profile: `password: {env: NAME}` under outputs.obs.",
            )
        salt, challenge = (
            (question.get("salt"), question.get("challenge"))
            if isinstance(question, Mapping)
            else (None, None)
        )
        if not isinstance(salt, str) or not isinstance(challenge, str):
            raise _not_the_protocol(self.address, "its greeting has no salt and challenge")
        secret = _digest(self.address.password.reveal() + salt)
        return _digest(secret + challenge)

    def _await(self, op: _Op, deadline: float) -> Mapping[str, Any]:
        """Waits for a message of this kind; what is of another kind meanwhile is passed over."""
        asked_old = False
        while True:
            try:
                got, data, _ = self._read(deadline)
            except TimeoutError:
                if op is not _Op.HELLO or asked_old:
                    raise ObsNotAnswering(
                        f"OBS at {self.address} took the connection, but does not answer",
                        remedy="See whether OBS hangs; something else may listen at this port.",
                    ) from None
                # A server before OBS 28 waits to be asked; its own first question tells it.
                asked_old, deadline = True, time.monotonic() + _OLD_SERVER_S
                self._wire.send('{"request-type": "GetVersion", "message-id": "1"}', deadline)
                continue
            if got == op:
                return data
            if time.monotonic() > deadline:
                raise ObsNotAnswering(f"OBS at {self.address} does not answer in time")

    # Receiving, on the connection's thread --------------------------------------------------------

    def _run(self) -> None:
        try:
            self._receive()
        except ConnectionClosed as closed:
            self._end(self._why(closed))
        except ObsError as error:
            self._end(error)
        except Exception as error:  # whatever it is, those who wait are told
            self._end(_not_the_protocol(self.address, type(error).__name__))
        self._wire.close()
        self._wire.release()
        if self._on_closed is not None:
            assert self._error is not None
            self._on_closed(self._error)

    def _receive(self) -> None:
        with self._lock:
            self._allow(_EVENT)
        pinged_at = 0.0
        while self._error is None:
            try:
                op, data, size = self._read(time.monotonic() + _PING_S)
            except TimeoutError:
                if self._wire.last_heard < pinged_at:
                    raise ObsNotRunning(
                        f"OBS at {self.address} is silent: it hangs, or the network is gone",
                        remedy="See whether OBS still runs.",
                    ) from None
                pinged_at = time.monotonic()
                self._wire.ping()
                continue
            if op == _Op.REQUEST_RESPONSE:
                self._take_reply(data)
            elif op == _Op.EVENT:
                self._take_event(data, size)

    def _take_reply(self, data: Mapping[str, Any]) -> None:
        request_id = data.get("requestId")
        if not isinstance(request_id, str):
            raise _not_the_protocol(self.address, "a reply has no requestId")
        with self._lock:
            pending = self._pending.pop(request_id, None)
        if pending is not None:  # else nobody waits for it any more, or it is the second one
            pending.reply = data
            pending.done.set()

    def _take_event(self, data: Mapping[str, Any], size: int) -> None:
        kind, values = data.get("eventType"), data.get("eventData")
        if not isinstance(kind, str) or not isinstance(values, Mapping | None):
            raise _not_the_protocol(self.address, "an event has no type, or no data")
        if self._on_event is not None:
            self._on_event(kind, values or {}, size)

    def _end(self, error: ObsError) -> None:
        with self._lock:
            if self._error is not None:
                return
            self._error = error
            waiting, self._pending = list(self._pending.values()), {}
        for pending in waiting:
            pending.error = error
            pending.done.set()

    # Messages -----------------------------------------------------------------------------------

    def _send(self, op: _Op, data: Mapping[str, Any], deadline: float) -> None:
        try:
            self._wire.send(json.dumps({"op": int(op), "d": data}, allow_nan=False), deadline)
        except ConnectionClosed as closed:
            raise self._why(closed) from None

    def _read(self, deadline: float) -> tuple[int, Mapping[str, Any], int]:
        """Reads a message: its kind, its data and its size. TimeoutError, ConnectionClosed."""
        text = self._wire.receive(deadline)
        values = self._counted(text, self._limit)
        message = _parsed(text)
        if not isinstance(message, Mapping):
            raise _not_the_protocol(self.address, "it sends what is not a JSON object")
        if "op" not in message and message.keys() & {"message-id", "update-type"}:
            raise _too_old(self.address)
        op, data = message.get("op"), message.get("d")
        if op == _Op.EVENT:
            self._counted(text, _EVENT)
        if not isinstance(op, int) or isinstance(op, bool) or not isinstance(data, Mapping):
            raise _not_the_protocol(self.address, "a message has no op and d")
        return op, data, max(len(text), _VALUE_SIZE * values)

    def _allow(self, limit: _Limit) -> None:
        """Lets messages be as long as an answer that is asked for. Under the lock."""
        values = max(limit.values, self._limit.values)
        self._limit = _Limit(max(limit.characters, self._limit.characters), values)

    def _counted(self, text: str, limit: _Limit) -> int:
        """Counts the keys and values of a message before anything is made of it."""
        if len(text) > limit.characters:
            raise _not_the_protocol(
                self.address, f"it sends a message of more than {limit.characters >> 10} KiB"
            )
        values = _count_values(text)
        if values > limit.values:  # some may be part of texts
            values = _count_values(_TEXT.sub("", text))
        if values > limit.values:
            raise _not_the_protocol(
                self.address, f"it sends a message of more than {limit.values} values"
            )
        return values

    def _why(self, closed: ConnectionClosed) -> ObsError:
        """Turns the end of the connection into a reason."""
        if self._error is not None:
            return self._error
        if closed.sent is not None and closed.sent.code in _PEERS_FAULT:
            return _not_the_protocol(self.address, _quoted(closed.sent.reason) or "broken frames")
        code = closed.rcvd.code if closed.rcvd is not None else None
        words = _quoted(closed.rcvd.reason) if closed.rcvd is not None else ""
        if code == _CloseCode.AUTHENTICATION_FAILED:
            return ObsWrongPassword(
                f"OBS at {self.address} does not take the password from {self.address.found_in}",
                remedy="In OBS: Tools > WebSocket Server Settings > Show Connect Info.",
            )
        if code == _CloseCode.UNSUPPORTED_RPC_VERSION:
            return _too_old(self.address)
        if code == _CloseCode.SESSION_INVALIDATED:
            return ObsNotRunning(f"OBS at {self.address} ended the connection, as its user asked")
        if code is not None and code >= 4000:
            return _not_the_protocol(self.address, f"it closed with {code} {words}".rstrip())
        return ObsNotRunning(
            f"the connection to OBS at {self.address} was lost",
            remedy="See whether OBS still runs.",
        )


def _open(
    address: ObsAddress,
    deadline: float,
    on_opening: Callable[[Callable[[], None]], None] | None,
) -> Wire:
    """Connects and shakes hands as far as HTTP goes."""
    wire = Wire(
        f"ws://{address}/",
        _connect(address, max(_LEAST_S, deadline - time.monotonic())),
        protocol_name="obswebsocket.json",
        max_bytes=MAX_MESSAGE_BYTES,
    )
    try:
        if on_opening is not None:
            on_opening(wire.close)
        wire.shake_hands(deadline)
        if address.is_here:
            wire.check(lambda connected: refuse_other_users(connected, str(address)))
    except BaseException as error:
        wire.close()
        wire.release()
        if isinstance(error, ObsError):
            raise
        if isinstance(error, TimeoutError):
            raise ObsNotAnswering(
                f"something at {address} takes connections, but does not answer",
                remedy="See whether OBS hangs; something else may listen at this port.",
            ) from None
        if isinstance(error, InvalidHandshake):
            raise _not_the_protocol(address, "it is no websocket server") from None
        if isinstance(error, OSError | EOFError):
            raise _not_the_protocol(address, "it hangs up at once") from None
        raise
    return wire


def _connect(address: ObsAddress, timeout_s: float) -> socket.socket:
    try:
        return connect_socket(address.host, address.port, timeout_s)
    except socket.gaierror:
        raise ObsNotRunning(
            f"there is no computer named {address.host}",
            remedy="Correct `host` in the profile, or the environment variable OBS_HOST.",
        ) from None
    except TimeoutError:
        raise ObsNotRunning(
            f"nothing answers at {address}", remedy="See whether a firewall is in the way."
        ) from None
    except (OSError, UnicodeError) as error:
        if address.disabled_in:
            raise ObsDisabled(
                f"OBS's websocket server is off, says {address.disabled_in}", remedy=SWITCH_ON
            ) from None
        native = error.errno if isinstance(error, OSError) else None
        raise ObsNotRunning(
            f"OBS is not running, or its websocket server is off: nothing listens at {address}",
            remedy=f"Start OBS. {SWITCH_ON}",
            native_code=native,
        ) from None


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()).decode()


def _count_values(text: str) -> int:
    """Counts the keys and values of JSON, and what looks like some in its texts.

    An empty list or object counts twice.

    >>> _count_values('{"a": [1, 2, 3]}')
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


def _answer(kind: str, reply: Mapping[str, Any]) -> dict[str, Any]:
    status = reply.get("requestStatus")
    data = reply.get("responseData")
    if not isinstance(status, Mapping) or not isinstance(data, dict | None):
        raise ObsProtocolError(f"OBS's answer to {kind} has no status, or no data")
    result, code, comment = (status.get(key) for key in ("result", "code", "comment"))
    if not isinstance(result, bool) or not isinstance(code, int) or isinstance(code, bool):
        raise ObsProtocolError(f"OBS's answer to {kind} has no result and code")
    if not result:
        raise ObsRefused(kind, code, _quoted(comment) if isinstance(comment, str) else "")
    return data or {}


def _quoted(text: str) -> str:
    """Makes words from the other end fit for a message: on one line, printable, not long."""
    line = " ".join(text[: 2 * _MAX_QUOTE].split())
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return line if len(line) <= _MAX_QUOTE else line[: _MAX_QUOTE - 1] + "…"


def _too_old(address: ObsAddress) -> ObsTooOld:
    return ObsTooOld(
        f"the OBS at {address} speaks another version of the protocol than obs-websocket 5",
        remedy="Update OBS to version 28 or newer; remove an obs-websocket installed beside it.",
    )


def _not_the_protocol(address: ObsAddress, detail: str) -> ObsProtocolError:
    return ObsProtocolError(
        f"what answers at {address} is not OBS, or does not keep to its protocol: {detail}",
        remedy="See which program listens at this port; OBS's own is shown under "
        "Tools > WebSocket Server Settings.",
    )


def _again(error: ObsError) -> ObsError:
    """Copies an error, so that each thread that raises it has a traceback of its own."""
    return type(error)(error.message, remedy=error.remedy, native_code=error.native_code)
