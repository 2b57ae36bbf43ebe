# SPDX-License-Identifier: MIT
"""The stages of the checks and tests: what each runs, what it needs, and which target wants it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Stage:
    """``command`` is for bash.

    A stage of lane "build" only computes, and runs beside a test at low priority; one of lane
    "wait" is a test that mostly waits, and runs beside another.
    """

    name: str
    command: str
    needs: tuple[str, ...] = ()
    #: What it waits for where that runs, too, whatever comes of it.
    after: tuple[str, ...] = ()
    lane: Literal["test", "wait", "build"] = "test"
    #: Nothing runs beside it: what it looks at depends on the machine's time.
    alone: bool = False


@dataclass(frozen=True)
class Target:
    """What of `.ci/setup` it takes, and its stages, of which each brings what it needs."""

    wants: tuple[str, ...]
    stages: tuple[str, ...]


CORES = os.cpu_count() or 1
# Most of a test is waiting for sound to pass; but several OBS at once leave the players no time.
WORKERS = CORES + 1
PYTEST = '.venv/bin/python -m pytest --junitxml="$PYPAC_REPORTS/{name}.xml" {options}'
CTEST = (
    'ctest --preset {preset} --parallel {cores} --output-junit "$PYPAC_REPORTS/ctest-{name}.xml"'
)


def pytest(name: str, options: str, needs: tuple[str, ...] = (), alone: bool = False) -> Stage:
    """Tests by pytest."""
    return Stage(name, PYTEST.format(name=name, options=options), needs, alone=alone)


def cmake(preset: str, needs: tuple[str, ...] = ()) -> Stage:
    """A build of a CMake preset."""
    command = f"cmake --preset {preset} && cmake --build --preset {preset}"
    return Stage(f"build-{preset}", command, needs, lane="build")


def ctest(preset: str, lane: Literal["test", "wait"] = "test") -> Stage:
    """The C++ tests of a CMake preset."""
    command = CTEST.format(name=preset, preset=preset, cores=CORES)
    return Stage(f"ctest-{preset}", command, (f"build-{preset}",), lane=lane)


def ctest_apart(preset: str) -> list[Stage]:
    """The same, with those that take long and only compute in a stage of their own."""
    command = CTEST.format(name=f"{preset}-computing", preset=preset, cores=1)
    whole = ctest(preset)
    return [
        Stage(f"{whole.name}-computing", f"{command} -L computes", whole.needs, lane="build"),
        replace(whole, command=f"{whole.command} -LE computes"),
    ]


STAGES = [
    Stage("style", ".ci/style", lane="build"),
    Stage("style-changed", ".ci/style --changed", lane="build"),
    cmake("release"),
    pytest("python", f"-m 'not alone' -n {WORKERS} pypac_obs tests/python tests/system"),
    pytest(
        "python-fast", f"-n {WORKERS} pypac_obs tests/python tests/system/capture/test_apart.py"
    ),
    Stage("types", ".venv/bin/mypy", lane="build"),
    # First what the longest tests wait for; the rest is built beside them.
    Stage("wheel-windows", ".ci/windows_wheel", lane="build"),
    cmake("windows", ("wheel-windows",)),
    cmake("asan"),
    cmake("tsan"),
    cmake("fuzz"),
    Stage("fuzz", ".ci/fuzz", ("build-fuzz",), lane="build"),
    Stage("wheel", ".ci/wheel", lane="build"),
    ctest("release"),
    replace(ctest("windows", "wait"), after=("python",)),
    # By test: one module has more than half of them.
    pytest("windows", f"-n {WORKERS} --dist=worksteal tests/windows", ("build-windows",)),
    Stage(
        "windows-python",
        f'tests/windows/python_tests -n {WORKERS} --junitxml="$PYPAC_REPORTS/windows-python.xml"',
        ("build-windows",),
    ),
    *ctest_apart("asan"),
    *ctest_apart("tsan"),
    # Last: it may take longest of all, and nothing waits for it.
    Stage(
        "clang-tidy", ".venv/bin/python .ci/tidy.py build/release", ("build-release",), lane="build"
    ),
    pytest("python-alone", "-m alone tests/system", alone=True),
    Stage("obs-latest", ".ci/obs_latest", alone=True),
]

SANITIZED = ("ctest-asan", "ctest-asan-computing", "ctest-tsan", "ctest-tsan-computing")
TARGETS = {
    "check": Target(("check",), ("style", "types", "clang-tidy")),
    "test": Target(
        ("test", "windows"),
        (
            *(
                "python",
                "python-alone",
                "ctest-release",
                *SANITIZED,
                "fuzz",
                "wheel",
            ),
            *("ctest-windows", "windows-python", "windows"),
        ),
    ),
    # As root: it is what only `make test-long` brings along.
    "test-obs-latest": Target(("test",), ("obs-latest",)),
    "test-cpp": Target(("test",), ("ctest-release",)),
    "test-sanitizers": Target(("test",), SANITIZED),
    "test-python": Target(("test",), ("python", "python-alone")),
    "test-wheel": Target(("test",), ("wheel",)),
    "test-windows": Target(("windows",), ("ctest-windows", "windows-python", "windows")),
    "fuzz": Target(("test",), ("fuzz",)),
    "windows": Target(("windows",), ("wheel-windows",)),
    "test-fast": Target(
        ("check", "test"), ("style-changed", "types", "ctest-release", "python-fast")
    ),
}


def stages_of(targets: Iterable[str]) -> list[Stage]:
    """What these targets run, each stage once, set-up first and then in the order of `STAGES`."""
    chosen = [TARGETS[name] for name in targets]
    wants = list(dict.fromkeys(want for target in chosen for want in target.wants))
    setup = Stage("setup", f".ci/setup {' '.join(wants)}")
    by_name = {stage.name: stage for stage in STAGES}
    named = {name for target in chosen for name in target.stages}
    while more := {need for name in named for need in by_name[name].needs} - named:
        named |= more
    return [
        setup,
        *(replace(stage, needs=("setup", *stage.needs)) for stage in STAGES if stage.name in named),
    ]
