# SPDX-License-Identifier: MIT
"""obsws-python's clients, made to hold what the library does not promise."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from obsws_python import ReqClient
from obsws_python.baseclient import ObsClient
from websocket import (
    ABNF,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)

from pypac_obs.errors import ObsError, ObsNotAnswering
from pypac_obs.obs.client.address import ObsAddress
from pypac_obs.obs.client.bounded_websocket import BoundedWebSocket
from pypac_obs.obs.client.listener import refuse_other_users
from pypac_obs.obs.client.messages import Message, MessageReader, Op, not_the_protocol, quoted
from pypac_obs.obs.client.opening import check_greeting, closing, connect, wrong_password
from pypac_obs.obs.client.requests import Answer, Request, batch_data, checked_batch, checked_reply

__all__ = ["LEAST_S", "SILENCE", "Client", "Requests"]

# What is left of a deadline that is all but over.
LEAST_S = 0.1
# How long an OBS before 28 has to show itself.
_OLD_SERVER_S = 1.0

# Says nothing: obsws-python logs passwords, and tracebacks of what is no fault.
SILENCE = logging.Logger("pypac_obs.obs.silence", logging.CRITICAL)
SILENCE.disabled = True


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


class Client(ObsClient):
    """obsws-python's client, which connects in bounded time, and finds each request's own answer.

    Its making is ours: the library's reads a config.toml of any folder it is in, has no deadline,
    and logs the password.
    """

    def __init__(
        self,
        address: ObsAddress,
        deadline: float,
        subscriptions: int,
        on_opening: Callable[[Callable[[], None]], None] | None,
    ) -> None:
        self.logger = SILENCE
        self.host, self.port, self.password = address.host, address.port, ""
        self.subs, self.timeout = subscriptions, None
        self.address = address
        self.error: ObsError | None = None  # why it is closed; set once, under the lock
        self.pending: dict[str, _Pending] = {}
        self._next_id = 0
        # The pending requests and the error; never held while waiting.
        self._lock = threading.Lock()
        connected = connect(address, max(LEAST_S, deadline - time.monotonic()))
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
        return closing(self.address, self.ws.close_frame)

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
            check_greeting(self.address, self.server_hello["d"])
            if self.address.password is not None:
                self.password = self.address.password.reveal()
            self.authenticate()
        except (WebSocketTimeoutException, TimeoutError):
            raise ObsNotAnswering(
                f"OBS at {self.address} took the connection, but does not answer",
                remedy="See whether OBS hangs; something else may listen at this port.",
            ) from None
        except UnicodeEncodeError:
            raise wrong_password(self.address) from None
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
            self.ws.end_by(max(deadline, time.monotonic() + LEAST_S))
        return {"op": message.op, "d": dict(message.data)}


class Requests(ReqClient):
    """obsws-python's requests, over a client that is there already."""

    def __init__(self, client: Client) -> None:
        self.logger = SILENCE
        self.base_client = client


def _again(error: ObsError) -> ObsError:
    """Copies an error, so that each thread that raises it has a traceback of its own."""
    return type(error)(error.message, remedy=error.remedy, native_code=error.native_code)
