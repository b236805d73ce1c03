"""A web page for one person at this machine: a picture in, bodies that turn in the browser out. Nothing is stored.

GET /            the page, and the few files it needs
POST /bodies     a picture's bytes; with ?box=x,y,width,height the person in that box, else whoever is found.
                 200: JSON {"overlay": JPEG, "meshes": [glTF binary, ...], "colours": [of each in the overlay],
                 "about": lines}, bytes as base64. 422: {"error": one line}

The server listens on the loopback address only. A page of another site that the same browser has open can reach that
address too: what does not come from this page, by name and origin, is refused.
"""

import json
import re
import threading
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import hmr.report
from hmr.errors import UserError

HOST = "127.0.0.1"
MOST_BYTES = 25_000_000
_PAGE = Path(__file__).parent / "page"
_REPORT = Path(hmr.report.__file__).parent  # whose viewer and viewer library this page has too
_FILES = {
    "/": (_PAGE / "index.html", "text/html; charset=utf-8"),
    "/page.css": (_PAGE / "page.css", "text/css; charset=utf-8"),
    "/page.js": (_PAGE / "page.js", "text/javascript; charset=utf-8"),
    "/turntable.js": (_REPORT / "templates/turntable.js", "text/javascript; charset=utf-8"),
    "/three.module.min.js": (_REPORT / "three/three.module.min.js", "text/javascript; charset=utf-8"),
    "/three.core.min.js": (_REPORT / "three/three.core.min.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_WAIT_S = 30  # for a browser that has connected and says nothing
_NUMBER = r"-?\d{1,7}(?:\.\d{1,6})?"

Box = tuple[float, float, float, float]
Recover = Callable[[bytes, Box | None], Mapping[str, Any]]


def make_server(recover: Recover, port: int) -> ThreadingHTTPServer:
    """A server that is not yet running; port 0 takes any that is free. UserError where the port is taken.

    recover: from a picture's bytes and perhaps a box to what is sent back. Called by one thread at a time.
    """
    busy = threading.Lock()

    def one_at_a_time(content: bytes, box: Box | None) -> Mapping[str, Any]:
        with busy:
            return recover(content, box)

    try:
        return ThreadingHTTPServer((HOST, port), type("Handler", (_Handler,), {"recover": staticmethod(one_at_a_time)}))
    except (OSError, OverflowError) as error:
        raise UserError(f"--port {port}: expected a free port, found none ({error}); name another, or 0") from None


class _Refused(Exception):
    """A request that is answered with a status and a line."""

    def __init__(self, status: HTTPStatus, line: str) -> None:
        super().__init__(line)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    recover: Recover
    timeout = _WAIT_S
    server_version, sys_version = "hmr", ""

    def do_GET(self) -> None:
        self._answer(self._page)

    def do_POST(self) -> None:
        self._answer(self._bodies)

    def _answer(self, work: Callable[[], None]) -> None:
        """Work for a caller of our own; what is refused is answered with its line, a fault told on stderr."""
        try:
            self._check_caller()
            work()
        except _Refused as refused:
            self._send_json(refused.status, {"error": str(refused)})
        except ConnectionError:
            pass  # the browser has gone
        except Exception:
            traceback.print_exc()
            self._send_json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "a fault of the program: see its terminal"})

    def _page(self) -> None:
        if (file := _FILES.get(urlsplit(self.path).path)) is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "no such page")
        self._send(HTTPStatus.OK, file[0].read_bytes(), file[1])

    def _bodies(self) -> None:
        address = urlsplit(self.path)
        if address.path != "/bodies":
            raise _Refused(HTTPStatus.NOT_FOUND, "no such page")
        box = _box(address.query)
        try:
            found = self.recover(self._content(), box)
        except UserError as error:
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        self._send_json(HTTPStatus.OK, found)

    def _check_caller(self) -> None:
        """Refuse what another site's page sent here, under its own name or under a name that leads here."""
        here = {f"{name}:{self.server.server_address[1]}" for name in (HOST, "localhost")}
        if self.headers.get("Host") not in here:
            raise _Refused(HTTPStatus.FORBIDDEN, f"ask for http://{HOST}")
        if (origin := self.headers.get("Origin")) and origin.removeprefix("http://") not in here:
            raise _Refused(HTTPStatus.FORBIDDEN, "another site's page may not ask")

    def _content(self) -> bytes:
        """The body of a request whose length is told and small enough."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"\d{1,12}", length):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "say how long the picture is")
        if int(length) > MOST_BYTES:
            most = f"a picture may have {MOST_BYTES // 1_000_000} MB, this has {int(length) / 1e6:.0f}; shrink it"
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, most)
        content = self.rfile.read(int(length))
        if len(content) < int(length):
            raise _Refused(HTTPStatus.BAD_REQUEST, "the picture broke off")
        return content

    def _send_json(self, status: HTTPStatus, value: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, media: str) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": media, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Nothing: who looked at which picture is nobody's business."""


def _box(query: str) -> Box | None:
    """The box of a request's query; None without one."""
    if not query:
        return None
    values = parse_qs(query).get("box", [""])
    if set(parse_qs(query)) != {"box"} or not re.fullmatch(rf"{_NUMBER}(,{_NUMBER}){{3}}", values[0], re.ASCII):
        raise _Refused(HTTPStatus.BAD_REQUEST, "expected ?box=x,y,width,height in pixels")
    x, y, width, height = map(float, values[0].split(","))
    return x, y, width, height
