# SPDX-License-Identifier: MIT
"""The machine that the figures are from, and how busy others keep it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from pathlib import Path

from pypac_obs.capabilities import versions

# Above this share of all cores, others disturb the figures.
QUIET_PERCENT = 10.0


def describe() -> dict[str, object]:
    """Tells what was measured on: processor, system, versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "versions": dict(versions()) | {"wireplumber": _version("wireplumber")},
    }


def load_average() -> list[float]:
    return [round(value, 2) for value in os.getloadavg()]


def busy_percent(seconds: float = 1.0) -> float:
    """Watches for a while; how much of all cores was in use, or taken by the hypervisor."""
    before = _cpu_times()
    time.sleep(seconds)
    spent = [after - begin for begin, after in zip(before, _cpu_times(), strict=True)]
    idle = spent[3] + spent[4]  # idle and waiting for a disk
    return 100 * (1 - idle / max(1, sum(spent)))


def _cpu_times() -> list[int]:
    line = Path("/proc/stat").read_text().splitlines()[0]
    return [int(value) for value in line.split()[1:9]]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(program: str) -> str:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return "not found"
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "unknown"
