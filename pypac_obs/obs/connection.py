# SPDX-License-Identifier: MIT
"""A connection to OBS's websocket server: obs-websocket 5, which OBS has had since version 28.

obsws-python speaks to OBS; its clients are made here to hold what it does not promise. Whatever
listens at the other end is not trusted: it may be late, send garbage, or vanish. Each of these ends
in one of the errors under `ObsError`, in bounded time and memory.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Self

from obsws_python import EventClient, ReqClient
from obsws_python.baseclient import ObsClient
from obsws_python.error import OBSSDKRequestError
from websocket import (
    ABNF,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)

from pypac_obs.errors import (
    ObsDisabled,
    ObsError,
    ObsNotAnswering,
    ObsNotRunning,
    ObsRefused,
    ObsUntrusted,
    ObsWrongPassword,
)
from pypac_obs.obs.address import ObsAddress, Secret
from pypac_obs.obs.bounded_websocket import BoundedWebSocket, connect_socket
from pypac_obs.obs.listener import refuse_other_users
from pypac_obs.obs.messages import Message, MessageReader, Op, not_the_protocol, quoted, too_old
from pypac_obs.obs.requests import (
    Answer,
    BatchSizes,
    Request,
    batch_data,
    checked_batch,
    checked_reply,
)

__all__ = ["EventGroup", "ObsAddress", "ObsConnection", "ObsVersion", "Secret"]

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

SWITCH_ON = (
    "In OBS: Tools > WebSocket Server Settings > Enable WebSocket server. "
    "OBS has to be version 28 or newer."
)

# Says nothing: obsws-python logs passwords, and tracebacks of what is no fault.
_SILENCE = logging.Logger("pypac_obs.obs.silence", logging.CRITICAL)
_SILENCE.disabled = True


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


class _CloseCode(IntEnum):
    AUTHENTICATION_FAILED = 4009
    UNSUPPORTED_RPC_VERSION = 4010
    SESSION_INVALIDATED = 4011


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
    """A request, or a batch of them, that waits for its reply."""

    def __init__(self, reply_op: Op) -> None:
        self.reply_op = reply_op
        self.done = threading.Event()
        self.reply: Mapping[str, Any] | None = None
        self.error: ObsError | None = None


class _WebSocket(BoundedWebSocket):
    """A websocket of messages that are read within limits."""

    def __init__(self, address: ObsAddress, connected: socket.socket) -> None:
        super().__init__(connected)
        self.reader = MessageReader(address)
        self._address = address

    def message(self) -> Message:
        """Receives the next message."""
        opcode, frame = self.recv_data_frame()
        if opcode == ABNF.OPCODE_CLOSE:
            raise WebSocketConnectionClosedException
        if opcode != ABNF.OPCODE_TEXT:
            raise not_the_protocol(self._address, "binary data")
        assert not isinstance(frame.data, str)  # only what is to be sent may be one
        return self.reader.read(frame.data)

    def recv(self) -> str:
        """Gives the answer to what identifies us; other messages before it are passed over."""
        while (message := self.message()).op != Op.IDENTIFIED:
            pass
        return message.text


class _Client(ObsClient):
    """obsws-python's client, which connects in bounded time, and finds each request's own answer.

    Its making is ours: the library's reads a config.toml of any folder it is in, has no deadline,
    and logs the password.
    """

    def __init__(
        self,
        address: ObsAddress,
        deadline: float,
        subscriptions: EventGroup,
        on_opening: Callable[[Callable[[], None]], None] | None,
    ) -> None:
        self.logger = _SILENCE
        self.host, self.port, self.password = address.host, address.port, ""
        self.subs, self.timeout = int(subscriptions), None
        self.address = address
        self.error: ObsError | None = None  # why it is closed; set once, under the lock
        self.pending: dict[str, _Pending] = {}
        self._next_id = 0
        # The pending requests and the error; never held while waiting.
        self._lock = threading.Lock()
        connected = _connect(address, max(_LEAST_S, deadline - time.monotonic()))
        self.ws = _WebSocket(address, connected)
        self.ws.end_by(deadline)
        try:
            self._open(on_opening)
            self._identify(deadline)
        except BaseException:
            self.ws.end()
            self.ws.release()
            raise
        self.ws.reader.allow_events()

    def req(self, req_type: str, req_data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Asks, and waits for the answer until the websocket's deadline for this thread."""
        data = {"requestType": req_type, "requestData": req_data or {}}
        reply = self._ask(Op.REQUEST, data, req_type)
        return checked_reply(req_type, reply)

    def req_batch(self, requests: Sequence[Request]) -> list[Answer]:
        """Asks for all of it in one message, and waits as `req` does."""
        words = f"{len(requests)} requests from {requests[0].kind} on"
        reply = self._ask(Op.REQUEST_BATCH, batch_data(requests), words)
        return checked_batch(requests, reply)

    def _ask(self, op: Op, data: Mapping[str, Any], words: str) -> Mapping[str, Any]:
        deadline = self.ws.deadline
        is_batch = op == Op.REQUEST_BATCH
        pending = _Pending(Op.REQUEST_BATCH_RESPONSE if is_batch else Op.REQUEST_RESPONSE)
        with self._lock:
            if self.error is not None:
                raise _again(self.error)
            self._next_id += 1
            request_id = str(self._next_id)
            if is_batch:
                self.ws.reader.allow_batch()
            else:
                self.ws.reader.allow_answer(data["requestType"])
            self.pending[request_id] = pending
        try:
            message = {"op": int(op), "d": {**data, "requestId": request_id}}
            text = json.dumps(message, allow_nan=False)
            # Where sending fails, the reader learns why.
            with contextlib.suppress(OSError, WebSocketConnectionClosedException):
                self.ws.send(text)
            in_time = pending.done.wait(max(0.0, deadline - time.monotonic()))
        except WebSocketTimeoutException:
            in_time = False
        finally:
            with self._lock:
                self.pending.pop(request_id, None)
        if not in_time:
            raise ObsNotAnswering(
                f"OBS at {self.address} did not answer {words} in time",
                remedy="See whether OBS hangs, or waits for an answer in a dialog of its own.",
            )
        if pending.error is not None:
            raise _again(pending.error)
        assert pending.reply is not None
        return pending.reply

    def take_reply(self, op: int, data: Mapping[str, Any]) -> None:
        """Gives a reply to who waits for it; nobody may any more, or it is the second one."""
        request_id = data.get("requestId")
        if not isinstance(request_id, str):
            raise not_the_protocol(self.address, "a reply has no requestId")
        with self._lock:
            pending = self.pending.get(request_id)
            if pending is not None and pending.reply_op != op:
                raise not_the_protocol(self.address, "a reply is of another kind than its request")
            self.pending.pop(request_id, None)
        if pending is not None:
            pending.reply = data
            pending.done.set()

    def end(self, error: ObsError) -> None:
        """Lets all requests fail, now and later. The first reason counts."""
        with self._lock:
            if self.error is not None:
                return
            self.error = error
            waiting, self.pending = list(self.pending.values()), {}
        for pending in waiting:
            pending.error = error
            pending.done.set()

    def reason(self, error: BaseException) -> ObsError:
        """Turns what ended the connection into an error of ours."""
        if self.error is not None:
            return self.error
        if isinstance(error, ObsError):
            return error
        lost = isinstance(error, OSError | WebSocketConnectionClosedException)
        if not lost and isinstance(error, WebSocketException):
            return not_the_protocol(self.address, quoted(str(error)) or "broken frames")
        if not lost:
            return not_the_protocol(self.address, type(error).__name__)
        return _closing(self.address, self.ws.close_frame)

    def _open(self, on_opening: Callable[[Callable[[], None]], None] | None) -> None:
        """Shakes hands as far as HTTP goes."""
        if on_opening is not None:
            on_opening(self.ws.end)
        try:
            self.ws.shake_hands(f"ws://{self.address}/")
            if self.address.is_here:
                refuse_other_users(self.ws.bounded, str(self.address))
        except ObsError:
            raise
        except (WebSocketTimeoutException, TimeoutError):
            raise ObsNotAnswering(
                f"something at {self.address} takes connections, but does not answer",
                remedy="See whether OBS hangs; something else may listen at this port.",
            ) from None
        except (WebSocketConnectionClosedException, OSError):
            raise not_the_protocol(self.address, "it hangs up at once") from None
        except Exception:
            raise not_the_protocol(self.address, "it is no websocket server") from None

    def _identify(self, deadline: float) -> None:
        try:
            self.server_hello = self._greeting(deadline)
            self._check_greeting(self.server_hello["d"])
            if self.address.password is not None:
                self.password = self.address.password.reveal()
            self.authenticate()
        except (WebSocketTimeoutException, TimeoutError):
            raise ObsNotAnswering(
                f"OBS at {self.address} took the connection, but does not answer",
                remedy="See whether OBS hangs; something else may listen at this port.",
            ) from None
        except UnicodeEncodeError:
            raise _wrong_password(self.address) from None
        except Exception as error:
            raise self.reason(error) from None
        finally:
            self.password = ""  # the library's clients show it

    def _greeting(self, deadline: float) -> dict[str, Any]:
        """Waits for OBS's first message; what is of another kind before it is passed over."""
        try:
            while (message := self.ws.message()).op != Op.HELLO:
                pass
        except WebSocketTimeoutException:
            # A server before OBS 28 waits to be asked; its own first question tells it.
            self.ws.end_by(time.monotonic() + _OLD_SERVER_S)
            self.ws.send('{"request-type": "GetVersion", "message-id": "1"}')
            while (message := self.ws.message()).op != Op.HELLO:
                pass
            self.ws.end_by(max(deadline, time.monotonic() + _LEAST_S))
        return {"op": message.op, "d": dict(message.data)}

    def _check_greeting(self, hello: dict[str, Any]) -> None:
        """Refuses those that the library would fail with, or give proof to without being asked."""
        address = self.address
        rpc_version = hello.get("rpcVersion")
        if not isinstance(rpc_version, int):
            raise not_the_protocol(address, "its greeting has no rpcVersion")
        if rpc_version < _RPC_VERSION:
            raise too_old(address)
        question = hello.get("authentication")
        if question is None:
            hello.pop("authentication", None)
            if address.password is None:
                return
            raise ObsUntrusted(
                f"what answers at {address} asks for no password, and "
                f"{address.found_in} has one: it may not be your OBS",
                remedy="See which program listens at this port. If it is your OBS: in OBS, "
                "Tools > WebSocket Server Settings > Enable Authentication; or take the "
                "password out there.",
            )
        if address.password is None and address.withheld:
            raise ObsWrongPassword(
                f"OBS at {address} asks for a password, and does not get the one from "
                f"{address.withheld}: only the profile names that computer",
                remedy=f"If you trust it, set the environment variable OBS_HOST={address.host}.",
            )
        if address.password is None or not address.password.reveal():
            raise ObsWrongPassword(
                f"OBS at {address} asks for a password, and none is known",
                remedy="Set the environment variable OBS_PASSWORD, or name where it is in the "
                "profile: `password: {env: NAME}` under outputs.obs.",
            )
        said = question if isinstance(question, dict) else {}
        if not all(_is_text(said.get(key)) for key in ("salt", "challenge")):
            raise not_the_protocol(address, "its greeting has no salt and challenge")


