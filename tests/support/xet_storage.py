"""The storage of a Hub that keeps large files in Xet, for the genuine client hf_xet.

The client takes a folder for the storage where its address is ``local://FOLDER``. It locks the
folder as long as its process lives, so each token leads to a folder of its own.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import hf_xet

EXPIRY_S = 3600


class XetStorage:
    """Folders that are lent to clients, one for each token that they ask for."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="xet-")
        self._lock = threading.Lock()
        self._lent: list[Path] = []

    def close(self) -> None:
        self._home.cleanup()

    def lend(self, contents: Iterable[bytes] = ()) -> Path:
        """Make a folder that holds these files, to read from or to write more to."""
        with self._lock:
            folder = Path(self._home.name) / str(len(self._lent))
            self._lent.append(folder)
        folder.mkdir()
        _store(folder, contents)
        return folder

    def find(self, sha256: str) -> bytes | None:
        """A file that a client has written to any of the folders."""
        for folder in reversed(self._lent):
            for shard in folder.glob("xet/xorbs/shards/*.mdb"):
                for key, digest in _files(shard.read_bytes()):
                    if digest == sha256:
                        return _read(folder, key)
        return None


@cache
def xet_hash(content: bytes) -> str:
    """What Xet calls a file of this content."""
    with tempfile.TemporaryDirectory() as folder:
        return _store(Path(folder), [content])[0]


def _access(folder: Path) -> dict[str, Any]:
    expiry = int(time.time()) + EXPIRY_S
    return {"endpoint": f"local://{folder}", "token": "x", "token_expiry_unix_secs": expiry}


def _store(folder: Path, contents: Iterable[bytes]) -> list[str]:
    contents = list(contents)
    if not contents:
        return []
    with hf_xet.XetSession().new_upload_commit(**_access(folder)) as commit:
        uploads = [
            commit.start_upload_bytes(content, sha256=hf_xet.COMPUTE_SHA256) for content in contents
        ]
    return [upload.result().xet_info.hash for upload in uploads]


def _read(folder: Path, key: str) -> bytes:
    with tempfile.TemporaryDirectory() as copy:  # the client holds the lock of the folder
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        session = hf_xet.XetSession()
        with session.new_download_stream_group(**_access(Path(copy))) as group:
            content = b"".join(group.download_stream(hf_xet.XetFileInfo(key)))
    return content


def _files(shard: bytes) -> Iterable[tuple[str, str]]:
    """The Xet hash and the sha256 of each file in a shard (xet-core's format, version 2)."""
    entry, place = 48, 48
    while shard[place : place + 32] != b"\xff" * 32:
        flags, count = (
            int.from_bytes(shard[place + start : place + start + 4], "little") for start in (32, 36)
        )
        metadata = place + entry * (1 + count * (2 if flags & 1 << 31 else 1))
        if flags & 1 << 30:
            yield _hex(shard[place : place + 32]), _hex(shard[metadata : metadata + 32])
        place = metadata + (entry if flags & 1 << 30 else 0)


def _hex(digest: bytes) -> str:
    """A digest as its text: four numbers of 64 bits, their lowest byte first in the file."""
    return b"".join(digest[start : start + 8][::-1] for start in range(0, 32, 8)).hex()
