"""What benchmarks of the page share: the page as a process, its memory, tables."""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

SIZES = {3: (2000, 1500), 12: (4000, 3000), 48: (8000, 6000)}
"""Width and height of the photos by megapixels."""


def table(*header: str) -> list[str]:
    """The first two lines of a table."""
    return [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]


@contextmanager
def page(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Serve the page: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "gradio").mkdir()
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "gradio")}
    root = Path(__file__).parents[1]
    with (folder / "app.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=root,
            env=os.environ | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def peak_of(process: psutil.Process) -> Iterator[Callable[[], float]]:
    """Watch a process's memory; gives what it had at most, in MB, without pages of open files."""
    most, over = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.is_set():
            memory = process.memory_info()
            most = max(most, memory.rss - memory.shared)
            over.wait(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: most / 1e6
    finally:
        over.set()
        thread.join()
