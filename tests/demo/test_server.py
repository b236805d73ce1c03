"""The page's server: what it serves, what it refuses, and that it keeps nothing. What is recovered is made up here."""

import http.client
import json
import re
import threading
from pathlib import Path

import pytest

from hmr.demo.server import HOST, MOST_BYTES, make_server
from hmr.errors import UserError


class Recovered:
    """Remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, content, box):
        self.asked.append((content, box))
        if content == b"nobody":
            raise UserError("nobody was found")
        if content == b"fault":
            raise ZeroDivisionError
        return {"meshes": [len(content)]}


@pytest.fixture
def recovered():
    return Recovered()


@pytest.fixture
def port(recovered):
    server = make_server(recovered, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def ask(port, method, path, content=None, **headers):
    """Status, headers and content of one answer; `_` in a header's name stands for `-`."""
    connection = http.client.HTTPConnection(HOST, port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, content, named)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_only_this_machine_can_reach_it(recovered):
    server = make_server(recovered, 0)
    assert server.socket.getsockname()[0] == "127.0.0.1"
    server.server_close()


def test_every_file_that_the_page_names_is_served_and_nothing_else(port):
    status, headers, page = ask(port, "GET", "/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in headers["Content-Security-Policy"] and headers["Cache-Control"] == "no-store"
    for name in ("page.css", "page.js"):
        assert name in page.decode() and ask(port, "GET", f"/{name}")[0] == 200
    for name in ("page.js", "turntable.js"):
        for needed in re.findall(r'from "\./([^"]+)"', ask(port, "GET", f"/{name}")[2].decode()):
            assert ask(port, "GET", f"/{needed}")[0] == 200
    script = ask(port, "GET", "/three.module.min.js")[2]
    assert b"./three.core.min.js" in script and ask(port, "GET", "/three.core.min.js")[0] == 200
    for path in ("/server.py", "/page.css/../../server.py", "/../server.py", "//etc/passwd", "/bodies"):
        assert ask(port, "GET", path)[0] == 404


def test_the_page_asks_no_other_machine():
    for file in (Path(__file__).parents[2] / "hmr/demo/page").iterdir():
        assert "//" not in file.read_text().replace("// ", "")


def test_a_picture_and_a_box_reach_the_network_and_its_answer_the_page(port, recovered):
    status, headers, content = ask(port, "POST", "/bodies", b"picture")
    assert (status, headers["Content-Type"], json.loads(content)) == (200, "application/json", {"meshes": [7]})
    assert ask(port, "POST", "/bodies?box=1.5,-2,30,40", b"picture")[0] == 200
    assert recovered.asked == [(b"picture", None), (b"picture", (1.5, -2.0, 30.0, 40.0))]


@pytest.mark.parametrize(
    "query", ["?box=1,2,3", "?box=1,2,3,nan", "?box=1,2,3,1e999", "?box=", "?x=1", "?box=1,2,3,4,5"]
)
def test_a_box_of_another_form_is_refused(port, recovered, query):
    status, _, content = ask(port, "POST", f"/bodies{query}", b"picture")
    assert status == 400 and "box" in json.loads(content)["error"] and not recovered.asked


def test_a_users_mistake_is_one_line_and_the_server_goes_on(port):
    status, _, content = ask(port, "POST", "/bodies", b"nobody")
    assert status == 422 and json.loads(content) == {"error": "nobody was found"}
    assert ask(port, "POST", "/bodies", b"picture")[0] == 200


def test_a_fault_is_told_apart_without_its_inside_and_the_server_goes_on(port, capfd):
    status, _, content = ask(port, "POST", "/bodies", b"fault")
    assert status == 500 and b"ZeroDivision" not in content
    assert ask(port, "POST", "/bodies", b"picture")[0] == 200
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_what_is_too_large_or_has_no_length_is_refused_unread(port, recovered):
    assert ask(port, "POST", "/bodies", Content_Length=str(MOST_BYTES + 1))[0] == 413
    for length in ("-1", "many", ""):
        assert ask(port, "POST", "/bodies", Content_Length=length)[0] == 411
    assert not recovered.asked


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),  # a name that was made to lead to this machine
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
    ],
)
def test_another_sites_page_is_refused(port, recovered, headers, status):
    assert ask(port, "POST", "/bodies", b"picture", **headers)[0] == status
    assert ask(port, "GET", "/", **headers)[0] == status
    assert not recovered.asked


@pytest.mark.parametrize("name", [HOST, "localhost"])
def test_the_page_itself_is_not(port, name):
    here = f"{name}:{port}"
    assert ask(port, "POST", "/bodies", b"picture", Host=here, Origin=f"http://{here}")[0] == 200


def test_a_port_that_is_taken_or_impossible_is_named(port, recovered):
    for wrong in (port, 70_000):
        with pytest.raises(UserError, match=f"--port {wrong}"):
            make_server(recovered, wrong)
