import time

import h5py
import numpy as np
import pytest

from hmr.errors import UserError
from hmr.evaluation.predictions import read_predictions, write_predictions

IDS = np.array([f"lsp/im{k:04d}" for k in range(7)])


def columns_of(ids=IDS, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "sample_id": ids,
        "joints_3d_m": rng.normal(size=(len(ids), 14, 3)).astype(np.float32),
        "betas": rng.normal(size=(len(ids), 10)).astype(np.float32),
        "part_labels_png": [rng.integers(0, 256, 5, dtype=np.uint8) for _ in ids],
    }


def test_what_goes_in_comes_out(tmp_path):
    columns = columns_of()
    write_predictions(tmp_path / "p.h5", columns, {"dataset": "lsp", "seconds_per_image": 0.25})
    read = read_predictions(
        tmp_path / "p.h5",
        sample_ids=IDS,
        needed=["joints_3d_m", "part_labels_png"],
        optional=["betas", "camera"],
    )
    np.testing.assert_array_equal(read["joints_3d_m"], columns["joints_3d_m"])
    np.testing.assert_array_equal(read["betas"], columns["betas"])
    for row, png in enumerate(columns["part_labels_png"]):
        np.testing.assert_array_equal(read["part_labels_png"][row], png)
    assert "camera" not in read
    assert read.attributes == {"dataset": "lsp", "seconds_per_image": 0.25, "schema": 1}


def test_order_is_free(tmp_path):
    columns, order = columns_of(), np.random.default_rng(1).permutation(len(IDS))
    shuffled = {name: [values[k] for k in order] for name, values in columns.items()}
    write_predictions(tmp_path / "p.h5", shuffled, {})
    read = read_predictions(tmp_path / "p.h5", sample_ids=IDS, needed=["joints_3d_m", "part_labels_png"])
    np.testing.assert_array_equal(read["joints_3d_m"], columns["joints_3d_m"])
    np.testing.assert_array_equal(read["part_labels_png"][3], columns["part_labels_png"][3])


def test_same_values_same_bytes(tmp_path):
    write_predictions(tmp_path / "a.h5", columns_of(), {"dataset": "lsp"})
    time.sleep(1.1)  # HDF5's time stamps count seconds
    write_predictions(tmp_path / "b.h5", columns_of(), {"dataset": "lsp"})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (IDS[:-1], "1 of them missing, such as lsp/im0006"),
        ([*IDS[:-1], IDS[0]], "found lsp/im0000 twice"),
        ([*IDS, "lsp/im9999"], "found 1 others as well, such as lsp/im9999"),
        ([f"coco/{k}" for k in range(7)], "7 of them missing"),
    ],
)
def test_samples_must_be_the_labels(tmp_path, ids, message):
    write_predictions(tmp_path / "p.h5", columns_of(np.array(ids)), {})
    with pytest.raises(UserError, match=message):
        read_predictions(tmp_path / "p.h5", sample_ids=IDS, needed=["joints_3d_m"])


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_file_cut_short_is_the_users_mistake(tmp_path, keep):
    path = tmp_path / "p.h5"
    write_predictions(path, columns_of(), {})
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(UserError, match="broken file") as caught:
        read_predictions(path, sample_ids=IDS)
    assert "\n" not in str(caught.value)


def refused(path, message, **wanted):
    with pytest.raises(UserError, match=message):
        read_predictions(path, sample_ids=IDS, **wanted)


def test_other_files_are_refused(tmp_path):
    refused(tmp_path / "none.h5", "found nothing there")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    refused(tmp_path / "other.h5", "another file")
    write_predictions(tmp_path / "p.h5", columns_of(), {})
    refused(tmp_path / "p.h5", "a column keypoints_2d_px, found none", needed=["keypoints_2d_px"])
    with h5py.File(tmp_path / "p.h5", "a") as file:
        file.attrs["schema"] = 7
    refused(tmp_path / "p.h5", "expected schema 1, found 7")


