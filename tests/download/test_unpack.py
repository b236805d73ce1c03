"""Archives unpacked without trust: wanted files alone, nothing outside, no links, no more than expected."""

import gzip
import io
import random
import re
import tarfile
import zipfile

import pytest
from download.test_official import FILES, archive_at, zip_of

from hmr.download import unpack
from hmr.errors import UserError


def symlink(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


def test_only_wanted_files_are_unpacked(tmp_path):
    zip_of(tmp_path / "a.zip", {**FILES, "__MACOSX/images/._im00001.jpg": b"", "../evil.txt": b"", "/etc/evil": b""})
    assert unpack.unpack(tmp_path / "a.zip", archive_at("u"), tmp_path / "raw") == 2
    names = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {"a.zip", "raw/images/im00001.jpg", "raw/joints.mat"}
    assert (tmp_path / "raw/joints.mat").read_bytes() == b"labels"


def test_tar_files_are_unpacked(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as file:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    assert unpack.unpack(tmp_path / "a.tar.gz", archive_at("u"), tmp_path / "raw") == 2
    assert (tmp_path / "raw/images/im00001.jpg").read_bytes() == FILES["top/images/im00001.jpg"]


@pytest.mark.parametrize(
    "files, message",
    [
        ({**FILES, "../../joints.mat": b"evil"}, "inside it"),
        ({**FILES, symlink("images/im00002.jpg"): b"/etc/passwd"}, "inside it"),
        ({**FILES, "images/im00002.jpg": bytes(10**6 + 1)}, "more than its limit"),
        ({"top/joints.mat": b"labels"}, r"expected files like .*images"),
    ],
)
def test_an_archive_that_is_not_the_owners_is_refused(tmp_path, files, message):
    zip_of(tmp_path / "a.zip", files)
    with pytest.raises(UserError, match=message):
        unpack.unpack(tmp_path / "a.zip", archive_at("u"), tmp_path / "deep" / "raw")
    assert not (tmp_path / "joints.mat").exists()


def test_links_in_tar_files_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        info = tarfile.TarInfo("joints.mat")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(info)
    with pytest.raises(UserError, match="inside it"):
        unpack.unpack(tmp_path / "a.tar", archive_at("u"), tmp_path / "raw")


@pytest.mark.parametrize("name", ["joints.mat", "nobody_wants_this.bin"])
def test_a_tar_file_that_unpacks_to_more_than_its_limit_is_given_up_at_once(tmp_path, name):
    claimed = tarfile.TarInfo(name)
    claimed.size = 10**12  # what is read must be no more than this header
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(claimed.tobuf() + bytes(10**5)))
    with pytest.raises(UserError, match="found more than its limit"):
        unpack.unpack(tmp_path / "a.tar.gz", archive_at("u"), tmp_path / "raw")
    assert not list((tmp_path / "raw").iterdir())


def test_an_archive_with_a_password_is_refused(tmp_path):
    zip_of(tmp_path / "a.zip", FILES)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    for mark, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        for found in re.finditer(re.escape(mark), bytes(data)):
            data[found.start() + flags] |= 1
    (tmp_path / "a.zip").write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"found a broken one \(.*password"):
        unpack.unpack(tmp_path / "a.zip", archive_at("u"), tmp_path / "raw")


@pytest.mark.parametrize("content", [b"", b"hello", b"<html>not found</html>" * 99])
def test_a_page_in_place_of_an_archive_is_the_users_to_mend(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(UserError, match="found a broken one"):
        unpack.unpack(tmp_path / "a.zip", archive_at("u"), tmp_path / "raw")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("at", [20, 35])
def test_a_zip_with_flipped_bits_is_broken(tmp_path, method, at):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as file:
        file.writestr("joints.mat", random.Random(0).randbytes(600))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[30 + len("joints.mat") + at] ^= 0xFF  # behind the member's header
    (tmp_path / "a.zip").write_bytes(bytes(data))
    with pytest.raises(UserError, match="broken"):
        unpack.unpack(tmp_path / "a.zip", archive_at("u"), tmp_path / "raw")
