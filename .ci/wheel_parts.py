# SPDX-License-Identifier: MIT
"""Looks whether the installed wheel has all that a wheel should have."""

import sys

import pypac_obs

PARTS = ("wasapi" if sys.platform == "win32" else "pipewire", "obs_plugin", "flac", "rf64")

found = pypac_obs.capabilities()
missing = [name for name in PARTS if not found[name].built_in]
print(*found.values(), sep="\n")
if missing:
    sys.exit(f"This wheel was built without: {', '.join(missing)}")
