"""`hmr download` from the studio: the real one, on a small body, as far as the normalized set."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from raw_files import read

from hmr.__main__ import main
from hmr.body.joints import LSP_14
from hmr.studio.layouts import pictures
from hmr.studio.shoot import Studio

PRESET = Path(__file__).parents[2] / "hmr" / "presets" / "open.yaml"


@pytest.fixture
def few(tmp_path):
    content = yaml.safe_load(PRESET.read_text())
    for name in ("lsp", "lsp_extended", "coco", "mpii"):
        content["download"]["studio"][name] = {"images": 4, "image_px": 160}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "params.yaml"


def download(dataset, raw, params, *more):
    return main(["download", dataset, "--raw", str(raw), "--params", str(params), *more])


@pytest.mark.parametrize("dataset", ["lsp", "lsp_extended", "coco", "mpii"])
def test_rendered_sets_are_read_and_normalized(tmp_path, few, toy_file, dataset):
    raw = tmp_path / "raw"
    assert download(dataset, raw, few, "--body", str(toy_file)) == 0
    manifest = json.loads((raw / "manifest.json").read_text())
    assert (manifest["source"], manifest["dataset"], manifest["seed"]) == ("studio", dataset, 0)
    assert manifest["licence"].startswith("that of the body shown")
    samples, left_out = read(dataset, raw)
    assert len(samples) + len(left_out) == (2 if dataset == "lsp" else 4) and not any(entry.bad for entry in left_out)


def test_again_the_same_bytes_and_by_more_processes(tmp_path, few, toy_file):
    raw = tmp_path / "raw"
    manifests = []
    for jobs in "12":
        assert download("lsp", raw, few, "--body", str(toy_file), "--jobs", jobs) == 0
        manifests.append((raw / "manifest.json").read_bytes())
    assert manifests[0] == manifests[1]


def test_left_and_right_are_the_shots_own(tmp_path, few, toy_file):
    assert download("lsp_extended", tmp_path / "raw", few, "--body", str(toy_file)) == 0
    for index, sample in enumerate(read("lsp_extended", tmp_path / "raw")[0]):
        params = pictures.StudioImages(images=4, image_px=160)
        shot = pictures.picture(Studio(toy_file), "lsp_extended", index, params, 0, sport=True)
        for joint in LSP_14.joints:
            row = LSP_14.index(joint)
            if sample.visible[row]:
                assert abs(sample.keypoints_2d_px[row] - shot.keypoints_2d_px[row]).max() < 1e-6


def test_mistakes_are_one_line(tmp_path, few, toy_file, capsys):
    (tmp_path / "mine").mkdir()
    shutil.copy(few, tmp_path / "mine" / "mine.txt")
    other = tmp_path / "other.yaml"
    other.write_text(few.read_text().replace("source: studio", "source: web"))
    body = ["--body", str(toy_file)]
    for raw, params, more, word in [
        ("raw", few, [], "--body"),
        ("raw", few, ["--body", str(tmp_path / "none.npz")], "none.npz"),
        ("raw", few, [*body, "--jobs", "0"], "--jobs"),
        ("mine", few, body, "your own"),
        ("raw", other, body, "download.source"),
    ]:
        assert download("lsp", tmp_path / raw, params, *more) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and word in lines[0]
    assert (tmp_path / "mine" / "mine.txt").is_file() and not (tmp_path / "raw").exists()
