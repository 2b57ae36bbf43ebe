# SPDX-License-Identifier: MIT
"""What is published of the API: OpenAPI, AsyncAPI, and that both say what is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from control_api import Api
from fake_controls import FakeControls
from jsonschema import Draft202012Validator
from starlette.routing import Route

from pypac_obs.control.commands import COMMANDS
from pypac_obs.control.documents import State, Status
from pypac_obs.control.performer import Performer
from pypac_obs.control.routes import http_routes

DOCUMENTS = ("openapi", "asyncapi")


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def resolved(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    found = document
    for step in reference[2:].split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_leads_somewhere_and_every_schema_is_one(api: Api, name: str) -> None:
    status, document, _ = api.request("GET", f"/api/v1/{name}.json")
    assert status == 200
    every = list(references(document))
    assert len(every) > 20
    for reference in every:
        assert resolved(document, reference)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_openapi_has_every_route_with_its_method_and_no_other(
    api: Api, controls: FakeControls
) -> None:
    document = api.request("GET", "/api/v1/openapi.json")[1]
    assert document["openapi"].startswith("3.1")
    routes = set()
    for route in http_routes(Performer(controls)):
        assert isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}:
            routes.add((re.sub(r":path", "", route.path), method.lower()))
    said = {(path, method) for path, item in document["paths"].items() for method in item}
    assert said == routes
    names = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(names) == len(set(names))
    for item in document["paths"].values():
        for operation in item.values():
            assert operation["summary"]
            assert "200" in operation["responses"]


def test_answers_are_as_openapi_says(api: Api, controls: FakeControls) -> None:
    document = api.request("GET", "/api/v1/openapi.json")[1]
    calls = {
        "set": {"address": "voice.gain_db", "value": -6},
        "adjust": {"address": "voice.gain_db", "by": 1},
        "toggle": {"address": "voice.mute"},
        "fade": {"address": "voice.gain_db", "value": 0, "seconds": 1},
        "reload": {},
        "undo": {},
        "mark": {"text": "x"},
        "reset_loudness": {"track": "voice"},
        "stop": {},
    }
    gets = {"state": "state", "status": "status", "values": "values", "get": "values/voice.mute"}
    answers = {name: api.post(name, **keys)[1] for name, keys in calls.items()}
    answers |= {name: api.request("GET", f"/api/v1/{path}")[1] for name, path in gets.items()}
    for item in document["paths"].values():
        for operation in item.values():
            if (answer := answers.pop(operation["operationId"], None)) is not None:
                schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
                Draft202012Validator(schema | {"components": document["components"]}).validate(
                    answer
                )
    assert not answers
    State.model_validate(controls.state())
    Status.model_validate(controls.status().to_json())


def test_asyncapi_has_every_command_and_what_is_pushed(api: Api) -> None:
    document = api.request("GET", "/api/v1/asyncapi.json")[1]
    assert document["asyncapi"].startswith("3.")
    channel = document["channels"]["control"]
    assert channel["address"] == "/api/v1/ws"
    names = set(channel["messages"])
    assert {f"request_{name}" for name in COMMANDS} <= names
    assert {"auth", "welcome", "state", "reply", "patch", "event", "meters", "levels"} <= names
    used = [one["$ref"] for op in document["operations"].values() for one in op["messages"]]
    assert {one.rpartition("/")[2] for one in used} == names
    with api.client() as client:
        client.send(type="request", command="toggle", address="voice.mute")
        sent = [client.state, client.receive(), client.receive()]
    assert {message["type"] for message in sent} == {"state", "patch", "reply"}
    for message in sent:
        payload = document["components"]["messages"][message["type"]]["payload"]
        Draft202012Validator(payload | {"components": document["components"]}).validate(message)


def test_a_reply_that_is_published_is_as_asyncapi_says(api: Api) -> None:
    document = api.request("GET", "/api/v1/asyncapi.json")[1]
    request = document["components"]["messages"]["request_set"]["payload"]
    whole = request | {"components": document["components"]}
    good = {"type": "request", "id": 1, "command": "set", "address": "a.mute", "value": True}
    Draft202012Validator(whole).validate(good)
    for wrong in ({"command": "get"}, {"more": 1}, {"value": {"a": 1}}):
        assert list(Draft202012Validator(whole).iter_errors(good | wrong))
