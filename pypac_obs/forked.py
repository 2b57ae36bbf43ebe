# SPDX-License-Identifier: MIT
"""What a forked child leaves to its parent: threads and files that only the parent has.

A child of `os.fork`, or of multiprocessing's default on Linux, has copies of all objects, and none
of the threads behind them. Waiting for such a thread never ends, and closing such a file writes
into the parent's.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Protocol

from pypac_obs import _core

__all__ = ["Owner", "leave_to_parent_on_fork"]


class Owner(Protocol):
    """Something with threads or files of its own."""

    def leave_to_parent(self) -> bool:
        """Does nothing from now on, because this is a child; False if there is nothing to leave."""


_owners: weakref.WeakSet[Owner] = weakref.WeakSet()


def leave_to_parent_on_fork(owner: Owner) -> None:
    """Lets a child that is forked while ``owner`` lives keep its hands off it."""
    _owners.add(owner)


def _after_fork_in_child() -> None:
    left = [owner for owner in list(_owners) if owner.leave_to_parent()]
    for owner in left:
        # For good: no destructor of what it owns may run here, not even at the child's end.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(owner))
    if left:
        # That is no leak: the parent frees them.
        _core.set_leak_warnings(False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
