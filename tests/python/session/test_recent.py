# SPDX-License-Identifier: MIT
"""What a session keeps in memory has an end."""

from pypac_obs.session.recent import Recent


def test_only_the_latest_are_kept_and_all_are_counted() -> None:
    recent = Recent[int](most=3)
    recent.extend(range(10))
    assert (recent.entries, recent.total) == ((7, 8, 9), 10)
