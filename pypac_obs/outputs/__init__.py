# SPDX-License-Identifier: MIT
"""Where tracks go: the contract of an output in Python, and the built-in ones."""

from pypac_obs.outputs.base import (
    Block,
    BlockReader,
    Output,
    OutputThread,
    SessionInfo,
    TrackInfo,
    output_failure,
)
from pypac_obs.outputs.files import FilesOutput

__all__ = [
    "Block",
    "BlockReader",
    "FilesOutput",
    "Output",
    "OutputThread",
    "SessionInfo",
    "TrackInfo",
    "output_failure",
]
