# SPDX-License-Identifier: MIT
"""What runs on the control thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from pypac_obs.control.clients import Clients
from pypac_obs.control.controls import Controls
from pypac_obs.control.guard import Guard
from pypac_obs.control.limits import LONGEST_MESSAGE, TokenCheck
from pypac_obs.control.meters import MeterSampler
from pypac_obs.control.performer import Performer
from pypac_obs.control.protocols import Http
from pypac_obs.control.protocols import Sockets as SocketProtocol
from pypac_obs.control.routes import make_app
from pypac_obs.control.websocket import Sockets

__all__ = ["Serving"]

_log = logging.getLogger("pypac_obs.control")
# What it says of requests that are under way at the end would come out on the user's terminal.
logging.getLogger("uvicorn.error").propagate = False
logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())

_CONNECTIONS = 100
_PING_S = 5.0
_GOODBYE_S = 0.5


class Serving:
    """Builds the application and serves it until it is asked to end."""

    def __init__(
        self,
        controls: Controls,
        port: int,
        token: Callable[[], str],
        on_start: Callable[[], None],
    ) -> None:
        self._controls = controls
        self._port = port
        self._check = TokenCheck(token)
        self._on_start = on_start
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    def ask_to_end(self) -> None:
        """Ends `run` soon. [any-thread]"""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._ending.set)

    async def run(self, listener: socket.socket) -> None:
        """Serves on an open port."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_note)
        performer = Performer(self._controls)
        clients = Clients(self._controls.events, MeterSampler(self._controls, self._loop))
        sockets = Sockets(clients, performer, self._check)
        app = make_app(performer, self._check, sockets.route())
        server = _Server(self._config(Guard(app, self._port)), self._on_start)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait((serving, ending), return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(clients.close(), _GOODBYE_S)
        server.should_exit = True
        await serving
        performer.close()

    def _config(self, app: ASGIApp) -> uvicorn.Config:
        return uvicorn.Config(
            app,
            loop="asyncio",
            http=Http,
            ws=SocketProtocol,
            ws_max_size=LONGEST_MESSAGE,
            ws_per_message_deflate=False,
            ws_ping_interval=_PING_S,
            ws_ping_timeout=2 * _PING_S,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=1,
        )


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Writes to our log what asyncio would print on the user's terminal."""
    error = context.get("exception")
    _log.error(
        "%s", context.get("message"), exc_info=error if isinstance(error, Exception) else None
    )


class _Server(uvicorn.Server):
    """Says when it has started."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()
