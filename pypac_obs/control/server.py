# SPDX-License-Identifier: MIT
"""The control API of one session: its port, its thread, its start and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pypac_obs.control.controls import Controls
from pypac_obs.control.listening import DEFAULT_PORT, listen
from pypac_obs.control.token import TokenFile
from pypac_obs.errors import ControlUnavailable
from pypac_obs.forked import leave_to_parent_on_fork

if TYPE_CHECKING:
    from pypac_obs.control.serving import Serving

__all__ = ["ControlServer"]

_log = logging.getLogger("pypac_obs.control")

_STARTED_WITHIN_S = 10.0
_STOPPED_WITHIN_S = 2.0


class ControlServer:
    """Serves HTTP and WebSocket on 127.0.0.1, on a thread of its own.

    ``token`` is the secret that clients show; None: that of this user's file. What starlette and
    uvicorn need is imported by `start`.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        port: int = DEFAULT_PORT,
        token: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._controls = controls
        self._port = port
        self._token = token
        self._environ = environ
        self._thread: threading.Thread | None = None
        self._listener: socket.socket | None = None
        self._serving: Serving | None = None
        self._up = threading.Event()
        self._failure: Exception | None = None
        leave_to_parent_on_fork(self)

    def leave_to_parent(self) -> bool:
        """Makes this the copy of a forked child, which must not keep the port open."""
        left, self._thread = self._thread, None
        if self._listener is not None:
            self._listener.close()
        return left is not None

    def start(self) -> int:
        """Opens the port, and gives it: the one that was asked for, or the next that is free.

        Raises ControlUnavailable, and PermissionDenied or OutputFailed about the token's file; the
        session goes on without control then.
        """
        token = self._token
        shown: Callable[[], str] = TokenFile(self._environ) if token is None else lambda: token
        listener = self._listener = listen(self._port)
        port: int = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._run, args=(listener, port, shown), name="control", daemon=True
        )
        self._thread.start()
        if not self._up.wait(_STARTED_WITHIN_S) or self._failure is not None:
            self.stop()
            raise ControlUnavailable(
                "its server has not started in time"
                if self._failure is None
                else f"its server has failed: {self._failure}"
            )
        return port

    def stop(self) -> None:
        """Ends it within two seconds, whatever clients do. May be called again."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if (serving := self._serving) is not None:
            serving.ask_to_end()
        thread.join(_STOPPED_WITHIN_S)

    def _run(self, listener: socket.socket, port: int, token: Callable[[], str]) -> None:
        try:
            with listener:
                from pypac_obs.control.serving import Serving

                # The selector's: what Windows has instead is not the same for sockets of ours.
                with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                    self._serving = Serving(self._controls, port, token, self._up.set)
                    runner.run(self._serving.run(listener))
        except Exception as error:
            _log.error("control has failed", exc_info=error)
            self._failure = error
        finally:
            with contextlib.suppress(OSError):
                listener.close()
            self._up.set()
