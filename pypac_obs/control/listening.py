# SPDX-License-Identifier: MIT
"""The port that a session is controlled by."""

from __future__ import annotations

import errno
import socket

from pypac_obs.errors import ControlUnavailable

__all__ = ["DEFAULT_PORT", "listen"]

DEFAULT_PORT = 14700
_PORTS = 100
_BACKLOG = 64
# Windows says EACCES where another program has a port to itself, or the system keeps it.
_TAKEN = (errno.EADDRINUSE, errno.EACCES)


def listen(port: int) -> socket.socket:
    """Opens a port of this computer alone: this one, or the next of a hundred that is free.

    0 takes any. Raises ControlUnavailable.
    """
    last = min(port + _PORTS - 1, 65535) if port else 0
    for one in range(port, last + 1):
        try:
            return _bind(one)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise ControlUnavailable(
                    f"port {one} of 127.0.0.1 cannot be opened: {error.strerror or error}",
                    native_code=error.errno,
                ) from error
    raise ControlUnavailable(
        f"all ports from {port} to {last} of 127.0.0.1 are taken",
        remedy="Name another one in the profile: control: {port: ...}",
    )


def _bind(port: int) -> socket.socket:
    # Named as TCP: else asyncio does not switch its collecting of small packets off, which takes
    # 40 ms where a client answers late.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if (alone := getattr(socket, "SO_EXCLUSIVEADDRUSE", None)) is not None:
            # Windows' own: else another program could take the same port.
            made.setsockopt(socket.SOL_SOCKET, alone, 1)
        else:
            # A port whose last connections have just ended; never one that somebody listens on.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made
