import re
import subprocess
import sys
import time
from dataclasses import replace

import cv2
import h5py
import numpy as np
import pytest
from raw_files import PARAMS

from hmr.body.joints import COCOPLUS_19
from hmr.data.loader import Pool
from hmr.data.sample import Rejected, Sample
from hmr.data.store import open_store
from hmr.data.writing import join_stores, write_store
from hmr.errors import UserError
from hmr.geometry.affine import transform

ATTRIBUTES = {"dataset": "lsp", "split": "test", "source": "studio", "licence": "CC0-1.0", "raw_sha256": "0" * 64}


def image_of(seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)


def plain(k):
    """A sample with 2D labels only."""
    rng = np.random.default_rng(k)
    visible = rng.random(19) < 0.7
    visible[0] = True
    return Sample(
        sample_id=f"lsp/im{k:04d}",
        load_image=lambda: image_of(k),
        keypoints_2d_px=np.where(visible[:, None], rng.uniform(30, 90, (19, 2)), np.nan),
        visible=visible,
        center_px=np.array([60.0, 60.0]),
        person_px=70.0,
    )


def full(k):
    """A sample with everything."""
    rng = np.random.default_rng(k)
    return replace(
        plain(k),
        joints_3d_m=rng.normal(size=(14, 3)).astype(np.float32),
        joints_3d_native_m=rng.normal(size=(17, 3)).astype(np.float32),
        pose_axis_angle=rng.normal(size=(24, 3)).astype(np.float32),
        betas=rng.normal(size=10).astype(np.float32),
        focal_px=1145.0,
        principal_px=np.array([512.5, 515.25]),
        subject="S1",
        action="Greeting",
        trial=1,
        camera="54138969",
        frame=k,
        load_part_labels=lambda: (np.arange(120 * 160) % 7).astype(np.uint8).reshape(120, 160),
    )


def unreadable():
    raise UserError("im.jpg: expected a picture, found something else")


def broken(k):
    return replace(plain(k), load_image=unreadable)


def write(path, samples, part=False, **attributes):
    return write_store(path, iter(samples), attributes={**ATTRIBUTES, **attributes}, params=PARAMS, part=part)


def test_what_goes_in_comes_out(tmp_path):
    samples = [plain(0), full(1), plain(2), full(3)]
    names = [f"joint{k}" for k in range(17)]
    counts = write(tmp_path / "a.h5", samples, joint_names=names)
    assert (counts.kept, counts.bad.total()) == (4, 0)
    with open_store(tmp_path / "a.h5") as store:
        assert len(store) == 4
        assert store.attributes == {
            **ATTRIBUTES,
            "schema": 1,
            "crop_px": 64,
            "crop_reference_px": 320,
            "keypoint_names": list(COCOPLUS_19.joints),
            "joint_names": names,
        }
        assert store["sample_id"].tolist() == [s.sample_id for s in samples]
        for row, sample in enumerate(samples):
            back = transform(store["crop_to_image"][row], store["keypoints_2d_px"][row])
            np.testing.assert_allclose(back, sample.keypoints_2d_px, atol=1e-3)
            np.testing.assert_array_equal(store["visible"][row], sample.visible)
        for row in (1, 3):
            for name in ("joints_3d_m", "joints_3d_native_m", "pose_axis_angle", "betas"):
                np.testing.assert_array_equal(store[name][row], getattr(samples[row], name))
            for name in ("subject", "action", "camera", "trial", "frame", "focal_px"):
                assert store[name][row] == getattr(samples[row], name)
            np.testing.assert_array_equal(store["principal_px"][row], samples[row].principal_px)
            np.testing.assert_array_equal(store.part_labels(row), samples[row].load_part_labels())


def test_a_store_that_does_not_say_how_much_its_crops_hold_has_the_methods_320(tmp_path):
    write(tmp_path / "a.h5", [plain(0)])
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file.attrs["crop_reference_px"]
    with open_store(tmp_path / "a.h5") as store:
        assert store.crop_size == (64, 320)


def test_crops_that_hold_less_than_is_looked_at_are_one_line(tmp_path):
    write(tmp_path / "a.h5", [plain(0)])
    Pool([tmp_path / "a.h5"], reach_px=320)
    with pytest.raises(UserError, match=r"a\.h5: expected crops of at least 321 reference pixels.*found 320; raise"):
        Pool([tmp_path / "a.h5"], reach_px=321)


def test_what_is_missing_is_nan_with_its_flag_false(tmp_path):
    write(tmp_path / "a.h5", [plain(0), full(1)], joint_names=["a"] * 17)
    with open_store(tmp_path / "a.h5") as store:
        assert store["has_joints_3d"].tolist() == store["has_smpl"].tolist() == [False, True]
        for name in ("joints_3d_m", "joints_3d_native_m", "pose_axis_angle", "betas", "focal_px", "principal_px"):
            assert np.isnan(store[name][0]).all() and np.isfinite(store[name][1]).all()
            assert store[name].dtype == np.float32
        assert np.isnan(store["keypoints_2d_px"][~store["visible"]]).all()
        assert store["trial"][0] == -1 and store["subject"][0] == ""


