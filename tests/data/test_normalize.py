import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from hmr.__main__ import main
from hmr.data.store import open_store
from hmr.files import sha256_file, write_manifest

PARAMS = Path(__file__).parents[2] / "hmr" / "presets" / "open.yaml"


def write_raw(raw, count=20, broken=0):
    rng = np.random.default_rng(0)
    (raw / "images").mkdir(parents=True)
    joints = np.concatenate([rng.uniform(20, 130, (14, 2, count)), np.ones((14, 1, count))], 1)
    scipy.io.savemat(raw / "joints.mat", {"joints": joints})
    for number in range(1, count + 1):
        cv2.imwrite(str(raw / f"images/im{number:05d}.jpg"), np.full((150, 150, 3), 99, np.uint8))
        if number <= broken:
            (raw / f"images/im{number:05d}.jpg").write_bytes(b"")


def normalize(raw, out, split="train"):
    return main(
        ["normalize", "lsp_extended", "--split", split, "--raw", str(raw), "--out", str(out), "--params", str(PARAMS)]
    )


def test_a_raw_folder_becomes_a_store_that_says_where_it_is_from(tmp_path, capsys):
    write_raw(tmp_path / "raw", broken=2)
    write_manifest(tmp_path / "raw", source="studio", licence="CC0-1.0")
    assert normalize(tmp_path / "raw", tmp_path / "out.h5") == 0
    assert capsys.readouterr().out == "lsp_extended train: 18 kept, 2 left out (unreadable file: 2)\n"
    with open_store(tmp_path / "out.h5") as store:
        assert (store.attributes["source"], store.attributes["licence"]) == ("studio", "CC0-1.0")
        assert store.attributes["raw_sha256"] == sha256_file(tmp_path / "raw" / "manifest.json")
        assert (len(store), len(store.quarantine())) == (18, 2)


def test_a_folder_without_a_manifest_is_the_users_own(tmp_path):
    write_raw(tmp_path / "raw")
    assert normalize(tmp_path / "raw", tmp_path / "out.h5") == 0
    with open_store(tmp_path / "out.h5") as store:
        assert store.attributes["source"] == "official"
        assert len(store.attributes["raw_sha256"]) == 64


def test_users_mistakes_are_one_line_and_leave_nothing(tmp_path, capsys):
    write_raw(tmp_path / "raw", broken=5)
    for raw, split in [(tmp_path / "none", "train"), (tmp_path / "raw", "test"), (tmp_path / "raw", "train")]:
        assert normalize(raw, tmp_path / "out.h5", split) == 2
        assert capsys.readouterr().err.strip().splitlines()[-1].startswith("hmr normalize: ")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("lsp_extended --split train", "expected either --raw FOLDER or --join PART"),
        ("lsp_extended --split train --raw raw --join a.h5", "expected either --raw FOLDER or --join PART"),
        ("lsp_extended --split train --raw raw --subject S1", "--subject: .*read in one go.*found S1"),
        ("human36m --split test --raw raw --subject S1", r"--subject: .*\(S9, S11\), found S1"),
        ("human36m --split test --join none.h5", "none.h5: expected a normalized data set, found nothing there"),
    ],
)
def test_parts_that_cannot_be_are_one_line(tmp_path, monkeypatch, capsys, words, expected):
    write_raw(tmp_path / "raw")
    monkeypatch.chdir(tmp_path)
    assert main(["normalize", *words.split(), "--out", "out.h5", "--params", str(PARAMS)]) == 2
    assert re.search(expected, capsys.readouterr().err) and not (tmp_path / "out.h5").exists()


def test_a_manifest_that_is_no_mapping_is_the_users_mistake(tmp_path):
    write_raw(tmp_path / "raw")
    (tmp_path / "raw" / "manifest.json").write_text(json.dumps([1]))
    assert normalize(tmp_path / "raw", tmp_path / "out.h5") == 2
