# SPDX-License-Identifier: MIT
# ruff: noqa: N818 - the classes are named by what happened, as PermissionDenied is
"""What a client is told where something is wrong, in one form for HTTP and WebSocket."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pypac_obs.errors import (
    InvalidValue,
    ProfileError,
    PypacError,
    UnknownAddress,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["BadRequest", "ErrorReply", "NotAnswering", "TooManyRequests", "error_reply", "to_text"]

_log = logging.getLogger("pypac_obs.control")
# Without a handler Python would print what is logged on the user's terminal.
_log.addHandler(logging.NullHandler())


class BadRequest(PypacError):
    """A request that is not as the API's description says."""


class TooManyRequests(PypacError):
    """A client asks for more than a session has time for."""


class NotAnswering(PypacError):
    """The session has not done in time what it was asked to; it may do it yet."""


@dataclass(frozen=True)
class ErrorReply:
    """An error as a client gets it. Called as an ASGI application, it is the whole answer."""

    status: int
    kind: str
    message: str
    remedy: str = ""
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        return {
            "kind": self.kind,
            "message": self.message,
            "remedy": self.remedy,
            "problems": list(self.problems),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request over HTTP, or one for a WebSocket that was not accepted."""
        before = "websocket.http" if scope["type"] == "websocket" else "http"
        body = to_text({"error": self.to_json()}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if self.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": f"{before}.response.start", "status": self.status, "headers": headers})
        await send({"type": f"{before}.response.body", "body": body})


def error_reply(error: Exception) -> ErrorReply:
    """Says what went wrong. What nobody has foreseen goes to the log alone."""
    kind = type(error).__name__
    match error:
        case ProfileError():
            mistakes = tuple(map(str, error.mistakes))
            return ErrorReply(422, kind, "the profile is wrong", error.remedy, mistakes)
        case ValidationError():
            return _of_validation(error)
        case UnknownAddress():
            status = 404
        case InvalidValue() | BadRequest():
            status = 422
        case TooManyRequests():
            status = 429
        case NotAnswering():
            status = 503
        case PypacError():
            status = 409
        case ValueError():  # of a mark's text or time
            return ErrorReply(422, InvalidValue.__name__, str(error))
        case _:
            _log.error("a request failed", exc_info=error)
            said = "something is wrong in the session; its log says more"
            return ErrorReply(500, "InternalError", said)
    return ErrorReply(status, kind, error.message, error.remedy)


def _of_validation(error: ValidationError) -> ErrorReply:
    """Says each thing that is wrong with the keys of a request, without repeating its values."""
    problems = []
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in one["loc"])
        problems.append(f"{where}: {_WORDS.get(one['type'], one['msg'])}" if where else one["msg"])
    problems = list(dict.fromkeys(problems))
    return ErrorReply(422, BadRequest.__name__, "; ".join(problems), "", tuple(problems))


_WORDS = {"missing": "this key is missing", "extra_forbidden": "there is no such key here"}


def to_text(values: object) -> str:
    """Writes JSON; a number that JSON does not have becomes null."""
    try:
        return json.dumps(values, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(values), separators=(",", ":"), allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
