# SPDX-License-Identifier: MIT
"""What is said of a track that a command names."""

from __future__ import annotations

from pypac_obs.errors import InvalidValue
from pypac_obs.profile import Profile
from pypac_obs.profile.checks import describe, listed, nearest

__all__ = ["no_track"]


def no_track(profile: Profile, track: str) -> InvalidValue:
    """Gives the error of a name that no track has, with what may be meant."""
    meant = nearest(track, profile.tracks)
    return InvalidValue(
        f"the profile has no track {describe(track)}",
        remedy=f"Did you mean {meant}?" if meant else f"It has {listed(profile.tracks, 'and')}.",
    )
