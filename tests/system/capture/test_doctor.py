# SPDX-License-Identifier: MIT
"""What `doctor` says of the devices."""

from __future__ import annotations

import json

import pytest

from pypac_obs.sandbox import Sandbox

from ..conftest import Call

pytestmark = pytest.mark.pipewire


def test_doctor_names_the_default_input_only_if_it_is_one(call: Call, sandbox: Sandbox) -> None:
    def default_input() -> str:
        findings = json.loads(call("doctor", "--json").stdout)["findings"]
        return next(str(one["found"]) for one in findings if one["part"] == "default input")

    assert default_input() == "none: there is no microphone"
    sandbox.add_source("mic")
    assert default_input() == "mic"
