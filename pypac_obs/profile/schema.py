# SPDX-License-Identifier: MIT
"""The JSON Schema of a profile, which editors use to complete and check it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

__all__ = ["FILTER", "schema_of"]

#: The title of what is written once, though it stands in many places.
FILTER = "Filter"


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of the YAML file that ``model`` describes, with a description on every key."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    schema["title"] = "PyPAC-OBS profile"
    without_null: dict[str, Any] = _without_null(schema)
    filters: dict[str, Any] = {}
    without_null = _with_references(without_null, filters)
    without_null["$defs"] |= filters
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **without_null}


def _without_null(schema: Any) -> Any:
    """Takes out null, which is "left out" in Python; in YAML an empty value is a mistake."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    slim = {key: _without_null(value) for key, value in schema.items() if value is not None}
    choices = slim.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del slim["anyOf"]
        slim = {**slim, **rest[0]} if len(rest) == 1 else {**slim, "anyOf": rest}
    return slim


def _with_references(schema: Any, filters: dict[str, Any]) -> Any:
    """Puts a reference in the place of each filter, and the one that they are into ``filters``."""
    if isinstance(schema, list):
        return [_with_references(item, filters) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("title") == FILTER:
        filters[FILTER] = schema
        return {"$ref": f"#/$defs/{FILTER}"}
    return {key: _with_references(value, filters) for key, value in schema.items()}
