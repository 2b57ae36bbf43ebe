# SPDX-License-Identifier: MIT
"""Finds out who is at the other end: connects, judges its greeting, and tells why it closed."""

from __future__ import annotations

import socket
import struct
from enum import IntEnum
from typing import Any

from websocket import ABNF

from pypac_obs.errors import (
    ObsDisabled,
    ObsError,
    ObsNotRunning,
    ObsUntrusted,
    ObsWrongPassword,
)
from pypac_obs.obs.client.address import ObsAddress
from pypac_obs.obs.client.bounded_websocket import connect_socket
from pypac_obs.obs.client.messages import not_the_protocol, quoted, too_old

__all__ = ["check_greeting", "closing", "connect", "wrong_password"]

_RPC_VERSION = 1

SWITCH_ON = (
    "In OBS: Tools > WebSocket Server Settings > Enable WebSocket server. "
    "OBS has to be version 28 or newer."
)


class _CloseCode(IntEnum):
    AUTHENTICATION_FAILED = 4009
    UNSUPPORTED_RPC_VERSION = 4010
    SESSION_INVALIDATED = 4011


def connect(address: ObsAddress, timeout_s: float) -> socket.socket:
    """Connects within ``timeout_s``. Raises ObsNotRunning or ObsDisabled."""
    try:
        return connect_socket(address.host, address.port, timeout_s)
    except socket.gaierror:
        raise ObsNotRunning(
            f"there is no computer named {address.host}",
            remedy="Correct `host` in the profile, or the environment variable OBS_HOST.",
        ) from None
    except TimeoutError:
        raise ObsNotRunning(
            f"nothing answers at {address}", remedy="See whether a firewall is in the way."
        ) from None
    except (OSError, UnicodeError) as error:
        if address.disabled_in:
            raise ObsDisabled(
                f"OBS's websocket server is off, says {address.disabled_in}", remedy=SWITCH_ON
            ) from None
        native = error.errno if isinstance(error, OSError) else None
        raise ObsNotRunning(
            f"OBS is not running, or its websocket server is off: nothing listens at {address}",
            remedy=f"Start OBS. {SWITCH_ON}",
            native_code=native,
        ) from None


def check_greeting(address: ObsAddress, hello: dict[str, Any]) -> None:
    """Refuses those that the library would fail with, or give proof to without being asked."""
    rpc_version = hello.get("rpcVersion")
    if not isinstance(rpc_version, int):
        raise not_the_protocol(address, "its greeting has no rpcVersion")
    if rpc_version < _RPC_VERSION:
        raise too_old(address)
    question = hello.get("authentication")
    if question is None:
        hello.pop("authentication", None)
        if address.password is None:
            return
        raise ObsUntrusted(
            f"what answers at {address} asks for no password, and "
            f"{address.found_in} has one: it may not be your OBS",
            remedy="See which program listens at this port. If it is your OBS: in OBS, "
            "Tools > WebSocket Server Settings > Enable Authentication; or take the "
            "password out there.",
        )
    if address.password is None and address.withheld:
        raise ObsWrongPassword(
            f"OBS at {address} asks for a password, and does not get the one from "
            f"{address.withheld}: only the profile names that computer",
            remedy=f"If you trust it, set the environment variable OBS_HOST={address.host}.",
        )
    if address.password is None or not address.password.reveal():
        raise ObsWrongPassword(
            f"OBS at {address} asks for a password, and none is known",
            remedy="Set the environment variable OBS_PASSWORD, or name where it is in the "
            "profile: `password: {env: NAME}` under outputs.obs.",
        )
    said = question if isinstance(question, dict) else {}
    if not all(_is_text(said.get(key)) for key in ("salt", "challenge")):
        raise not_the_protocol(address, "its greeting has no salt and challenge")


def closing(address: ObsAddress, frame: ABNF | None) -> ObsError:
    """Tells why OBS closed the connection, from its last frame, if there was one."""
    data = frame.data if frame is not None and isinstance(frame.data, bytes) else b""
    code = struct.unpack("!H", data[:2])[0] if len(data) >= 2 else None
    if code == _CloseCode.AUTHENTICATION_FAILED:
        return wrong_password(address)
    if code == _CloseCode.UNSUPPORTED_RPC_VERSION:
        return too_old(address)
    if code == _CloseCode.SESSION_INVALIDATED:
        return ObsNotRunning(f"OBS at {address} ended the connection, as its user asked")
    if code is not None and code >= 4000:
        words = quoted(data[2:].decode(errors="replace"))
        return not_the_protocol(address, f"it closed with {code} {words}".rstrip())
    return ObsNotRunning(
        f"the connection to OBS at {address} was lost", remedy="See whether OBS still runs."
    )


def wrong_password(address: ObsAddress) -> ObsWrongPassword:
    """Says that OBS does not take the password."""
    return ObsWrongPassword(
        f"OBS at {address} does not take the password from {address.found_in}",
        remedy="In OBS: Tools > WebSocket Server Settings > Show Connect Info.",
    )


def _is_text(word: object) -> bool:
    """Whether it is a text, of whole characters."""
    try:
        return isinstance(word, str) and word.encode() is not None
    except UnicodeEncodeError:
        return False
