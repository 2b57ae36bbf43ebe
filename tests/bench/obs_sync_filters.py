# SPDX-License-Identifier: MIT
"""Sound and picture in OBS's recording, as `obs_sync`, with filters on the track that is measured.

All tracks are later by what the limiter looks ahead, and OBS is to be told so: the picture stays
with the sound.
"""

from __future__ import annotations

from obs_sync import measure, with_filters
from report import Options, Report


def main(options: Options) -> Report:
    return measure(options, Report("obs_sync_filters"), with_filters())
