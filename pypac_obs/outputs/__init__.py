# SPDX-License-Identifier: MIT
"""Where tracks go: the contract of an output in Python, and the built-in ones."""

from pypac_obs.outputs.driver import BlockReader, OutputThread
from pypac_obs.outputs.failures import output_failure
from pypac_obs.outputs.files import FilesOutput
from pypac_obs.outputs.output import Block, Output, SessionInfo, TrackInfo

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