def test_other_shapes_and_broken_numbers_are_refused(tmp_path):
    columns = columns_of()
    write_predictions(tmp_path / "a.h5", columns | {"joints_3d_m": np.zeros((7, 17, 3))}, {})
    refused(tmp_path / "a.h5", "joints_3d_m: expected shape 7 x 14 x 3", needed=["joints_3d_m"])
    columns["joints_3d_m"][4, 2, 0] = np.nan
    write_predictions(tmp_path / "b.h5", columns, {})
    refused(tmp_path / "b.h5", "1 samples without, the first lsp/im0004", needed=["joints_3d_m"])


@pytest.mark.parametrize("factor", [100, 1000])
def test_millimetres_for_metres_are_refused_by_name(tmp_path, factor):
    columns = columns_of()
    columns["joints_3d_m"] = columns["joints_3d_m"] * factor
    write_predictions(tmp_path / "p.h5", columns, {})
    refused(tmp_path / "p.h5", "joints_3d_m: expected metres, found bodies .* across", needed=["joints_3d_m"])


def test_far_away_is_not_large(tmp_path):
    columns = columns_of()
    columns["joints_3d_m"] = columns["joints_3d_m"] + np.float32(4000)
    write_predictions(tmp_path / "p.h5", columns, {})
    read_predictions(tmp_path / "p.h5", sample_ids=IDS, needed=["joints_3d_m"])


def without(file, name):
    del file[name]
    return file


TEXT = h5py.string_dtype()
SPOILT = {
    "ids in a table": (
        lambda file: without(file, "sample_id").create_dataset("sample_id", data=[list(IDS)], dtype=TEXT),
        "text sample_id",
    ),
    "one text for ids": (
        lambda file: without(file, "sample_id").create_dataset("sample_id", data="all of them", dtype=TEXT),
        "text sample_id",
    ),
    "no ids": (
        lambda file: without(file, "sample_id").create_dataset("sample_id", data=h5py.Empty(TEXT)),
        "text sample_id",
    ),
    "ids as numbers": (
        lambda file: without(file, "sample_id").create_dataset("sample_id", data=np.arange(7)),
        "text sample_id",
    ),
    "a link that leads nowhere": (
        lambda file: without(file, "joints_3d_m").__setitem__("joints_3d_m", h5py.SoftLink("/nowhere")),
        "broken file",
    ),
    "a folder for a column": (lambda file: without(file, "joints_3d_m").create_group("joints_3d_m"), "found None"),
    "axes exchanged": (
        lambda file: without(file, "joints_3d_m").create_dataset("joints_3d_m", data=np.zeros((7, 3, 14))),
        "expected shape 7 x 14 x 3, found .7, 3, 14.",
    ),
    "words for numbers": (
        lambda file: without(file, "joints_3d_m").create_dataset("joints_3d_m", data=np.full((7, 14, 3), b"x")),
        "expected numbers",
    ),
    "two schemas": (lambda file: file.attrs.__setitem__("schema", [1, 2]), "expected schema 1, found .1, 2."),
    "a time that is none": (
        lambda file: file.attrs.__setitem__("seconds_per_image", np.nan),
        "seconds_per_image as a number",
    ),
    "a time in words": (
        lambda file: file.attrs.__setitem__("seconds_per_image", "fast"),
        "seconds_per_image as a number",
    ),
    "a device that is none": (lambda file: file.attrs.__setitem__("device", h5py.Empty("f4")), "device as text"),
    "a normalized set": (lambda file: file.create_dataset("crop_to_image", data=np.zeros((7, 2, 3))), "another file"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_spoilt_file_is_refused_in_one_line_with_its_name(tmp_path, kind):
    spoil, message = SPOILT[kind]
    path = tmp_path / "p.h5"
    write_predictions(path, columns_of(), {})
    with h5py.File(path, "a") as file:
        spoil(file)
    with pytest.raises(UserError, match=message) as caught:
        read_predictions(path, sample_ids=IDS, needed=["joints_3d_m"])
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_ids_may_be_bytes_and_columns_of_any_precision(tmp_path):
    path, columns = tmp_path / "p.h5", columns_of()
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = [1]
        file["sample_id"] = IDS.astype("S14")
        file["joints_3d_m"] = columns["joints_3d_m"].astype(">f8")
        file["mine"] = np.arange(3)  # what nobody asks for does not matter
    read = read_predictions(path, sample_ids=IDS, needed=["joints_3d_m"])
    np.testing.assert_array_equal(read["joints_3d_m"], columns["joints_3d_m"])
