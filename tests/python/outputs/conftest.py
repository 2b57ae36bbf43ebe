# SPDX-License-Identifier: MIT
"""Lets the tests of this folder, and the programs that they start, import what lies beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
