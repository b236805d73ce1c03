"""Official archives from a server in the test: fetched, resumed and held to a checksum."""

import gzip
import http.server
import json
import re
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest
import requests
import yaml

from hmr.__main__ import main
from hmr.download import fetch, gated, sources
from hmr.download.sources import Archive
from hmr.errors import UserError
from hmr.files import sha256_file

PRESET = Path(__file__).parents[2] / "hmr" / "presets" / "open.yaml"
TAKE = {r"(images/im\d{5}\.jpg)": r"\1", r"(joints\.mat)": r"\1"}
FILES = {"top/images/im00001.jpg": b"one" * 9999, "top/joints.mat": b"labels", "top/README.txt": b"read"}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder with ranges; cuts the first answers short as told."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        state = self.server.state
        state["asked"].append(self.headers.get("Range"))
        if state["statuses"]:
            self.send_error(state["statuses"].pop(0))
            return
        path = Path(self.directory) / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data, header = path.read_bytes(), self.headers.get("Range")
        start = int(header.removeprefix("bytes=").rstrip("-")) if header and state["ranges"] else 0
        if start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start + state['shift']}-{len(data) - 1}/{len(data)}")
        if state["encoded"] or "gzip" in self.headers.get("Accept-Encoding", ""):
            data = data if state["encoded"] else gzip.compress(data)
            self.send_header("Content-Encoding", "x-gzip")
        self.send_header("Content-Length", str(len(data) - start + state["longer"]))
        self.end_headers()
        cut = state["cuts"].pop(0) if state["cuts"] else len(data)
        self.wfile.write(data[start : start + cut])


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch.time, "sleep", lambda _: None)
    monkeypatch.setattr(fetch, "_BLOCK_BYTES", 10)
    (tmp_path / "served").mkdir()
    handler = partial(Handler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.state = {"asked": [], "cuts": [], "ranges": True, "statuses": [], "shift": 0, "longer": 0}
        running.state |= {"encoded": False}
        threading.Thread(target=running.serve_forever, daemon=True).start()
        running.url = f"http://127.0.0.1:{running.server_port}/set.zip"
        running.file = tmp_path / "served" / "set.zip"
        zip_of(running.file, FILES)
        yield running
        running.shutdown()


def zip_of(path, files):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(zipfile.ZipInfo(name) if isinstance(name, str) else name, content)


def archive_at(*urls, **changes):
    return Archive(urls=urls, take=TAKE, limit_bytes=10**6, **changes)


def fetched(server, tmp_path, **changes):
    return fetch.fetch(archive_at(server.url, **changes), tmp_path / "kept", tmp_path / "checksums.json")


def test_a_broken_connection_goes_on_where_it_was(server, tmp_path):
    server.state["cuts"] = [100, 50]
    path, _, sha256 = fetched(server, tmp_path)
    assert server.state["asked"] == [None, "bytes=100-", "bytes=150-"]
    assert path.read_bytes() == server.file.read_bytes() and sha256 == sha256_file(server.file)
    assert [p.name for p in (tmp_path / "kept").iterdir()] == [path.name]


def test_an_archive_that_its_server_calls_encoded_is_taken_as_it_lies_there(server, tmp_path):
    content = gzip.compress(server.file.read_bytes())
    server.file.write_bytes(content)
    server.state |= {"encoded": True, "cuts": [100]}
    assert fetched(server, tmp_path)[0].read_bytes() == content


def test_a_server_without_ranges_begins_again(server, tmp_path):
    server.state |= {"cuts": [100], "ranges": False}
    assert fetched(server, tmp_path)[0].read_bytes() == server.file.read_bytes()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(server, tmp_path, status):
    server.state["statuses"] = [status] * 2
    assert fetched(server, tmp_path)[0].read_bytes() == server.file.read_bytes()
    assert len(server.state["asked"]) == 3


def test_a_server_in_trouble_for_good_is_said(server, tmp_path):
    server.state["statuses"] = [500] * fetch.ATTEMPTS
    with pytest.raises(UserError, match="answered 500") as caught:
        fetched(server, tmp_path)
    assert "\n" not in str(caught.value) and len(server.state["asked"]) == fetch.ATTEMPTS


def test_what_is_not_there_is_asked_for_once(server, tmp_path):
    server.file.unlink()
    with pytest.raises(UserError, match="answered 404"):
        fetched(server, tmp_path)
    assert len(server.state["asked"]) == 1


def test_a_length_that_never_comes_is_no_file(server, tmp_path):
    server.state["longer"] = 7
    with pytest.raises(UserError, match="broke off") as caught:
        fetched(server, tmp_path)
    assert "\n" not in str(caught.value) and not (tmp_path / "checksums.json").exists()
    assert not list((tmp_path / "kept").glob("*.zip"))


def test_another_range_than_the_one_asked_for_begins_again(server, tmp_path):
    server.state |= {"cuts": [100], "shift": 5}
    assert fetched(server, tmp_path)[0].read_bytes() == server.file.read_bytes()
    assert server.state["asked"] == [None, "bytes=100-", None]


def test_a_later_run_goes_on_where_an_earlier_gave_up(server, tmp_path):
    server.state["cuts"] = [10] * fetch.ATTEMPTS
    with pytest.raises(UserError, match="broke off"):
        fetched(server, tmp_path)
    assert fetched(server, tmp_path)[0].read_bytes() == server.file.read_bytes()
    assert server.state["asked"][-1] == f"bytes={10 * fetch.ATTEMPTS}-"


def test_a_checksum_that_is_remembered_holds(server, tmp_path):
    path, url, sha256 = fetched(server, tmp_path)
    assert not (tmp_path / "checksums.json").exists()
    fetch.remember(url, sha256, tmp_path / "checksums.json")
    assert json.loads((tmp_path / "checksums.json").read_text()) == {url: sha256}
    path.unlink()
    zip_of(server.file, {**FILES, "top/joints.mat": b"others"})
    with pytest.raises(UserError, match="expected SHA-256"):
        fetched(server, tmp_path)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_pinned_checksum_holds(server, tmp_path):
    with pytest.raises(UserError, match=f"expected SHA-256 {'0' * 64}, .* in hmr/download/sources.py"):
        fetched(server, tmp_path, sha256="0" * 64)
    assert list((tmp_path / "kept").iterdir()) == []
    assert fetched(server, tmp_path, sha256=sha256_file(server.file))[0].is_file()
    assert not (tmp_path / "checksums.json").exists()


def test_pins_are_sha256_of_different_files():
    archives = [archive for each in sources.SOURCES.values() for archive in each]
    pins = [archive.sha256 for archive in archives if archive.sha256]
    assert len(set(pins)) == len(pins) and all(re.fullmatch("[0-9a-f]{64}", pin) for pin in pins)
    # One SHA-256 is of one file; a copy of a whole repository is packed anew by its host.
    assert not [archive for archive in archives if archive.sha256 and any("/archive/" in url for url in archive.urls)]


def test_an_archive_that_was_brought_is_not_fetched(server, tmp_path):
    kept = tmp_path / "kept" / fetch.name_of(server.url)
    kept.parent.mkdir()
    kept.write_bytes(server.file.read_bytes())
    assert fetched(server, tmp_path)[0] == kept and not server.state["asked"]


def test_mirrors_are_tried_in_turn(server, tmp_path):
    missing = server.url.replace("set.zip", "none.zip")
    archive = archive_at(missing, server.url)
    assert fetch.fetch(archive, tmp_path / "kept", tmp_path / "c.json")[1] == server.url
    with pytest.raises(UserError, match="answered 404"):
        fetch.fetch(archive_at(missing), tmp_path / "kept2", tmp_path / "c.json")


def test_a_full_disk_is_said_before_it_is_full(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "_SPARE_BYTES", 10**18)
    with pytest.raises(UserError, match="GB free"):
        fetched(server, tmp_path)


@pytest.mark.parametrize(
    "dataset, member, place",
    [
        ("lsp", "lsp_dataset/images/im0001.jpg", "images/im0001.jpg"),
        ("lsp", "upi-s1h/data/lsp/im1001_part_segmentation.png", "upi-s1h/data/lsp/im1001_part_segmentation.png"),
        ("lsp_extended", "lsp-5e07/images/im10000.jpg", "images/im10000.jpg"),
        ("mpii", "images/015601864.jpg", "images/015601864.jpg"),
        ("mpii", "u12_2/mpii_human_pose_v1_u12_1.mat", "annotations/mpii_human_pose_v1_u12_1.mat"),
        ("coco", "train2014/COCO_train2014_000000000009.jpg", "images/train2014/COCO_train2014_000000000009.jpg"),
        ("coco", "annotations/person_keypoints_train2014.json", "annotations/person_keypoints_train2014.json"),
        ("coco", "annotations/person_keypoints_val2014.json", None),
        ("lsp", "visualized/im0001.jpg", None),
    ],
)
def test_known_archives_fill_the_readers_layout(dataset, member, place):
    found = [rule for archive in sources.SOURCES[dataset] if (rule := archive.place(member))]
    assert [target.as_posix() for _, target in found] == ([place] if place else [])


# The command


@pytest.fixture
def official(tmp_path):
    content = yaml.safe_load(PRESET.read_text())
    content["download"]["source"] = "official"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "params.yaml"


def download(dataset, raw, params, *more):
    return main(["download", dataset, "--raw", str(raw), "--params", str(params), *more])


def test_an_open_set_from_end_to_end(server, tmp_path, official, monkeypatch):
    monkeypatch.setitem(sources.SOURCES, "lsp_extended", (archive_at(server.url),))
    raw = tmp_path / "data" / "lsp_extended"
    for _ in range(2):  # a folder that it made may be replaced
        assert download("lsp_extended", raw, official) == 0
    manifest = json.loads((raw / "manifest.json").read_text())
    assert (manifest["source"], manifest["dataset"]) == ("official", "lsp_extended")
    assert manifest["archives"] == {server.url: sha256_file(server.file)}
    assert {"images/im00001.jpg", "joints.mat"} <= manifest["files"].keys()
    assert sorted(p.name for p in raw.parent.iterdir()) == ["checksums.json", "lsp_extended"]


def test_what_was_sent_in_place_of_an_archive_is_not_remembered(server, tmp_path, official, monkeypatch, capsys):
    monkeypatch.setitem(sources.SOURCES, "lsp_extended", (archive_at(server.url),))
    raw, archive = tmp_path / "data/lsp_extended", server.file.read_bytes()
    server.file.write_bytes(b"<html>please log in</html>")
    assert download("lsp_extended", raw, official) == 2
    assert "found a broken one" in capsys.readouterr().err and not (raw.parent / "checksums.json").exists()
    server.file.write_bytes(archive)
    next((raw.parent / ".lsp_extended.archives").iterdir()).unlink()  # as the line says
    assert download("lsp_extended", raw, official) == 0
    assert json.loads((raw.parent / "checksums.json").read_text()) == {server.url: sha256_file(server.file)}


def test_a_certificate_that_nobody_signed_is_said(server, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise requests.exceptions.SSLError("certificate verify failed: self-signed certificate")

    monkeypatch.setattr(fetch.requests, "get", refused)
    with pytest.raises(UserError, match="its certificate is not to be trusted"):
        fetched(server, tmp_path)


def test_without_a_network_there_is_one_line_and_a_way_out(tmp_path, official, monkeypatch, capsys):
    monkeypatch.setattr(fetch.time, "sleep", lambda _: None)
    monkeypatch.setitem(sources.SOURCES, "coco", (archive_at("http://127.0.0.1:9/train2014.zip"),))
    assert download("coco", tmp_path / "raw", official) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("hmr download: http://127.0.0.1:9/train2014.zip (host unreachable)")
    assert "put it at" in lines[-1] and not (tmp_path / "raw").exists()


def test_data_that_somebody_brought_is_not_replaced(tmp_path, official, capsys):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "mine.jpg").write_bytes(b"mine")
    assert download("coco", tmp_path / "raw", official) == 2
    assert "your own" in capsys.readouterr().err and (tmp_path / "raw" / "mine.jpg").exists()


def fill(raw, dataset):
    while missing := gated.still_missing(raw, dataset):
        for name in missing:
            path = raw / name.replace("*", "x").split(",")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir() if name.endswith("/") else path.write_bytes(b"x")


@pytest.mark.parametrize("dataset", ["human36m", "mpi_inf_3dhp"])
def test_gated_sets_are_asked_for_and_then_checked(tmp_path, official, capsys, dataset):
    raw = tmp_path / "raw"
    assert download(dataset, raw, official) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and "register at http" in error and "S1/" in error
    fill(raw, dataset)
    gone = next(path for path in sorted(raw.rglob("*"), reverse=True) if path.is_file())
    gone.unlink()
    assert download(dataset, raw, official) == 2
    assert gone.parent.relative_to(raw).as_posix() in capsys.readouterr().err
    gone.write_bytes(b"x")
    assert download(dataset, raw, official) == 0
    assert json.loads((raw / "manifest.json").read_text())["source"] == "official"


def test_archives_that_nobody_unpacked_are_pointed_out(tmp_path, official, capsys):
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("Videos_S1.tgz", "Poses_D2_Positions_S1.tgz"):
        (raw / name).write_bytes(b"x")
    assert download("human36m", raw, official) == 2
    error = capsys.readouterr().err.strip()
    assert "(unpack Poses_D2_Positions_S1.tgz, Videos_S1.tgz there)" in error and "\n" not in error


def test_motion_capture_is_asked_for_and_then_taken(tmp_path, official, capsys):
    raw = tmp_path / "raw"
    assert download("mocap", raw, official) == 2
    assert "amass.is.tue.mpg.de" in capsys.readouterr().err
    (raw / "CMU").mkdir(parents=True)
    (raw / "CMU" / "walk_poses.npz").write_bytes(b"x")
    assert download("mocap", raw, official) == 0
