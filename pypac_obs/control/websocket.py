# SPDX-License-Identifier: MIT
"""One client's WebSocket: the token first, then state, requests, and what is pushed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from pydantic import ValidationError
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from pypac_obs.control.asyncapi import SOCKET_PATH
from pypac_obs.control.clients import Client, Clients
from pypac_obs.control.commands import COMMANDS, SUBSCRIBE, Reads
from pypac_obs.control.limits import CommandRate, TokenCheck
from pypac_obs.control.messages import AuthMessage, RequestMessage, SubscribeArguments
from pypac_obs.control.outbox import Entry, TooSlow
from pypac_obs.control.performer import Performer, object_in
from pypac_obs.control.replies import (
    BadRequest,
    ErrorReply,
    TooManyRequests,
    error_reply,
    to_text,
)
from pypac_obs.errors import SessionClosed

__all__ = ["NO_TOKEN", "WRONG_TOKEN", "Sockets"]

NO_TOKEN = 4001
WRONG_TOKEN = 4003
_GOING_AWAY = 1001
_NO_TEXT = 1003
_POLICY = 1008
_FAILED = 1011
_FULL = 1013

_AUTH_WITHIN_S = 5.0
_WAITING_REQUESTS = 100
# A client that is refused is read from no quicker than that, and closed where it goes on.
_REFUSED_PAUSE_S = 0.01
_MOST_REFUSED = 200
_REFUSED_WITHIN_S = 10.0

_log = logging.getLogger("pypac_obs.control")


@dataclass(frozen=True)
class Sockets:
    """What all WebSockets have in common."""

    clients: Clients
    performer: Performer
    check: TokenCheck

    def route(self) -> WebSocketRoute:
        """Gives the address that clients connect to."""
        return WebSocketRoute(SOCKET_PATH, self.serve)

    async def serve(self, websocket: WebSocket) -> None:
        """Serves one client until it goes, or the session ends."""
        await websocket.accept()
        code, why = _GOING_AWAY, "the session ends"
        try:
            if self.clients.is_full or self.clients.is_crowded:
                code, why = _FULL, "too many clients"
            elif isinstance(came := await self._authenticate(websocket), AuthMessage):
                code, why = await self._serve_client(websocket, came.client)
            else:
                code, why = came
        except WebSocketDisconnect:
            return
        except SessionClosed:
            pass
        except TooSlow:
            code, why = _POLICY, "the client does not read its replies"
        except Exception as error:
            error_reply(error)  # to the log
            code, why = _FAILED, "something is wrong in the session"
        if websocket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(WebSocketDisconnect):
                await websocket.close(code, why)

    async def _authenticate(self, websocket: WebSocket) -> AuthMessage | tuple[int, str]:
        """Waits for the first message; gives a code to close with where it is not the right one."""
        with self.clients.stranger():
            try:
                text = await asyncio.wait_for(_receive(websocket), _AUTH_WITHIN_S)
                message = AuthMessage.model_validate(object_in(text or ""))
            except TimeoutError:
                return NO_TOKEN, "no token has come within 5 s"
            except (BadRequest, ValidationError):
                return NO_TOKEN, "the first message has to be {type: auth, token, client}"
            if not await self.check(message.token):
                return WRONG_TOKEN, "the token is wrong"
            if self.clients.is_full:
                return _FULL, "too many clients"
            return message

    async def _serve_client(self, websocket: WebSocket, name: str) -> tuple[int, str]:
        connection = _Connection(websocket, self.clients, self.performer)
        task = asyncio.create_task(connection.run(name))
        try:
            code = await task
        finally:
            task.cancel()
        return code


class _Connection:
    """A client that has shown the token, from its welcome to the end of its holds."""

    def __init__(self, websocket: WebSocket, clients: Clients, performer: Performer) -> None:
        self._websocket = websocket
        self._clients = clients
        self._performer = performer
        self._requests: asyncio.Queue[RequestMessage] = asyncio.Queue(_WAITING_REQUESTS)
        self._rate = CommandRate()
        self._refused: deque[float] = deque(maxlen=_MOST_REFUSED)
        self._gone = threading.Event()

    async def run(self, name: str) -> tuple[int, str]:
        """Gives what to close the socket with."""
        task = asyncio.current_task()
        assert task is not None
        client = self._clients.add(name, task, self._state)
        tasks: list[asyncio.Task[tuple[int, str] | None]] = []
        try:
            await self._websocket.send_text(to_text({"type": "welcome", "client": client.name}))
            tasks = [
                asyncio.create_task(self._read(client)),
                asyncio.create_task(self._do(client)),
                asyncio.create_task(client.outbox.send_to(self._websocket)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ended = next(one for one in tasks if one.done())
            return ended.result() or (_GOING_AWAY, "the session ends")
        finally:
            for one in tasks:
                one.cancel()
                one.add_done_callback(_forget)
            self._clients.remove(client)
            self._gone.set()
            self._performer.release_all(client.name)

    async def _state(self) -> Reads:
        return await self._performer.perform(COMMANDS["state"], {}, "")

    async def _read(self, client: Client) -> tuple[int, str]:
        """Takes requests in, so that the client's end is noticed whatever a command does."""
        while True:
            if (text := await _receive(self._websocket)) is None:
                return _NO_TEXT, "clients send text messages only"
            values: Mapping[str, object] = {}
            try:
                values = object_in(text)
                request = RequestMessage.model_validate(values)
                self._admit(request)
            except (BadRequest, ValidationError, TooManyRequests) as error:
                self._reply(client, values.get("id"), error_reply(error))
                if isinstance(error, TooManyRequests):
                    if self._floods():
                        return _POLICY, "too many requests"
                    await asyncio.sleep(_REFUSED_PAUSE_S)

    def _admit(self, request: RequestMessage) -> None:
        if not self._rate.take():
            raise TooManyRequests("more than 100 commands in a second")
        try:
            self._requests.put_nowait(request)
        except asyncio.QueueFull:
            raise TooManyRequests("100 requests wait already", remedy="Wait for replies.") from None

    def _floods(self) -> bool:
        """Counts a refusal; True where so many were refused lately that nothing else helps."""
        now = time.monotonic()
        flood = len(self._refused) == _MOST_REFUSED and now - self._refused[0] < _REFUSED_WITHIN_S
        self._refused.append(now)
        return flood

    async def _do(self, client: Client) -> NoReturn:
        """Does the requests, one after the other."""
        while True:
            request = await self._requests.get()
            try:
                outcome: Reads | ErrorReply = await self._perform(client, request)
            except Exception as error:
                outcome = error_reply(error)
            self._reply(client, request.id, outcome)

    async def _perform(self, client: Client, request: RequestMessage) -> Reads:
        command = COMMANDS.get(request.command)
        if command is None:
            raise BadRequest(
                "there is no such command", remedy=f"There are {', '.join(sorted(COMMANDS))}."
            )
        arguments = request.model_extra or {}
        if command is SUBSCRIBE:
            wanted = SubscribeArguments.model_validate(arguments)
            hz = None if wanted.meters is None else wanted.meters.hz
            client.subscribe(events=wanted.events, hz=hz)
            return {}
        return await self._performer.perform(command, arguments, client.name, self._gone)

    def _reply(self, client: Client, number: object, outcome: Reads | ErrorReply) -> None:
        reply: dict[str, object] = {"type": "reply", "id": number}
        if isinstance(outcome, ErrorReply):
            reply |= {"ok": False, "error": outcome.to_json()}
        else:
            reply |= {"ok": True, "result": outcome}
        client.outbox.put(Entry("reply", to_text(reply)))


def _forget(task: asyncio.Task[object]) -> None:
    """Takes what a task has raised that nobody waits for: else asyncio tells of it."""
    if not task.cancelled():
        task.exception()


async def _receive(websocket: WebSocket) -> str | None:
    """Gives the next text message; None for a binary one. Raises WebSocketDisconnect."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    assert text is None or isinstance(text, str)
    return text
