# SPDX-License-Identifier: MIT
"""Puts the OBS module into OBS's folders."""
