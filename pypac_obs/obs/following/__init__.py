# SPDX-License-Identifier: MIT
"""Has split files follow OBS's own recording."""