def test_columns_that_no_sample_has_are_absent(tmp_path):
    write(tmp_path / "a.h5", [plain(0)])
    with open_store(tmp_path / "a.h5") as store:
        assert "part_labels_png" not in store and "joints_3d_native_m" not in store and "visible" in store
        with pytest.raises(UserError, match="part labels"):
            store.part_labels(0)


def test_columns_that_appear_late_are_filled_from_the_start(tmp_path):
    count = 300  # more than one chunk
    write(tmp_path / "a.h5", [*(plain(k) for k in range(count)), full(count)])
    with h5py.File(tmp_path / "a.h5") as file:
        assert {len(column) for name, column in file.items() if name != "quarantine"} == {count + 1}
    with open_store(tmp_path / "a.h5") as store:
        assert store.part_labels(count).shape == (120, 160)


def test_crops_are_the_pictures_in_any_order(tmp_path):
    write(tmp_path / "a.h5", [plain(k) for k in range(5)])
    with open_store(tmp_path / "a.h5") as store:
        for k in (3, 0, 4, 1, 2):
            affine = store["crop_to_image"][k]
            pixels = np.stack(np.meshgrid(range(64), range(64)), -1).reshape(-1, 2)
            x, y = transform(affine, pixels).astype(np.float32).T.reshape(2, 64, 64)
            expected = cv2.remap(image_of(k)[..., ::-1], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            assert store.images(k).dtype == np.uint8
            assert np.abs(store.images(k).astype(int) - expected).mean() < 4


def test_same_samples_same_bytes(tmp_path):
    def once(name):
        write(tmp_path / name, [*(full(k) for k in range(7)), broken(8)], joint_names=["a"] * 17)
        return (tmp_path / name).read_bytes()

    first = once("a.h5")
    time.sleep(1.1)  # HDF5's time stamps count seconds
    assert once("b.h5") == first


def test_broken_samples_are_listed_with_their_reasons(tmp_path):
    unlabelled = replace(plain(1), visible=np.zeros(19, bool))
    flat = replace(plain(2), person_px=0.0)
    parts = replace(plain(3), load_part_labels=lambda: np.zeros((5, 5), np.uint8))
    ids = replace(plain(4), load_part_labels=lambda: np.full((120, 160), 9, np.uint8))
    wild = replace(full(5), joints_3d_m=np.full((14, 3), np.inf))
    bad = [broken(0), unlabelled, flat, parts, ids, wild]
    small = Rejected("lsp/small", "mask of 60 px or less", bad=False)
    counts = write(tmp_path / "a.h5", [*bad, small, *(plain(k) for k in range(10, 40))])
    assert counts.bad.total() == 6 and counts.filtered == {"mask of 60 px or less": 1} and counts.kept == 30
    assert "30 kept, 7 left out" in counts.summary() and "unreadable file: 1" in counts.summary()
    with open_store(tmp_path / "a.h5") as store:
        listed = store.quarantine()
        assert [entry.sample_id for entry in listed] == [*(sample.sample_id for sample in bad), "lsp/small"]
        assert [entry.bad for entry in listed] == [True] * 6 + [False]
        assert "im.jpg" in listed[0].reason
        assert not set(store["sample_id"]) & {entry.sample_id for entry in listed}


@pytest.mark.parametrize("parts", [False, True])
def test_a_sample_that_comes_twice_is_kept_once_and_listed(tmp_path, parts):
    """In one pass and over parts; one that was left out the first time may be kept the second."""
    first, second = [broken(9), *map(plain, range(20))], [plain(3), plain(9), plain(20)]
    if parts:
        for name, samples in (("a", first), ("b", second)):
            write(tmp_path / f"{name}.part", samples, part=True)
        counts = join_stores(tmp_path / "s.h5", [tmp_path / "a.part", tmp_path / "b.part"], PARAMS)
    else:
        counts = write(tmp_path / "s.h5", [*first, *second])
    with open_store(tmp_path / "s.h5") as store:
        assert store["sample_id"].tolist() == [plain(k).sample_id for k in range(21)]
        twice = [entry.sample_id for entry in store.left_out() if "came before" in entry.reason]
    assert twice == [plain(3).sample_id, plain(9).sample_id]
    assert counts.kept + counts.bad.total() == len(first) + len(second)


def test_too_much_broken_data_stops_the_run_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.h5"
    write(path, [plain(0)])
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"at most 20% broken.* 30% \(unreadable file: 3\)"):
        write(path, [*(broken(k) for k in range(3)), *(plain(k) for k in range(7))])
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_what_the_methods_rules_leave_out_does_not_stop_the_run(tmp_path):
    left_out = [Rejected(f"lsp/{k}", "moved less than 200 mm", bad=False) for k in range(50)]
    assert write(tmp_path / "a.h5", [*left_out, plain(0)]).kept == 1


