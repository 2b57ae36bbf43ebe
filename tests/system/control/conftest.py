# SPDX-License-Identifier: MIT
"""Lets the tests of this folder use the session without sound of tests/python/control."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "python" / "control"))
