# SPDX-License-Identifier: MIT
"""Runs the command line as ``python -m pypac_obs.cli``."""

from pypac_obs.cli import main

main()