class _Requests(ReqClient):
    """obsws-python's requests, over a client that is there already."""

    def __init__(self, client: _Client) -> None:
        self.logger = _SILENCE
        self.base_client = client


class _Events(EventClient):
    """obsws-python's thread for events, which also takes the answers to requests.

    ``on_event`` and ``on_closed`` are those of `ObsConnection`.
    """

    def __init__(
        self,
        client: _Client,
        on_event: Callable[[str, Mapping[str, Any], int], None] | None,
        on_closed: Callable[[ObsError], None] | None,
    ) -> None:
        self.logger = _SILENCE
        self.base_client = client
        self._on_event, self._on_closed = on_event, on_closed
        self.subscribe()

    def trigger(self, stop_event: threading.Event) -> None:
        """Receives until the end."""
        threading.current_thread().name = "obs connection"
        client: _Client = self.base_client
        try:
            self._receive()
        except Exception as error:  # whatever it is, those who wait are told
            client.end(client.reason(error))
        client.ws.end()
        client.ws.release()
        if self._on_closed is not None and client.error is not None:
            self._on_closed(client.error)

    def _receive(self) -> None:
        client = self.base_client
        pinged_at = 0.0
        while client.error is None:
            now = time.monotonic()
            client.ws.end_by(now + _PING_S, answers_by=now + 2 * _PING_S)
            try:
                message = client.ws.message()
            except WebSocketTimeoutException:
                if client.ws.last_heard < pinged_at:
                    raise ObsNotRunning(
                        f"OBS at {client.address} is silent: it hangs, or the network is gone",
                        remedy="See whether OBS still runs.",
                    ) from None
                pinged_at = time.monotonic()
                # Where another thread's message holds it up, the answer to that tells.
                with contextlib.suppress(WebSocketTimeoutException):
                    client.ws.ping("there?")
                continue
            if message.op in (Op.REQUEST_RESPONSE, Op.REQUEST_BATCH_RESPONSE):
                client.take_reply(message.op, message.data)
            elif message.op == Op.EVENT:
                self._take_event(message)

    def _take_event(self, message: Message) -> None:
        kind, values = message.data.get("eventType"), message.data.get("eventData")
        if not isinstance(kind, str) or not isinstance(values, Mapping | None):
            raise not_the_protocol(self.base_client.address, "an event has no type, or no data")
        if self._on_event is not None:
            self._on_event(kind, values or {}, message.size)


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
        self._undivided = threading.RLock()
        deadline = time.monotonic() + timeout_s
        self._client = _Client(address, deadline, subscriptions, on_opening)
        self._requests = _Requests(self._client)
        self._events = _Events(self._client, on_event, on_closed)
        try:
            self.version = self._ask_version(deadline)
        except BaseException:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """True once the connection is gone, whoever ended it."""
        return self._client.error is not None

    @property
    def error(self) -> ObsError | None:
        """Why the connection is closed; None while it is open."""
        return self._client.error

    def close(self) -> None:
        """Ends the connection: requests that wait raise ObsNotRunning. May be called again.

        Where another thread is in `undivided`, it waits for that first, for 10 s at most. The
        connection's thread is given up if it does not end.
        """
        waited = not self.closed and self._undivided.acquire(timeout=_UNDIVIDED_S)
        try:
            self._client.end(ObsNotRunning(f"the connection to OBS at {self.address} was closed"))
        finally:
            if waited:
                self._undivided.release()
        self._client.ws.end()
        if threading.current_thread() is not self._events.worker:
            self._events.worker.join(_ENDS_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self, kind: str, /, *, timeout_s: float | None = None, **data: Any
    ) -> dict[str, Any]:
        """Asks OBS for something, with obs-websocket's own names, and gives its answer.

        Waits where OBS says that it is not ready yet. What is in the answer is unchecked. Raises
        ObsRefused if OBS cannot do it, ObsNotAnswering after ``timeout_s`` (the connection's, if
        None), and the reason of the end if the connection is or becomes closed.
        """
        deadline = self._deadline(timeout_s)
        while True:
            self._client.ws.end_by(deadline)
            try:
                return self._requests.send(kind, data, raw=True) or {}
            except OBSSDKRequestError as refusal:
                if refusal.code != _NOT_READY:
                    words = str(refusal).partition(" With message: ")[2]
                    raise ObsRefused(kind, refusal.code, words) from None
            self._wait_until_ready(kind, deadline)

    def request_all(
        self, requests: Sequence[Request], *, timeout_s: float | None = None
    ) -> list[Answer]:
        """Asks OBS for several things at once, which it does in their order, refused ones or not.

        Gives for each its answer, or the ObsRefused that `request` would raise; all else is as with
        `request`, and ``timeout_s`` is for all of them. It takes one round trip; more where OBS is
        not ready, or where the replies to very many would be longer than a message may be.
        """
        deadline = self._deadline(timeout_s)
        answers: list[Answer] = [{} for _ in requests]
        left = list(range(len(requests)))
        sizes = BatchSizes()
        while left:
            count = sizes.fitting([requests[place] for place in left])
            places, left = left[:count], left[count:]
            asked = [requests[place] for place in places]
            self._client.ws.end_by(deadline)
            found = self._client.req_batch(asked)
            if left:
                sizes.learn(asked, found)
            waiting = []
            for place, answer in zip(places, found, strict=True):
                if isinstance(answer, ObsRefused) and answer.code == _NOT_READY:
                    waiting.append(place)
                else:
                    answers[place] = answer
            if waiting:
                self._wait_until_ready(requests[waiting[0]].kind, deadline)
                left = waiting + left
        return answers

    def _deadline(self, timeout_s: float | None) -> float:
        if threading.current_thread() is self._events.worker:
            raise RuntimeError("no requests on the connection's own thread: it takes the answers")
        return time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)

    def _wait_until_ready(self, kind: str, deadline: float) -> None:
        if time.monotonic() + _NOT_READY_PAUSE_S >= deadline:
            raise ObsNotAnswering(
                f"OBS at {self.address} is not ready to answer {kind}",
                remedy="See whether OBS still loads, or waits for an answer in a dialog.",
            )
        time.sleep(_NOT_READY_PAUSE_S)

    @contextlib.contextmanager
    def undivided(self) -> Iterator[None]:
        """Keeps `close` from coming between requests that leave OBS in between, each alone."""
        with self._undivided:
            yield

    def _ask_version(self, deadline: float) -> ObsVersion:
        left_s = max(_LEAST_S, deadline - time.monotonic())
        answer = self.request("GetVersion", timeout_s=left_s)
        words = [answer.get(k) for k in ("obsVersion", "obsWebSocketVersion", "platform")]
        known = answer.get("availableRequests", [])
        if not all(isinstance(word, str) for word in words) or not isinstance(known, list):
            raise not_the_protocol(self.address, "GetVersion has no versions")
        obs, websocket, platform = (quoted(str(word)) for word in words)
        return ObsVersion(
            obs, websocket, platform, frozenset(k for k in known if isinstance(k, str))
        )


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


