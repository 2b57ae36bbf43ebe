# SPDX-License-Identifier: MIT
"""Each test has folders of its own."""

import pytest


@pytest.fixture(autouse=True)
def _own_runtime_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_RUNTIME_DIR", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("runtime")))
