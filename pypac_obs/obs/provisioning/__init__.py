# SPDX-License-Identifier: MIT
"""From what a profile wants of OBS and what is there to steps that make it so, and back."""