def _closing(address: ObsAddress, frame: ABNF | None) -> ObsError:
    """Tells why OBS closed the connection, from its last frame, if there was one."""
    data = frame.data if frame is not None and isinstance(frame.data, bytes) else b""
    code = struct.unpack("!H", data[:2])[0] if len(data) >= 2 else None
    if code == _CloseCode.AUTHENTICATION_FAILED:
        return _wrong_password(address)
    if code == _CloseCode.UNSUPPORTED_RPC_VERSION:
        return too_old(address)
    if code == _CloseCode.SESSION_INVALIDATED:
        return ObsNotRunning(f"OBS at {address} ended the connection, as its user asked")
    if code is not None and code >= 4000:
        words = quoted(data[2:].decode(errors="replace"))
        return not_the_protocol(address, f"it closed with {code} {words}".rstrip())
    return ObsNotRunning(
        f"the connection to OBS at {address} was lost", remedy="See whether OBS still runs."
    )


def _is_text(word: object) -> bool:
    """Whether it is a text, of whole characters."""
    try:
        return isinstance(word, str) and word.encode() is not None
    except UnicodeEncodeError:
        return False


def _wrong_password(address: ObsAddress) -> ObsWrongPassword:
    return ObsWrongPassword(
        f"OBS at {address} does not take the password from {address.found_in}",
        remedy="In OBS: Tools > WebSocket Server Settings > Show Connect Info.",
    )


def _again(error: ObsError) -> ObsError:
    """Copies an error, so that each thread that raises it has a traceback of its own."""
    return type(error)(error.message, remedy=error.remedy, native_code=error.native_code)
