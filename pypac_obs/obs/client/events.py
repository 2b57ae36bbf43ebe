# SPDX-License-Identifier: MIT
"""The thread that receives from OBS: events, and the answers to requests."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from obsws_python import EventClient
from websocket import WebSocketTimeoutException

from pypac_obs.errors import ObsError, ObsNotRunning
from pypac_obs.obs.client.messages import Message, Op, not_the_protocol
from pypac_obs.obs.client.obsws_client import SILENCE, Client

__all__ = ["Events"]

# After this long without a word the other end is asked whether it is there (a ping), and after as
# long again it is taken for gone.
_PING_S = 5.0


class Events(EventClient):
    """obsws-python's thread for events, which also takes the answers to requests.

    ``on_event`` and ``on_closed`` are those of `ObsConnection`.
    """

    def __init__(
        self,
        client: Client,
        on_event: Callable[[str, Mapping[str, Any], int], None] | None,
        on_closed: Callable[[ObsError], None] | None,
    ) -> None:
        self.logger = SILENCE
        self.base_client = client
        self._on_event, self._on_closed = on_event, on_closed
        self.subscribe()

    def trigger(self, stop_event: threading.Event) -> None:
        """Receives until the end."""
        threading.current_thread().name = "obs connection"
        client: Client = self.base_client
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
