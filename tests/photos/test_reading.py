import struct

import cv2
import numpy as np
import pytest

from hmr.errors import UserError
from hmr.photos.reading import files_of, names_of, open_video, read_picture


@pytest.fixture
def scene() -> np.ndarray:
    """A picture that no turn or mirror leaves as it is: RGB, smooth, so that JPEG keeps it."""
    y, x = np.mgrid[:48, :80]
    return np.stack([3 * x, 5 * y, np.full_like(x, 60)], -1).astype(np.uint8)


def write(path, rgb):
    channels = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    cv2.imwrite(str(path), cv2.cvtColor(rgb, channels[rgb.shape[2]]) if rgb.ndim == 3 else rgb)
    return path


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The same JPEG with an EXIF segment that has the orientation alone."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize(("orientation", "turns", "mirror"), [(1, 0, 0), (2, 0, 1), (3, 2, 0), (6, 1, 0), (8, 3, 0)])
def test_exif_turns_come_out_upright(tmp_path, scene, orientation, turns, mirror):
    stored = np.rot90(scene, turns)  # anticlockwise: EXIF's turn undoes it
    stored = stored[:, ::-1] if mirror else stored
    path = write(tmp_path / "phone.jpg", np.ascontiguousarray(stored))
    path.write_bytes(with_orientation(path.read_bytes(), orientation))
    found = read_picture(path)
    assert found.shape == scene.shape
    assert np.abs(found.astype(int) - scene).mean() < 3


def test_grey_sixteen_bits_and_alpha_are_the_same_picture(tmp_path, scene):
    grey = scene[..., 0]
    np.testing.assert_array_equal(read_picture(write(tmp_path / "grey.png", grey)), np.repeat(grey[..., None], 3, -1))
    deep = write(tmp_path / "deep.png", scene.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_picture(deep), scene)
    opaque = np.dstack((scene, np.full(scene.shape[:2], 255, np.uint8)))
    np.testing.assert_array_equal(read_picture(write(tmp_path / "opaque.png", opaque)), scene)


def test_what_is_transparent_is_white(tmp_path, scene):
    alpha = np.zeros(scene.shape[:2], np.uint8)
    alpha[:, 40:] = 255
    alpha[0, 0] = 51
    found = read_picture(write(tmp_path / "cut-out.png", np.dstack((scene, alpha))))
    np.testing.assert_array_equal(found[:, 40:], scene[:, 40:])
    assert (found[1:, :40] == 255).all()
    np.testing.assert_allclose(found[0, 0], 0.2 * scene[0, 0] + 0.8 * 255, atol=1)


def test_a_picture_20000_wide_is_read_whole(tmp_path):
    wide = np.zeros((40, 20000), np.uint8)
    wide[:, 19999] = 200
    assert read_picture(write(tmp_path / "wide.png", wide))[0, -1].tolist() == [200, 200, 200]


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "notes.jpg").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    for name in ("notes.jpg", "empty.png"):
        with pytest.raises(UserError, match=name):
            read_picture(tmp_path / name)


@pytest.mark.parametrize("left", [0.5, 0.99])
def test_a_jpeg_that_is_cut_short_is_not_filled_with_grey(tmp_path, scene, left):
    path = write(tmp_path / "phone.jpg", scene)
    whole = with_orientation(path.read_bytes(), 1)
    path.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(UserError, match=r"phone\.jpg: expected a picture, found the beginning of one"):
        read_picture(path)


def test_folders_come_in_order_of_names_and_empty_ones_are_named(tmp_path):
    for name in ("b.PNG", "a.jpg", "notes.txt", "walk.mp4"):
        (tmp_path / name).touch()
    assert [path.name for path in files_of(tmp_path)] == ["a.jpg", "b.PNG", "walk.mp4"]
    (tmp_path / "empty").mkdir()
    for name in ("empty", "gone.jpg"):
        with pytest.raises(UserError, match=name):
            files_of(tmp_path / name)


def test_pictures_that_no_decoder_here_reads_are_named_and_not_passed_over(tmp_path):
    for name in ("IMG_1.HEIC", "b.heif", "._a.jpg", ".hidden.png"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    found = files_of(tmp_path)
    assert [path.name for path in found] == ["IMG_1.HEIC", "b.heif"]
    for path in found:
        with pytest.raises(UserError, match=rf"{path.name}: expected a picture, .*; convert it to JPEG") as caught:
            read_picture(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "off_by"),
    [
        ("progressive.jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], 3),
        ("lossless.webp", [cv2.IMWRITE_WEBP_QUALITY, 101], 0),
        ("lossy.webp", [], 4),
        ("plain.tif", [], 0),
        ("deflated.tiff", [cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_ADOBE_DEFLATE], 0),
        ("plain.bmp", [], 0),
    ],
)
def test_other_formats_are_the_same_picture(tmp_path, scene, name, options, off_by):
    cv2.imwrite(str(tmp_path / name), cv2.cvtColor(scene, cv2.COLOR_RGB2BGR), options)
    assert files_of(tmp_path) == [tmp_path / name]
    found = read_picture(tmp_path / name)
    assert found.shape == scene.shape and np.abs(found.astype(int) - scene).mean() <= off_by


def test_pictures_for_print_and_palettes_and_the_first_of_an_animation(tmp_path, scene):
    pil = pytest.importorskip("PIL.Image")
    image = pil.fromarray(scene)
    image.convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    image.convert("CMYK").save(tmp_path / "print.tif")
    image.quantize(256, kmeans=5).save(tmp_path / "palette.png")
    cut_out = image.quantize(256, kmeans=5)
    cut_out.save(tmp_path / "cut-out.png", transparency=int(np.asarray(cut_out)[0, 0]))
    image.save(tmp_path / "turning.webp", save_all=True, append_images=[image.rotate(180)], lossless=True)
    for name in ("print.jpg", "print.tif", "palette.png", "turning.webp"):
        assert np.abs(read_picture(tmp_path / name).astype(int) - scene).mean() < 4, name
    assert read_picture(tmp_path / "cut-out.png")[0, 0].tolist() == [255, 255, 255]


def test_no_two_files_write_to_one_name(tmp_path):
    paths = [tmp_path / name for name in ("a.jpg", "a.png", "x/a.jpg", "y/a.jpg", "y/a.jpg", "b.jpg")]
    names = names_of(paths)
    assert names[0] == "a" and names[-1] == "b"
    assert len(set(names)) == len(names) and not any("/" in name for name in names)


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "walk.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for level in range(0, 250, 25):
        video.write(np.full((48, 64, 3), level, np.uint8))
    video.release()
    return path


def test_a_video_gives_every_frame_each_time(film, capsys):
    video = open_video(film)
    assert (video.frames, video.rate_hz, video.size_px) == (10, 10, (48, 64))
    for _ in range(2):
        assert [round(frame.mean() / 25) for frame in video] == list(range(10))
    assert not capsys.readouterr().err


def test_a_video_that_breaks_off_is_used_so_far_and_told(film, capsys, monkeypatch):
    """The container promises ten frames, four decode."""
    four = [np.zeros((48, 64, 3), np.uint8)] * 4
    monkeypatch.setattr("hmr.photos.reading._frames", lambda path: iter(four))
    assert open_video(film).frames == len(four)
    (line,) = capsys.readouterr().err.splitlines()
    assert "walk.avi: breaks off after 4 of 10 frames" in line


def test_a_video_without_a_frame_is_named(tmp_path):
    (tmp_path / "walk.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"walk\.mp4"):
        open_video(tmp_path / "walk.mp4")
