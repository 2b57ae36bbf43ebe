# SPDX-License-Identifier: MIT
"""Has commands done, for all ways by which they come."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Mapping
from typing import NoReturn

from pypac_obs.control.commands import Command, Reads
from pypac_obs.control.controls import Controls
from pypac_obs.control.replies import BadRequest, NotAnswering
from pypac_obs.control.workers import Workers
from pypac_obs.errors import PypacError

__all__ = ["Performer", "object_in"]

# A reload may have to wait for a device.
_WITHIN_S = 30.0


class Performer:
    """Checks arguments and runs commands on threads of its own. [event loop]

    Slow commands have threads apart, so that a fader moves while a reload opens devices; so has the
    end of a client's holds, which must not be refused.
    """

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._quick = Workers("control command", 4, 64)
        self._slow = Workers("control reload", 2, 16)
        self._releases = Workers("control release", 1, 1000)

    async def perform(
        self,
        command: Command,
        arguments: Mapping[str, object],
        origin: str,
        gone: threading.Event | None = None,
    ) -> Reads:
        """Does one command. Raises what `error_reply` understands.

        ``gone`` tells that the client has gone, after which `release_all` was called: a hold that
        was under way then ends at once.
        """
        checked = command.arguments.model_validate(dict(arguments))

        def run() -> Reads:
            result = command.run(self._controls, checked, origin)
            if gone is not None and gone.is_set():
                self._controls.release_all(origin)
            return result

        done = (self._slow if command.slow else self._quick).submit(run)
        try:
            return await asyncio.wait_for(done, _WITHIN_S)
        except TimeoutError:
            if done.done() and not done.cancelled():
                raise  # the command's own
            raise NotAnswering(
                "the session has not answered in time", remedy="See what `status` says."
            ) from None

    def release_all(self, client: str) -> None:
        """Ends the holds of a client that has gone. Waits for nothing."""
        with contextlib.suppress(PypacError):
            self._releases.submit(lambda: self._controls.release_all(client))

    def close(self) -> None:
        """Takes no more commands."""
        for workers in (self._quick, self._slow, self._releases):
            workers.close()


def object_in(text: str | bytes) -> dict[str, object]:
    """Reads a JSON object. Raises BadRequest."""
    try:
        values = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once_each)
    except RecursionError:
        raise BadRequest("the JSON is nested too deep") from None
    except ValueError as error:  # UnicodeDecodeError among them
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise BadRequest(f"this is no valid JSON: {why}") from None
    if not isinstance(values, dict):
        raise BadRequest("expected a JSON object")
    return values


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON's")


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key is there twice")
    return values
