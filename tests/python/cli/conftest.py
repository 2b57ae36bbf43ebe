# SPDX-License-Identifier: MIT
"""Lets the tests of this folder import the fake session of the control API's tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "control"))
