# SPDX-License-Identifier: MIT
"""What of a profile can be changed while it runs: addresses of values, and what differs.

All of it is pure: profiles in, profiles or words out.
"""

from pypac_obs.model.addresses import (
    Target,
    Value,
    addresses,
    clean_value,
    find,
    turned_over,
    value_of,
    with_value,
)
from pypac_obs.model.diff import ProfileDiff, diff
from pypac_obs.model.layers import Layer

__all__ = [
    "Layer",
    "ProfileDiff",
    "Target",
    "Value",
    "addresses",
    "clean_value",
    "diff",
    "find",
    "turned_over",
    "value_of",
    "with_value",
]
