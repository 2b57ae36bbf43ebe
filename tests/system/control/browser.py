# SPDX-License-Identifier: MIT
"""A real Chromium without a window, told what to do by its own debugging protocol."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

PROGRAM = "chromium"
_STARTED_WITHIN_S = 60
_ANSWERED_WITHIN_S = 30


class Browser:
    """Opens pages one after the other, and runs scripts in them."""

    def __init__(self, folder: Path, resolve: str = "") -> None:
        words = [
            *(shutil.which(PROGRAM) or PROGRAM, "--headless", "--no-sandbox", "--disable-gpu"),
            *("--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={folder}", "--remote-debugging-port=0"),
            *([f"--host-resolver-rules={resolve}"] if resolve else []),
            "about:blank",
        ]
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(words, stdout=self._log, stderr=self._log)
        self._numbers = itertools.count(1)
        self._opening: connect | None = None
        try:
            self._opening = connect(self._page(folder), proxy=None, max_size=None)
            self._socket: ClientConnection = self._opening.__enter__()
            self._command("Page.enable")
        except BaseException:
            self.close()
            raise

    def open(self, address: str) -> None:
        """Goes to a page, and waits until it is there."""
        self._command("Page.navigate", url=address)
        while json.loads(self._socket.recv(_ANSWERED_WITHIN_S)).get("method") != (
            "Page.loadEventFired"
        ):
            pass

    def run(self, script: str) -> Any:
        """Gives what an async function's body returns, in the page."""
        answer = self._command(
            "Runtime.evaluate",
            expression=f"(async () => {{ {script} }})()",
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def close(self) -> None:
        """Ends it."""
        if self._opening is not None:
            self._opening.__exit__(None, None, None)
        self._process.terminate()
        self._process.wait(20)
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _page(self, folder: Path) -> str:
        """The address by which its first page is debugged."""
        file = folder / "DevToolsActivePort"
        until = time.monotonic() + _STARTED_WITHIN_S
        while True:
            if file.exists() and "\n" in (said := file.read_text()):
                port = int(said.splitlines()[0])
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                    pages = [one for one in json.load(answer) if one["type"] == "page"]
                if pages:
                    return str(pages[0]["webSocketDebuggerUrl"])
            assert self._process.poll() is None, Path(self._log.name).read_text()
            assert time.monotonic() < until, Path(self._log.name).read_text()
            time.sleep(0.01)

    def _command(self, method: str, **parameters: object) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(_ANSWERED_WITHIN_S))).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]
