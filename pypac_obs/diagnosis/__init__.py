# SPDX-License-Identifier: MIT
"""What `pypac-obs doctor` finds out: one file for each group of checks."""
