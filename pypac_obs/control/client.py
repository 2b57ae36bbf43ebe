# SPDX-License-Identifier: MIT
"""Talks to the control API of a running session on this computer.

It is made for commands: importing it and one call take little time.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from pypac_obs import errors
from pypac_obs.errors import NotRunning, ProfileError, PypacError
from pypac_obs.session_registry import RunningSession, running_sessions

__all__ = ["ControlClient"]

_HOST = "127.0.0.1"
_ANSWERS_WITHIN_S = 5.0
# A reload opens sources and outputs.
_RELOADS_WITHIN_S = 35.0  # longer than the session's own patience, which says more
_MAX_BYTES = 2**23
_LONGEST_CLIENT = 64

_Answer = dict[str, Any]


class ControlClient:
    """The control API at a port of this computer, one method a call.

        with ControlClient(session.control_port, read_or_make_token()) as control:
            control.set("voice.gain_db", -6)

    ``client`` is the origin that others see of what it changes. Every method raises NotRunning if
    no session of this user is known at that port, so the token goes to nobody else, or if it does
    not answer in time, and otherwise what the session raises: see `Controls`. What needs one waits
    for an answer. For one thread at a time.
    """

    def __init__(self, port: int, token: str, *, client: str = "") -> None:
        for text in (token, client):
            if not text.isascii() or not text.isprintable():
                raise ValueError("the token and the client's name are of printable ASCII")
        if len(client) > _LONGEST_CLIENT:
            raise ValueError(f"the client's name has at most {_LONGEST_CLIENT} characters")
        self.port = port
        self._headers = {"Host": f"{_HOST}:{port}", "Authorization": f"Bearer {token}"}
        if client:
            self._headers["X-Client-Id"] = client
        self._session: RunningSession | None = None
        self._connection: http.client.HTTPConnection | None = None

    # Reading ------------------------------------------------------------------------------------

    def status(self) -> _Answer:
        """Gives the status; `SessionStatus.from_json` reads it."""
        return self._call("GET", "status")

    def state(self) -> _Answer:
        """Gives everything that a client shows at first."""
        return self._call("GET", "state", revision=int, values=dict)

    def values(self) -> dict[str, _Answer]:
        """Gives each address with its ``value`` and its ``layer``; numbers have more."""
        answer = self._call("GET", "values", values=dict)
        values: dict[str, _Answer] = answer["values"]
        if not all(isinstance(one, dict) and "value" in one for one in values.values()):
            raise self._nonsense()
        return values

    def value(self, address: str) -> _Answer:
        """Gives the ``value`` and the ``layer`` of an address. Raises UnknownAddress."""
        return self._call("GET", f"values/{quote(address, safe='')}", value=object, layer=str)

    # Changing -----------------------------------------------------------------------------------

    def set(self, address: str, value: object) -> _Answer:
        """Sets a value; gives the ``value`` that it has now, and the ``revision``."""
        return self._change("set", address=address, value=value)

    def adjust(self, address: str, by: float) -> _Answer:
        """Adds to a number, as far as its range goes; gives what `set` gives."""
        return self._change("adjust", address=address, by=by)

    def toggle(self, address: str) -> _Answer:
        """Turns a switch over; gives what `set` gives."""
        return self._change("toggle", address=address)

    def fade(self, address: str, value: object, seconds: float) -> _Answer:
        """Brings a number to a value within that time; does not wait for it."""
        return self._change("fade", address=address, value=value, seconds=seconds)

    def _change(self, command: str, **body: object) -> _Answer:
        return self._call("POST", command, body, value=object, revision=int)

    def plan(self) -> list[str]:
        """Says what `reload` would change, a line each."""
        return self._lines("reload", {"plan": True, "expect_revision": None})

    def reload(self, expect_revision: int | None = None) -> list[str]:
        """Has the session follow its profile's file; says what that has changed."""
        return self._lines("reload", {"plan": False, "expect_revision": expect_revision})

    def undo(self) -> list[str]:
        """Goes back to the profile before the last reload; says what that has changed."""
        return self._lines("undo", {})

    def _lines(self, command: str, body: Mapping[str, object]) -> list[str]:
        answer = self._call("POST", command, body, _RELOADS_WITHIN_S, lines=list)
        lines: list[str] = answer["lines"]
        if not all(isinstance(line, str) for line in lines):
            raise self._nonsense()
        return lines

    def mark(self, text: str, host_ns: int | None = None) -> _Answer:
        """Marks a moment, by default this one; gives ``frame``, ``in_file``, ``sample_rate``."""
        body = {"text": text, "host_ns": host_ns}
        answer = self._call("POST", "mark", body, frame=int, in_file=bool, sample_rate=int)
        if answer["sample_rate"] <= 0:
            raise self._nonsense()
        return answer

    def reset_loudness(self, track: str | None = None) -> None:
        """Begins integrated loudness and what goes with it anew, of one track or of all."""
        self._call("POST", "reset_loudness", {"track": track})

    def stop(self) -> None:
        """Asks the session to end; does not wait for it."""
        self._call("POST", "stop", {})

    # Talking ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the connection. May be called again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        within_s: float | None = None,
        **expected: type,
    ) -> _Answer:
        """Gives the JSON object that answers a call, with the keys that are expected of it."""
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        reused = self._connection is not None
        try:
            status, answered = self._exchange(method, path, data, within_s or _ANSWERS_WITHIN_S)
        except http.client.RemoteDisconnected:
            # A server closes a connection that has been idle; what changes nothing is asked again.
            self.close()
            if not reused or method != "GET":
                raise self._gone() from None
            return self._call(method, path, body, within_s, **expected)
        except http.client.HTTPException:
            self.close()
            raise self._nonsense() from None
        except OSError:
            self.close()
            raise self._gone() from None
        answer = _object_in(answered)
        if status != http.HTTPStatus.OK:
            raise self._refusal(status, answer)
        if answer is None or not all(
            key in answer and _is(answer[key], kind) for key, kind in expected.items()
        ):
            raise self._nonsense()
        return answer

    def _exchange(
        self, method: str, path: str, body: bytes | None, within_s: float
    ) -> tuple[int, bytes]:
        """Sends a request and reads the whole answer. Raises OSError or HTTPException."""
        connection = self._connected(within_s)
        transport: socket.socket = connection.sock
        transport.settimeout(within_s)
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        with _time_limit(transport, within_s):
            connection.request(method, f"/api/v1/{path}", body, headers)
            response = connection.getresponse()
            data = response.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES or response.length:
            raise http.client.HTTPException("not the whole answer")
        if response.will_close:
            self.close()
        return response.status, data

    def _connected(self, within_s: float) -> http.client.HTTPConnection:
        if self._connection is None:
            # Each time: another program may have the port by now, and would get the token.
            self._session = next(
                (one for one in running_sessions() if one.control_port == self.port), None
            )
            if self._session is None:
                raise NotRunning(
                    f"no session runs with control at port {self.port}",
                    remedy="Start one: pypac-obs run PROFILE",
                )
            connection = http.client.HTTPConnection(_HOST, self.port, timeout=within_s)
            connection.connect()
            self._connection = connection
        return self._connection

    @property
    def _who(self) -> str:
        return f"the session {self._session.name}" if self._session else "the session"

    def _gone(self) -> NotRunning:
        pid = f" (PID {self._session.pid})" if self._session else ""
        return NotRunning(
            f"{self._who}{pid} does not answer", remedy="It has just ended, or it hangs."
        )

    def _nonsense(self) -> PypacError:
        return PypacError(
            f"{self._who} answers at port {self.port} what this version does not understand",
            remedy="Use the pypac-obs that has started the session, or restart the session.",
        )

    def _refusal(self, status: int, answer: _Answer | None) -> PypacError:
        """Gives the error that the session has answered with."""
        if status == http.HTTPStatus.UNAUTHORIZED:
            return PypacError(
                f"{self._who} does not accept the control token",
                remedy="Run the command as the session's user, with the same configuration folder "
                "(HOME and XDG_CONFIG_HOME; on Windows USERPROFILE).",
            )
        told = answer.get("error") if answer is not None else None
        if not isinstance(told, dict):
            return self._nonsense()
        kind, message, remedy = (told.get(key) for key in ("kind", "message", "remedy"))
        problems = told.get("problems")
        if kind == ProfileError.__name__ and isinstance(problems, list) and problems:
            return _RefusedProfileError([str(problem) for problem in problems])
        if not isinstance(message, str) or not message:
            return self._nonsense()
        return _class_of(kind)(message, remedy=remedy if isinstance(remedy, str) else "")


class _RefusedProfileError(ProfileError):
    """The mistakes that a session has found in its profile, as it has written them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(())
        self.message = "\n".join(problems)


def _class_of(kind: object) -> type[PypacError]:
    """Gives the class of an error by its name, or the nearest one that needs only a message."""
    found = getattr(errors, kind, None) if isinstance(kind, str) else None
    if isinstance(found, type) and issubclass(found, PypacError):
        for one in found.__mro__:
            if issubclass(one, PypacError) and one not in (errors.ObsRefused, ProfileError):
                return one
    return PypacError


@contextlib.contextmanager
def _time_limit(transport: socket.socket, seconds: float) -> Iterator[None]:
    """Raises TimeoutError where what is done takes longer; the connection is of no use then.

    A socket's own limit is for each piece of an answer, however many there are.
    """
    late = threading.Event()

    def cut_off() -> None:
        late.set()
        with contextlib.suppress(OSError):
            transport.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError


def _object_in(data: bytes) -> _Answer | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is(value: object, kind: type) -> bool:
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
