# SPDX-License-Identifier: MIT
"""A running profile: its public face, and what keeps it going."""

from pypac_obs.session.session import Session

__all__ = ["Session"]
