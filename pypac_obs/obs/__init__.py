# SPDX-License-Identifier: MIT
"""OBS Studio: its websocket, its settings, the source plugin, and a private OBS for tests."""
