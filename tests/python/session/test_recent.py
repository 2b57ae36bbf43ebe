# SPDX-License-Identifier: MIT
"""What a session keeps in memory has an end."""

from pypac_obs.session.recent import Recent, latest


def test_only_the_latest_are_kept_and_all_are_counted() -> None:
    recent = Recent[int](most=3)
    recent.extend(range(10))
    assert (recent.entries, recent.total) == ((7, 8, 9), 10)


def test_what_is_new_is_told_once_as_far_as_it_is_kept() -> None:
    recent = Recent[int](most=3)
    recent.extend([1, 2])
    assert recent.since(1) == (2,)
    assert recent.since(2) == ()
    seen = recent.total
    recent.extend([3, 4, 5, 6])
    assert recent.since(seen) == (4, 5, 6)


def test_the_latest_of_too_few_are_all() -> None:
    assert latest((1, 2, 3), 5) == (1, 2, 3)
    assert latest((1, 2, 3), 0) == ()
    assert latest((1, 2, 3), -1) == ()
