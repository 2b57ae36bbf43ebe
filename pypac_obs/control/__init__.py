# SPDX-License-Identifier: MIT
"""The API of a running session: HTTP and WebSocket on this computer only."""
