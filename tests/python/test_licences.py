# SPDX-License-Identifier: MIT
"""What the package says of the licences that it comes under, and of what it takes."""

from __future__ import annotations

import re
from importlib.metadata import distribution, requires


def needed(package: str) -> set[str]:
    """The packages that one cannot do without."""
    found = (re.match(r"[\w.-]+", line) for line in requires(package) or [] if "extra" not in line)
    return {match.group().lower() for match in found if match}


def test_obsws_python_is_needed_and_is_under_the_gpl_3() -> None:
    assert "obsws-python" in needed("pypac-obs")
    said = distribution("obsws-python").metadata
    assert "GPL-3.0-only" in (said.get("License"), said.get("License-Expression"))


def test_what_serves_control_is_under_the_bsd_licence() -> None:
    for name in ("starlette", "uvicorn", "websockets"):
        assert name in needed("pypac-obs")
        said = distribution(name).metadata
        assert "BSD-3-Clause" in (said.get("License"), said.get("License-Expression"))


def test_the_packages_metadata_says_what_holds_for_both_together() -> None:
    said = distribution("pypac-obs").metadata
    assert said.get("License-Expression") == "MIT AND GPL-2.0-or-later"
    assert "LICENSE-NOTES.md" in (said.get_all("License-File") or [])
    readme = " ".join(str(said.get_payload()).split())
    assert "shipped together with it is under GPL-3.0 as a whole" in readme
