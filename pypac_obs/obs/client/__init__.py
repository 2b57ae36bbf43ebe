# SPDX-License-Identifier: MIT
"""Speaks to OBS: a connection that is kept up, what is in OBS now, and its outputs."""
