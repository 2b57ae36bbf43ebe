# SPDX-License-Identifier: MIT
"""docs/control.md: what it shows is done here, and comes out as it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from control_api import TOKEN, Api
from fake_controls import FakeControls

from pypac_obs.control.commands import COMMANDS

PAGE = (Path(__file__).parents[3] / "docs" / "control.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CALLS = [
    match
    for kind, text in BLOCKS
    if kind == "sh"
    for match in re.findall(r"^curl (.*)\n(?:# (.*)\n)?", text, re.MULTILINE)
]
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]


def test_every_curl_of_the_page_answers_as_it_says(api: Api, controls: FakeControls) -> None:
    for words, answer in CALLS:
        header, uri, *rest = shlex.split(words.replace("$TOKEN", TOKEN))[1:]
        name, _, value = header.partition(": ")
        body = rest[1].encode() if rest else None
        path = uri.removeprefix("http://127.0.0.1:14700")
        assert path.startswith("/")
        method = "GET" if body is None else "POST"
        status, got, _ = api.request(method, path, headers={name: value}, raw=body)
        assert status == 200, (path, got)
        if answer:
            assert got == json.loads(answer), path
    assert controls.stopped.is_set()


def test_every_command_and_address_has_an_example() -> None:
    shown = " ".join(words for words, _ in CALLS)
    for command in COMMANDS.values():
        if command.path:
            assert command.path.replace("{address}", "voice.mute") in shown
        else:
            assert f'"command": "{command.name}"' in PAGE
    for path in ("/api/v1/openapi.json", "/api/v1/asyncapi.json", "/metrics", "/api/v1/values"):
        assert path in shown


def test_the_addresses_of_the_page_are_ones(api: Api) -> None:
    named = re.findall(r"^\| `(voice\.[\w.]+)` \|", PAGE, re.MULTILINE)
    assert len(named) == 6
    for address in named:
        assert api.request("GET", f"/api/v1/values/{address}")[0] == 200


def test_the_requests_of_the_page_are_taken(api: Api) -> None:
    requests = re.findall(r"^\| `(\{.*?\})` \|", PAGE, re.MULTILINE)
    assert len(requests) == 3
    with api.client() as client:
        for text in requests:
            client.socket.send(text)
            reply = client.take("reply")
            assert (reply["id"], reply["ok"]) == (json.loads(text)["id"], True)


@pytest.mark.parametrize("program", PROGRAMS, ids=["set", "levels"])
def test_every_program_of_the_page_prints_what_it_says(
    api: Api, program: str, tmp_path: Path
) -> None:
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    environ = os.environ | {"PORT": str(api.port), "TOKEN": TOKEN}
    done = subprocess.run(
        [sys.executable, str(file)], env=environ, check=True, capture_output=True, text=True
    )
    wanted = re.findall(r"^# (.*)$", program, re.MULTILINE)
    assert wanted
    assert done.stdout.splitlines()[: len(wanted)] == wanted
