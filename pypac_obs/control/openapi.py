# SPDX-License-Identifier: MIT
"""The description of the HTTP addresses, made from the table of commands and their models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pypac_obs.control.commands import COMMANDS, Command
from pypac_obs.control.documents import Values
from pypac_obs.control.listening import DEFAULT_PORT
from pypac_obs.control.messages import ErrorBody

__all__ = ["API_VERSION", "openapi", "reference", "schemas"]

API_VERSION = "1.0.0"
_JSON = "application/json"
_ERRORS = {
    "401": "no token, or a wrong one",
    "403": "the Host or the Origin header names another site",
    "404": "there is no such value",
    "409": "refused: changed by somebody else, or the session cannot follow, or has ended",
    "413": "more than 64 KiB",
    "422": "what was sent is wrong, or the profile is",
    "429": "more than 100 commands in a second",
    "500": "something is wrong in the session",
    "503": "the session has not answered in time",
}
_CLIENT_ID = {
    "name": "X-Client-Id",
    "in": "header",
    "required": False,
    "description": "who asks: the origin in events and patches",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "default": "http"},
}
_ADDRESS = {
    "name": "address",
    "in": "path",
    "required": True,
    "description": "such as voice.gain_db",
    "schema": {"type": "string"},
}


def schemas(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """Gives the JSON Schemas of these models and of all that they name."""
    _, found = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)],
        ref_template="#/components/schemas/{model}",
    )
    defined: dict[str, Any] = found["$defs"]
    return defined


def reference(model: type[BaseModel]) -> dict[str, str]:
    """Names a model among the schemas."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


@cache
def openapi() -> Mapping[str, Any]:
    """Gives the description as OpenAPI 3.1."""
    over_http = [command for command in COMMANDS.values() if command.path]
    models: list[type[BaseModel]] = [ErrorBody, Values]
    for command in over_http:
        models += [command.arguments, command.result]
    paths = {command.path: {command.method.lower(): _operation(command)} for command in over_http}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PyPAC-OBS: control of a running session",
            "version": API_VERSION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [
            {
                "url": "http://127.0.0.1:{port}",
                "variables": {"port": {"default": str(DEFAULT_PORT)}},
            }
        ],
        "security": [{"token": []}],
        "paths": {
            **paths,
            "/api/v1/values": {"get": _reading("values", "All values", reference(Values))},
            "/api/v1/openapi.json": {"get": _reading("openapi", "This description", _ANY)},
            "/api/v1/asyncapi.json": {
                "get": _reading("asyncapi", "The description of the WebSocket", _ANY)
            },
            "/metrics": {"get": _metrics()},
            "/": {"get": _page()},
        },
        "components": {
            "schemas": schemas(models),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


_ANY = {"type": "object"}


def _operation(command: Command) -> dict[str, Any]:
    made = _reading(command.name, command.summary, reference(command.result))
    if "{address}" in command.path:
        made["parameters"] = [_ADDRESS, _CLIENT_ID]
    elif command.method == "POST":
        required = bool(command.arguments.model_json_schema().get("required"))
        made["requestBody"] = {
            "required": required,
            "content": {_JSON: {"schema": reference(command.arguments)}},
        }
    return made


def _reading(name: str, summary: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [_CLIENT_ID],
        "responses": {
            "200": {"description": summary, "content": {_JSON: {"schema": schema}}},
            **{
                status: {
                    "description": text,
                    "content": {_JSON: {"schema": reference(ErrorBody)}},
                }
                for status, text in _ERRORS.items()
            },
        },
    }


def _metrics() -> dict[str, Any]:
    made = _reading("metrics", "The status as Prometheus reads it", _ANY)
    made["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return made


def _page() -> dict[str, Any]:
    text = {"text/html": {"schema": {"type": "string"}}}
    answer = {"200": {"description": "A page that says what this is", "content": text}}
    return {"operationId": "page", "summary": "A page", "security": [], "responses": answer}
