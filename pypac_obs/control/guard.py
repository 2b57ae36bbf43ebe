# SPDX-License-Identifier: MIT
"""Keeps web pages of others away, before anything else looks at a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pypac_obs.control.replies import ErrorReply

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard"]

_NAMES = ("127.0.0.1", "localhost", "[::1]")
_OWN_SITES = (b"same-origin", b"none")


class Guard:
    """Lets through what comes from no web page, or from the session's own. For HTTP and WebSocket.

    A page of another site may send requests to this computer, and a name of its site may lead
    here: browsers tell both by ``Host``, ``Origin`` and ``Sec-Fetch-Site``. Every answer gets
    the headers that keep a browser from showing, keeping or passing on anything. There are no CORS
    headers: no other page may read.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = frozenset(f"{name}:{port}".encode() for name in _NAMES)
        self._origins = frozenset(b"http://" + host for host in self._hosts)
        self._headers = _headers(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Is called for each request, and for each WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        if (why := self._refusal(scope)) is None:
            await self._app(scope, receive, send_with_headers)
        else:
            reply = ErrorReply(403, "Forbidden", why)
            await reply(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> str | None:
        """Why a request is refused; None: it is not."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if not _only(headers, b"host", self._hosts):
            return "the Host header does not name this session on this computer"
        origins = _values(headers, b"origin")
        if origins and not _only(headers, b"origin", self._origins):
            return "the request comes from another site's page"
        if any(site not in _OWN_SITES for site in _values(headers, b"sec-fetch-site")):
            # A link that a user follows is no request of that page's.
            followed = (
                scope["type"] == "http"
                and scope["method"] == "GET"
                and _values(headers, b"sec-fetch-mode") == [b"navigate"]
                and _values(headers, b"sec-fetch-dest") == [b"document"]
            )
            if not followed:
                return "the request comes from another site's page"
        return None


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def _only(headers: Iterable[tuple[bytes, bytes]], name: bytes, allowed: frozenset[bytes]) -> bool:
    values = _values(headers, name)
    return len(values) == 1 and values[0] in allowed


def _headers(port: int) -> list[tuple[bytes, bytes]]:
    sockets = f"ws://127.0.0.1:{port} ws://localhost:{port}"
    policy = (
        f"default-src 'self'; connect-src 'self' {sockets}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]