def test_nothing_to_keep_is_an_error(tmp_path):
    with pytest.raises(UserError, match="found none to keep"):
        write(tmp_path / "a.h5", [Rejected("lsp/1", "moved less than 200 mm", bad=False)])


def test_parts_joined_are_what_one_pass_writes(tmp_path):
    entries = [broken(k) if k % 50 == 7 else full(k) if k < 280 else plain(k) for k in range(300)]
    cuts = [entries[:270], entries[270:280], [broken(400)], [], entries[280:]]
    parts = [tmp_path / f"part{k}.h5" for k in range(len(cuts))]
    for path, part in zip(parts, cuts, strict=True):
        write(path, part, part=True, joint_names=["a"] * 17)
    at_once = write(tmp_path / "whole.h5", [*entries[:280], broken(400), *entries[280:]], joint_names=["a"] * 17)
    joined = join_stores(tmp_path / "joined.h5", parts, PARAMS)
    assert joined == at_once and joined.kept == 294
    with open_store(tmp_path / "joined.h5") as a, open_store(tmp_path / "whole.h5") as b:
        assert a.attributes == b.attributes and a.quarantine() == b.quarantine()
        pairs = list(zip(a.rows(), b.rows(), strict=True))
    assert len(pairs) == 294 and all(row.keys() == other.keys() for row, other in pairs)
    for row, other in pairs:
        for name in row:
            np.testing.assert_array_equal(row[name], other[name])


def test_whether_too_much_is_broken_is_asked_of_the_whole(tmp_path):
    parts = [tmp_path / "a.h5", tmp_path / "b.h5"]
    write(parts[0], [broken(0), broken(1)], part=True)
    write(parts[1], [plain(k) for k in range(20)], part=True)
    assert join_stores(tmp_path / "joined.h5", parts, PARAMS).bad.total() == 2
    with pytest.raises(UserError, match="at most 20% broken"):
        join_stores(tmp_path / "other.h5", [*[parts[0]] * 3, parts[1]], PARAMS)
    assert not (tmp_path / "other.h5").exists()


def test_parts_of_different_stores_are_not_joined(tmp_path):
    write(tmp_path / "a.h5", [plain(0)], part=True)
    write(tmp_path / "b.h5", [plain(1)], part=True, raw_sha256="1" * 64)
    with pytest.raises(UserError, match=r"b.h5: expected a part of the same store as .*a.h5, found another raw_sha256"):
        join_stores(tmp_path / "joined.h5", [tmp_path / "a.h5", tmp_path / "b.h5"], PARAMS)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_a_file_cut_short_is_the_users_mistake(tmp_path, keep):
    path = tmp_path / "a.h5"
    write(path, [plain(k) for k in range(5)])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(UserError, match="found a broken file") as caught:
        open_store(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mark", [b"GCOL", b"EAHD", b"EAIB", b"OHDR"])
def test_a_file_that_is_spoilt_within_is_the_users_mistake_wherever_that_is_found(tmp_path, mark):
    """HDF5 finds out when it comes to a spoilt part, which these marks begin: text and pictures, columns, headers."""
    path = tmp_path / "a.h5"
    write(path, [broken(9), *(full(k) for k in range(4))], joint_names=["a"] * 17)
    data, said = path.read_bytes(), []
    for found in re.finditer(mark, data):
        path.write_bytes(data[: found.start()] + b"NONE" + data[found.end() :])
        for read in (
            lambda s: s.images(1),
            lambda s: s.part_labels(1),
            lambda s: s.quarantine(),
            lambda s: list(s.rows()),
        ):
            try:
                with open_store(path) as store:
                    read(store)
            except UserError as error:
                said.append(str(error))
    assert said and all("a.h5: expected a normalized HDF5 data set, found a broken file (" in line for line in said)
    assert not any("\n" in line for line in said)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="found nothing there"):
        open_store(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(UserError, match="broken file"):
        open_store(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    with pytest.raises(UserError, match="another HDF5 file"):
        open_store(tmp_path / "other.h5")
    write(tmp_path / "old.h5", [plain(0)])
    with h5py.File(tmp_path / "old.h5", "a") as file:
        file.attrs["schema"] = 0
    with pytest.raises(UserError, match="expected schema 1, found 0"):
        open_store(tmp_path / "old.h5")


def test_several_processes_read_one_store(tmp_path):
    write(tmp_path / "a.h5", [plain(0)])
    code = f"from hmr.data.store import open_store\nprint(len(open_store({str(tmp_path / 'a.h5')!r})))"
    with open_store(tmp_path / "a.h5"):
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"1"
