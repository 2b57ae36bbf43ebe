# SPDX-License-Identifier: MIT
"""uvicorn's protocols, without their logs: these have tokens in them, and go to any handler."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

__all__ = ["Http", "Sockets"]

# Above every level, and apart from the loggers of a program that uses uvicorn as well.
_silent = logging.Logger("pypac_obs.control.silent", logging.CRITICAL + 1)


# Whoever connects has asked for something by then, or makes room for others.
_ASKS_WITHIN_S = 10.0


class Http(H11Protocol):
    """HTTP/1.1."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = self.access_logger = _silent
        self.access_log = False
        self._silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Is called by the event loop."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._silence = self.loop.call_later(_ASKS_WITHIN_S, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """Is called by the event loop."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hands the connection over to `Sockets`."""
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def _close_if_silent(self) -> None:
        cycle: object = self.cycle  # of a request; its type denies that there may be none
        if cycle is None:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._silence is not None:
            self._silence.cancel()


class Sockets(WebSocketsSansIOProtocol):
    """WebSockets."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = self.conn.logger = _silent
        self.conn.debug = False
        # A client that does not answer the closing handshake keeps nothing open.
        self.close_timeout = 1.0
