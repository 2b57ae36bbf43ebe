# SPDX-License-Identifier: MIT
"""Gets libobs's headers, where no package has them: ``python .ci/libobs_headers.py FOLDER``.

They are those of the oldest OBS that the module is for. Git checks that what comes is what its
commit names.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REPOSITORY = "https://github.com/obsproject/obs-studio.git"
COMMIT = "0fb8bb4b1e18ee1c870c48d35ab5b598af3b59e9"  # 29.0.2


def main(folder: Path, repository: str = REPOSITORY) -> None:
    """Put the headers into ``folder``, which need not exist."""
    with tempfile.TemporaryDirectory() as copy:

        def git(*arguments: str) -> bytes:
            return subprocess.run(
                ["git", "-C", copy, *arguments], check=True, stdout=subprocess.PIPE
            ).stdout

        git("init", "--quiet")
        git("fetch", "--quiet", "--depth", "1", repository, COMMIT)
        archive = git("archive", COMMIT, "libobs")
    headers = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for file in files:
            path = Path(file.name).relative_to("libobs")
            if file.isfile() and path.suffix in (".h", ".hpp"):
                headers[path] = files.extractfile(file).read()
    for path, text in headers.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text)
    print(f"{len(headers)} headers of {COMMIT[:9]} are in {folder}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f"usage: {sys.argv[0]} FOLDER [REPOSITORY]")
    main(Path(sys.argv[1]), *sys.argv[2:])
