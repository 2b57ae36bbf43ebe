# SPDX-License-Identifier: MIT
"""A private audio system, and a private OBS in it, for tests and demos."""

from pypac_obs.sandbox.audio import Player, Sandbox, missing_packages

__all__ = ["Player", "Sandbox", "missing_packages"]
