# SPDX-License-Identifier: MIT
"""uvicorn's protocols, without their logs: these have tokens in them, and go to any handler."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

__all__ = ["Http", "Sockets"]

# Above every level, and apart from the loggers of a program that uses uvicorn as well.
_silent = logging.Logger("pypac_obs.control.silent", logging.CRITICAL + 1)


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
