# SPDX-License-Identifier: MIT
"""The description of the WebSocket, made from the table of commands and their models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from pypac_obs.control.commands import COMMANDS
from pypac_obs.control.documents import StateMessage
from pypac_obs.control.listening import DEFAULT_PORT
from pypac_obs.control.messages import (
    AuthMessage,
    EventMessage,
    MetersMessage,
    PatchMessage,
    ReplyMessage,
    RequestMessage,
    WelcomeMessage,
)
from pypac_obs.control.openapi import API_VERSION, reference, schemas

__all__ = ["SOCKET_PATH", "asyncapi"]

SOCKET_PATH = "/api/v1/ws"
_SENT_BY_CLIENTS: dict[str, type[BaseModel]] = {"auth": AuthMessage}
_SENT_BY_SESSION: dict[str, type[BaseModel]] = {
    "welcome": WelcomeMessage,
    "state": StateMessage,
    "reply": ReplyMessage,
    "patch": PatchMessage,
    "event": EventMessage,
    "meters": MetersMessage,
}
_FRAME = (
    "Levels, little endian. Header of 12 bytes: u8 version (2), u8 flags (bit 0: earlier levels "
    "are merged into this frame, as the client was slow), u16 sources, u16 tracks, u16 filters, "
    "u32 sequence. Each source, 5 bytes: i16 peak and i16 RMS in 1/100 dBFS (-32768: silence), u8 "
    "flags (bit 0: clipped since the last frame, bit 1: silent). Each track, 21 bytes: the same, "
    "then i16 true peak and i16 highest true peak in 1/100 dBTP, i16 momentary, i16 short-term "
    "and i16 integrated loudness in 1/100 LUFS, i16 range in 1/100 LU, i16 highest momentary and "
    "i16 highest short-term loudness in 1/100 LUFS (-32768: silence, or none yet). Each filter "
    "that makes a track quieter, 2 bytes: u16 by how much at most since the last frame, in 1/100 "
    "dB."
)


@cache
def asyncapi() -> Mapping[str, Any]:
    """Gives the description as AsyncAPI 3.0."""
    requests = {f"request_{command.name}": command for command in COMMANDS.values()}
    models: list[type[BaseModel]] = [
        *_SENT_BY_CLIENTS.values(),
        RequestMessage,
        *_SENT_BY_SESSION.values(),
    ]
    for command in COMMANDS.values():
        models += [command.arguments, command.result]
    messages: dict[str, Any] = {
        name: {"name": name, "contentType": "application/json", "payload": reference(model)}
        for name, model in {**_SENT_BY_CLIENTS, **_SENT_BY_SESSION}.items()
    }
    for name, command in requests.items():
        messages[name] = {
            "name": name,
            "summary": command.summary,
            "description": f"The result in the reply is a {command.result.__name__}.",
            "contentType": "application/json",
            "payload": _request(command.name, command.arguments),
        }
    messages["levels"] = {
        "name": "levels",
        "summary": "Levels of all sources and tracks, as a binary frame",
        "description": _FRAME,
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "PyPAC-OBS: control of a running session",
            "version": API_VERSION,
            "license": {"name": "MIT"},
        },
        "servers": {
            "session": {
                "host": "127.0.0.1:{port}",
                "protocol": "ws",
                "variables": {"port": {"default": str(DEFAULT_PORT)}},
            }
        },
        "channels": {
            "control": {
                "address": SOCKET_PATH,
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "take": _operation("receive", [*_SENT_BY_CLIENTS, *requests]),
            "give": _operation("send", [*_SENT_BY_SESSION, "levels"]),
        },
        "components": {"messages": messages, "schemas": schemas(models)},
    }


def _request(name: str, arguments: type[BaseModel]) -> dict[str, Any]:
    """A request's payload: the frame of all requests, and the command's own keys."""
    own = arguments.model_json_schema(ref_template="#/components/schemas/{model}")
    properties: dict[str, Any] = {
        "type": {"const": "request"},
        "id": {"description": "comes back with the reply"},
        "command": {"const": name},
        **own.get("properties", {}),
    }
    return {
        "type": "object",
        "properties": properties,
        "required": ["type", "command", *own.get("required", [])],
        "additionalProperties": False,
    }


def _operation(action: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/control"},
        "messages": [{"$ref": f"#/channels/control/messages/{name}"} for name in names],
    }
