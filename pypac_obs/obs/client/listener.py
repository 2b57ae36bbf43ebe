# SPDX-License-Identifier: MIT
"""Whose program it is that answers at a port of this computer.

Any user of a computer may listen at OBS's port before OBS does. Linux tells whose a connection's
other end is; Windows and macOS are not asked.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path

from pypac_obs.errors import ObsUntrusted

__all__ = ["refuse_other_users"]

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_TIME_WAIT = "06"


def refuse_other_users(connected: socket.socket, name: str) -> None:
    """Raises ObsUntrusted where not our own user's program has the other end of a connection.

    ``name`` is the address for messages. Call it once the other end has said something: until it is
    accepted, a connection belongs to nobody. Root's programs are refused, too, unless we are root:
    an OBS that root runs is not the one of this user.
    """
    here, there = _place(connected.getsockname()), _place(connected.getpeername())
    if not there[0].is_loopback:
        raise ObsUntrusted(
            f"{name} is to be this computer, and leads to {there[0]}",
            remedy="Correct the names of this computer (/etc/hosts), or write 127.0.0.1.",
        )
    if not sys.platform.startswith("linux"):
        return
    tables = _read_tables()
    if not tables:  # a system without them: nothing can be compared
        return
    owner = _owner(tables, local=there, remote=here)
    if owner is None:
        raise ObsUntrusted(
            f"it cannot be seen whose program answers at {name}: it runs outside of this system",
            remedy="Where OBS runs outside of this container or virtual machine, set OBS_HOST to "
            "the address that it has from here.",
        )
    if owner != os.geteuid():
        raise ObsUntrusted(
            f"what answers at {name} is a program of the user {_user_name(owner)}, not of yours",
            remedy="Start OBS as the user that runs this. If it runs, see which program listens at "
            "this port (`ss -ltnp`), and choose another port in OBS: Tools > WebSocket Server "
            "Settings.",
        )


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Place = tuple[_Address, int]


def _place(name: tuple[str, int]) -> _Place:
    return _plain(ipaddress.ip_address(name[0].partition("%")[0])), name[1]


def _plain(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _read_tables() -> list[str]:
    texts = []
    for table in _TABLES:
        try:
            texts.append(table.read_text("ascii", "replace"))
        except OSError:  # without IPv6 there is no second one
            continue
    return texts


def _owner(tables: list[str], *, local: _Place, remote: _Place) -> int | None:
    """Finds a connection's end in the system's tables; gives the user's number.

    >>> row = "0: 0100007F:1167 0100007F:C350 01 0:0 00:0 0  1000        0 7 1"
    >>> one = ipaddress.ip_address("127.0.0.1")
    >>> _owner(["sl ...\\n" + row], local=(one, 4455), remote=(one, 50000))
    1000
    """
    ends = (f":{local[1]:04X}", f":{remote[1]:04X}")
    for text in tables:
        for line in text.splitlines()[1:]:
            words = line.split()
            if len(words) < 8 or words[3] == _TIME_WAIT:
                continue
            if not words[1].endswith(ends[0]) or not words[2].endswith(ends[1]):
                continue
            if (_written(words[1]), _written(words[2])) == (local, remote):
                return int(words[7])
    return None


def _written(text: str) -> _Place:
    """Reads an end of a connection: the words of its address in the machine's own byte order."""
    digits, _, port = text.partition(":")
    words = (int(digits[at : at + 8], 16) for at in range(0, len(digits), 8))
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return _plain(ipaddress.ip_address(packed)), int(port, 16)


def _user_name(number: int) -> str:
    try:
        import pwd  # not on Windows

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):
        return str(number)
