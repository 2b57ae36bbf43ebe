# SPDX-License-Identifier: MIT
"""The addresses over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pypac_obs.control.asyncapi import asyncapi
from pypac_obs.control.commands import COMMANDS, Command, Reads
from pypac_obs.control.limits import LONGEST_MESSAGE, CommandRates, TokenCheck
from pypac_obs.control.metrics import METRICS_TYPE, metrics_text
from pypac_obs.control.openapi import openapi
from pypac_obs.control.performer import Performer, object_in
from pypac_obs.control.replies import (
    BadRequest,
    ErrorReply,
    TooManyRequests,
    error_reply,
    to_text,
)

__all__ = ["CLIENT_HEADER", "http_routes", "make_app"]

CLIENT_HEADER = "x-client-id"
_LONGEST_ID = 64
_BODY_WITHIN_S = 10.0
_PAGE = """<!doctype html>
<html lang="en">
<title>PyPAC-OBS</title>
<h1>PyPAC-OBS</h1>
<p>A session of PyPAC-OBS runs here. Programs of yours control it by HTTP and WebSocket under
<code>/api/v1/</code>, with the token that <code>pypac-obs control token</code> prints.</p>
"""


class _NeedsToken:
    """Answers 401 to what does not show the token. A WebSocket shows it in its first message."""

    def __init__(self, app: ASGIApp, check: TokenCheck) -> None:
        self._app = app
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["path"] == "/"
        if scope["type"] == "http" and not is_page and not await self._shown(scope):
            await ErrorReply(
                401,
                "Unauthorized",
                "this needs the token of this user",
                "Send the header `Authorization: Bearer TOKEN`; `pypac-obs control token` "
                "prints the token.",
            )(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _shown(self, scope: Scope) -> bool:
        shown = [value for key, value in scope["headers"] if key == b"authorization"]
        if len(shown) != 1:
            return False
        scheme, _, token = shown[0].decode("latin-1").partition(" ")
        return scheme.lower() == "bearer" and await self._check(token.strip())


def make_app(performer: Performer, check: TokenCheck, sockets: BaseRoute) -> ASGIApp:
    """Makes everything behind the guard: HTTP, and the route of WebSockets."""
    app = Starlette(
        routes=[*http_routes(performer), sockets],
        exception_handlers={HTTPException: _no_such_route, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return _Contained(_NeedsToken(app, check))


class _Contained:
    """Keeps what was raised after an answer from the server's log: it is in ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except (ClientDisconnect, OSError):
            pass  # nobody is there any more
        except Exception as error:
            error_reply(error)


def http_routes(performer: Performer) -> list[BaseRoute]:
    """Gives a route for each command that has an address, and for the documents."""
    calls = _Calls(performer)
    routes: list[BaseRoute] = [
        Route("/", _page, methods=["GET"]),
        Route("/api/v1/values", calls.values, methods=["GET"]),
        Route("/metrics", calls.metrics, methods=["GET"]),
        Route("/api/v1/openapi.json", _openapi, methods=["GET"]),
        Route("/api/v1/asyncapi.json", _asyncapi, methods=["GET"]),
    ]
    for command in COMMANDS.values():
        if command.path:
            path = command.path.replace("{address}", "{address:path}")
            routes.append(Route(path, calls.of(command), methods=[command.method]))
    return routes


# Where these were no coroutines Starlette would give each a thread.


async def _page(request: Request) -> Response:
    return Response(_PAGE, media_type="text/html")


async def _openapi(request: Request) -> Response:
    return _json(openapi())


async def _asyncapi(request: Request) -> Response:
    return _json(asyncapi())


class _Calls:
    """Answers requests by commands."""

    def __init__(self, performer: Performer) -> None:
        self._performer = performer
        self._rates = CommandRates()

    def of(self, command: Command) -> Callable[[Request], Awaitable[Response]]:
        """Gives what answers the requests for a command."""

        async def answer(request: Request) -> Response:
            try:
                if command.method == "GET":
                    arguments: dict[str, object] = dict(request.path_params)
                else:
                    arguments = await _body(request)
                return _json(await self._perform(command, arguments, request))
            except (ClientDisconnect, HTTPException):
                raise
            except Exception as error:
                return _error(error_reply(error))

        return answer

    async def values(self, request: Request) -> Response:
        """Gives the values of the state alone."""
        try:
            state = await self._perform(COMMANDS["state"], {}, request)
        except Exception as error:
            return _error(error_reply(error))
        return _json({key: state[key] for key in ("revision", "values")})

    async def metrics(self, request: Request) -> Response:
        """Gives the status as Prometheus reads it."""
        try:
            status = await self._perform(COMMANDS["status"], {}, request)
        except Exception as error:
            return _error(error_reply(error))
        return PlainTextResponse(metrics_text(status), media_type=METRICS_TYPE)

    async def _perform(
        self, command: Command, arguments: dict[str, object], request: Request
    ) -> Reads:
        origin = _origin(request)
        if not self._rates.take(origin):
            raise TooManyRequests(
                "more than 100 commands in a second", remedy="Use a WebSocket for faders."
            )
        return await self._performer.perform(command, arguments, origin)


def _origin(request: Request) -> str:
    origin = request.headers.get(CLIENT_HEADER, "http")
    if not 0 < len(origin) <= _LONGEST_ID or not (origin.isascii() and origin.isprintable()):
        raise BadRequest(f"X-Client-Id has to be 1 to {_LONGEST_ID} printable characters")
    return origin


async def _body(request: Request) -> dict[str, object]:
    """Reads what was sent; nothing is an object without keys."""
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_WITHIN_S):
            async for part in request.stream():
                data += part
                if len(data) > LONGEST_MESSAGE:
                    raise HTTPException(413)
    except TimeoutError:
        raise HTTPException(408) from None
    return object_in(bytes(data)) if data.strip() else {}


def _json(values: object, status: int = 200) -> Response:
    return Response(to_text(values), status, media_type="application/json")


def _error(reply: ErrorReply) -> Response:
    return _json({"error": reply.to_json()}, reply.status)


_SAID = {
    404: ("NotFound", "there is no such address", "GET /api/v1/openapi.json lists all of them."),
    405: ("MethodNotAllowed", "this address does not take that method", ""),
    408: ("Timeout", "the request did not come to its end in time", ""),
    413: ("TooLarge", f"a request has at most {LONGEST_MESSAGE} bytes", ""),
}


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind, message, remedy = _SAID.get(status, ("HttpError", f"HTTP error {status}", ""))
    answer = _error(ErrorReply(status, kind, message, remedy))
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer


async def _failed(request: Request, error: Exception) -> Response:
    return _error(error_reply(error))
