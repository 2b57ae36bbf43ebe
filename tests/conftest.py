# SPDX-License-Identifier: MIT
"""No test touches what is the user's own: settings, state, and running sessions."""

import os

import pytest

# What tests and the programs that they start find in place of the user's folders.
_FOLDERS = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "APPDATA")


@pytest.fixture(scope="session", autouse=True)
def _no_folders_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in _FOLDERS:
        os.environ[name] = str(tmp_path_factory.mktemp(name.lower()))
