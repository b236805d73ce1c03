"""SPIN's filters beside the method's own: who is kept, that nobody goes uncounted, and what other sets do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from data.test_readers import coco_person, flagged, mpii_person, points_of, write_coco, write_lsp, write_mpii
from data.test_readers_3d import write_human36m, write_mpi_train
from raw_files import PARAMS, read

from hmr.__main__ import main
from hmr.body.joints import LSP_14, MPI_INF_3DHP_28
from hmr.data.readers.mpi_inf_3dhp import spin_left_out
from hmr.data.store import open_store
from hmr.errors import UserError

SPIN = replace(PARAMS, filters="spin")
PRESET = Path(__file__).parents[2] / "hmr" / "presets" / "open.yaml"
LIMBS = {"shoulder", "elbow", "wrist", "hip", "knee", "ankle"}


def ids(entries):
    return [entry.sample_id for entry in entries]


def reasons(left_out):
    assert not any(entry.bad for entry in left_out)
    return {entry.sample_id: entry.kind for entry in left_out}


def test_coco_asks_for_twelve_joints_instead_of_sight_and_size(tmp_path):
    hidden, short = flagged(LIMBS), flagged(LIMBS | {"nose", "eye", "ear"})
    hidden[hidden[:, 2] > 0, 2] = 1
    short[-1] = 0  # an ankle
    people = [
        coco_person(1, keypoints=flagged(LIMBS)),
        coco_person(2, keypoints=hidden),
        coco_person(3, keypoints=short),
        coco_person(4, segmentation=[[10, 10, 20, 10, 20, 30]]),
        coco_person(5, segmentation={"counts": [1, 2], "size": [3, 1]}),
        coco_person(6, iscrowd=1),
        coco_person(7, num_keypoints=0),
    ]
    write_coco(tmp_path, people)
    (own, own_out), (spin, spin_out) = read("coco", tmp_path), read("coco", tmp_path, params=SPIN)
    assert ids(own) == ["coco/1/1", "coco/1/3"] and ids(spin) == [f"coco/1/{k}" for k in (1, 2, 4, 5)]
    assert len(own) + len(own_out) == len(spin) + len(spin_out) == len(people)
    assert reasons(spin_out) == {
        "coco/1/3": "not all 12 body joints labelled",
        "coco/1/6": "a crowd in place of a person",
        "coco/1/7": "no joint labelled",
    }


def test_mpii_asks_for_all_joints(tmp_path):
    whole, without_thorax = points_of(0), points_of(1, [k for k in range(16) if k != 7])
    people = [mpii_person(points) for points in (whole, without_thorax, whole)]
    write_mpii(tmp_path, [(people, [1, 2])], [1])
    (own, own_out), (spin, spin_out) = read("mpii", tmp_path), read("mpii", tmp_path, params=SPIN)
    assert ids(own) == ["mpii/000000000/1", "mpii/000000000/2"] and ids(spin) == ["mpii/000000000/1"]
    assert len(own) + len(own_out) == len(spin) + len(spin_out) == len(people)
    assert reasons(spin_out) == {
        "mpii/000000000/2": "not all 16 joints labelled",
        "mpii/000000000/3": "not apart from other people",
    }


def test_of_frames_with_all_joints_in_the_picture_every_tenth_is_kept():
    points_px = np.full((40, 28, 2), 20.0)
    points_px[:3, LSP_14.indices_in(MPI_INF_3DHP_28)[0], 0] = 64  # an ankle beyond the right edge
    points_px[5, MPI_INF_3DHP_28.index("head"), 1] = -1
    points_px[:, MPI_INF_3DHP_28.index("left_hand")] = -1  # none of the 17
    left_out = spin_left_out(points_px, (48, 64, 3))
    assert [k for k, reason in enumerate(left_out) if reason is None] == [3, 14, 24, 34]
    assert [k for k, reason in enumerate(left_out) if reason == "not all joints in the picture"] == [0, 1, 2, 5]
    assert [k for k, reason in enumerate(spin_left_out(points_px, None)) if reason is None] == [0, 10, 20, 30]


def test_mpi_frames_are_counted_out_by_video_and_the_eighth_subject_is_read(tmp_path):
    write_mpi_train(tmp_path, frames=12, subjects=range(1, 9))
    (own, own_out), (spin, spin_out) = read("mpi_inf_3dhp", tmp_path), read("mpi_inf_3dhp", tmp_path, params=SPIN)
    assert len(own) + len(own_out) == 7 * 2 * 8 * 12 and len(spin) + len(spin_out) == 8 * 2 * 8 * 12
    assert {s.frame for s in own} == {0, 2, 4, 6, 8, 10} and {s.subject for s in own} == {f"S{k}" for k in range(1, 8)}
    assert len(spin) == 8 * 2 * 8 * 2 and {s.frame for s in spin} == {0, 10}
    assert {s.subject for s in spin} == {f"S{k}" for k in range(1, 9)}
    assert set(reasons(spin_out).values()) == {"between every tenth frame"}
    pictures = {s.sample_id: s.load_image() for s in own}
    assert all((s.load_image() == pictures[s.sample_id]).all() for s in spin if s.sample_id in pictures)


def test_a_film_that_is_none_is_listed_and_counted(tmp_path):
    write_mpi_train(tmp_path, frames=12, subjects=range(1, 9))
    (tmp_path / "S8/Seq2/imageSequence/video_0.avi").write_bytes(b"hello")
    samples, left_out = read("mpi_inf_3dhp", tmp_path, params=SPIN, subject="S8")
    assert len(samples) + len(left_out) == 2 * 8 * 12
    for sample in (s for s in samples if "S8/Seq2/video_0/" in s.sample_id):
        with pytest.raises(UserError, match="end of the video"):
            sample.load_image()


def normalize(folder, out, *words):
    return main(["normalize", *words, "--split", "train", "--out", str(out), "--params", str(folder / "params.yaml")])


def choose(folder, filters):
    """The open preset with these filters, beside the raw folder."""
    (folder / "params.yaml").write_text(PRESET.read_text().replace("  filters: hmr\n", f"  filters: {filters}\n"))


def test_normalize_reads_eight_subjects_in_one_go_or_in_parts(tmp_path, capsys):
    write_mpi_train(tmp_path / "raw", frames=2, subjects=range(1, 9))
    raw, parts = ("--raw", str(tmp_path / "raw")), [tmp_path / f"S{k}.h5" for k in range(1, 9)]
    choose(tmp_path, "spin")
    assert normalize(tmp_path, tmp_path / "whole.h5", "mpi_inf_3dhp", *raw) == 0
    assert "128 kept, 128 left out (between every tenth frame: 128)" in capsys.readouterr().out
    for part in parts:
        assert normalize(tmp_path, part, "mpi_inf_3dhp", *raw, "--subject", part.stem) == 0
    assert normalize(tmp_path, tmp_path / "joined.h5", "mpi_inf_3dhp", "--join", *map(str, parts)) == 0
    with open_store(tmp_path / "whole.h5") as whole, open_store(tmp_path / "joined.h5") as joined:
        assert whole["sample_id"].tolist() == joined["sample_id"].tolist()
        assert whole.quarantine() == joined.quarantine()


def test_a_subject_that_only_spin_reads_is_refused_or_missed(tmp_path, capsys):
    write_mpi_train(tmp_path / "raw", frames=2)
    raw = ("mpi_inf_3dhp", "--raw", str(tmp_path / "raw"))
    for filters, words, said in (
        ("hmr", ("--subject", "S8"), "S6, S7), found S8"),
        ("spin", (), "S8/Seq1/annot.mat: expected part of MPI-INF-3DHP"),
        ("mine", (), "normalize.filters: expected hmr or spin, found 'mine'"),
    ):
        choose(tmp_path, filters)
        assert normalize(tmp_path, tmp_path / "out.h5", *raw, *words) == 2
        assert said in capsys.readouterr().err.strip().splitlines()[-1]


def test_other_sets_know_one_rule(tmp_path):
    (tmp_path / "human36m").mkdir()
    write_lsp(tmp_path / "lsp")
    write_human36m(tmp_path / "human36m", ("S1", "S5", "S6", "S7", "S8"), frames=6)
    for dataset in ("lsp", "human36m"):
        own, spin = read(dataset, tmp_path / dataset), read(dataset, tmp_path / dataset, params=SPIN)
        assert [ids(entries) for entries in own] == [ids(entries) for entries in spin] and own[0]
