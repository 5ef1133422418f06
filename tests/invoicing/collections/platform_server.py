"""A platform of the tests' own: a real HTTP server in a thread, which answers as it is told to."""

import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple


class Heard(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Server(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever hung up is no error here."""


class Answering(BaseHTTPRequestHandler):
    platform: "Platform"

    def do_POST(self) -> None:
        platform = self.platform
        body = self.rfile.read(int(self.headers["Content-Length"]))
        platform.heard.append(Heard(self.path, dict(self.headers), body))
        status = platform.answers.pop(0) if len(platform.answers) > 1 else platform.answers[0]
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", platform.url("elsewhere"))
        self.end_headers()
        if platform.drips:
            self.drip()
        else:
            self.wfile.write(b"x" * 200_000 if status == 200 else b"not today")

    def drip(self) -> None:
        with suppress(OSError):
            for _ in range(200):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()


class Platform:
    """Answers with the statuses in `answers`, one after the other, the last of them for ever."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: list[int] = [200]
        self.drips = False
        self.server = Server(("127.0.0.1", 0), type("Handler", (Answering,), {"platform": self}))
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def url(self, path: str = "hooks?from=billing") -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)
