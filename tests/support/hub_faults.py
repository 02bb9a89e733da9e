"""What goes wrong with single requests to a HubServer.

    hub.faults.add(r"/api/models/me/m", Answer({}, {}, 503), times=3)
    hub.faults.add(r"/me/m/resolve/.*", hang)

A fault is an answer instead of the right one, or a function that sends what arrives.
"""

import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

Headers = dict[str, str]
Sent = Callable[[BaseHTTPRequestHandler, int, Headers, bytes], None]

PATIENCE_S = 60


class Faults:
    """Those that are still to happen, the first that fits first."""

    def __init__(self) -> None:
        self._faults: list[list[Any]] = []
        self.ended = threading.Event()

    def add(self, pattern: str, fault: Any, times: int | None = None, after: int = 0) -> None:
        """Let it happen to requests whose path fits, so many times; None for ever.

        Args:
            pattern: A regular expression for all of the path.
            fault: An ``Answer``, or a function that sends something.
            times: How often.
            after: How many requests that fit come through before.
        """
        self._faults.append([re.compile(pattern), fault, times, after])

    def clear(self) -> None:
        self._faults.clear()

    def next(self, path: str) -> Any:
        """The fault for a request, or None."""
        for fault in self._faults:
            pattern, what, times, after = fault
            if not pattern.fullmatch(path) or times == 0:
                continue
            if after:
                fault[3] -= 1
                continue
            if times is not None:
                fault[2] -= 1
            return what
        return None


def _begin(handler: BaseHTTPRequestHandler, status: int, headers: Headers, size: int) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(size)}.items():
        handler.send_header(name, value)
    handler.end_headers()


def _close(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.flush()
    handler.close_connection = True


def hang(handler: BaseHTTPRequestHandler, status: int, headers: Headers, content: bytes) -> None:
    """Accept and never answer."""
    handler.server.hub.faults.ended.wait(PATIENCE_S)
    _close(handler)


def drop(handler: BaseHTTPRequestHandler, status: int, headers: Headers, content: bytes) -> None:
    """Close the connection without an answer."""
    _close(handler)


def cut(handler: BaseHTTPRequestHandler, status: int, headers: Headers, content: bytes) -> None:
    """Close the connection in the middle of the body."""
    _begin(handler, status, headers, len(content))
    handler.wfile.write(content[: len(content) // 2])
    _close(handler)


def longer(handler: BaseHTTPRequestHandler, status: int, headers: Headers, content: bytes) -> None:
    """Send more than there is."""
    _begin(handler, status, headers, len(content) + 9)
    handler.wfile.write(content + bytes(9))


def promised(
    handler: BaseHTTPRequestHandler, status: int, headers: Headers, content: bytes
) -> None:
    """Close the connection after the whole body, of which more was promised."""
    _begin(handler, status, headers, len(content) + 9)
    handler.wfile.write(content)
    _close(handler)


def garbled(handler: BaseHTTPRequestHandler, status: int, headers: Headers, content: bytes) -> None:
    """Say that it is compressed, which it is not."""
    _begin(handler, status, {**headers, "Content-Encoding": "gzip"}, len(content))
    handler.wfile.write(content)


def slowly(size: int, pause_s: float) -> Sent:
    """Send so many bytes of the body at a time."""

    def send(
        handler: BaseHTTPRequestHandler, status: int, headers: Headers, content: bytes
    ) -> None:
        _begin(handler, status, headers, len(content))
        for start in range(0, len(content), size):
            handler.wfile.write(content[start : start + size])
            handler.wfile.flush()
            if handler.server.hub.faults.ended.wait(pause_s):
                break
        _close(handler)

    return send


def endless_headers(
    handler: BaseHTTPRequestHandler, status: int, headers: Headers, content: bytes
) -> None:
    """Send a header, letter by letter, that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.hub.faults.ended.wait(0.05):
        handler.wfile.write(b"x")
        handler.wfile.flush()
