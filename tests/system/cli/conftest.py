# SPDX-License-Identifier: MIT
"""A private audio system for the commands of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pypac_obs.sandbox import Sandbox, missing_packages

from ..conftest import require


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    missing = missing_packages()
    require(not missing, f"not installed: {', '.join(missing)}")
    with Sandbox() as sandbox:
        yield sandbox
