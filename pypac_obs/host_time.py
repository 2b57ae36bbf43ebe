# SPDX-License-Identifier: MIT
"""Host time, also where the native core is not loaded: the clock that the core and OBS use."""

import sys
import time

__all__ = ["now_ns"]

#: Gives host time in ns. On Windows that is the performance counter; `time.monotonic` is another.
now_ns = time.perf_counter_ns if sys.platform == "win32" else time.monotonic_ns
