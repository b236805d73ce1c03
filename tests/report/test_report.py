import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluation import labelled

import hmr
from hmr.__main__ import main
from hmr.data.store import open_store
from hmr.evaluation.predictions import write_predictions
from hmr.report import published

PARAMS = Path(__file__).parents[2] / "hmr" / "presets" / "open.yaml"


def metrics_file(root, variant, benchmark, **metrics):
    path = root / "evaluate" / variant / f"{benchmark}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(metrics))
    return path


def predictions_file(root, variant, labels, seed=0, **extra):
    with open_store(labels) as store:
        ids, dataset = store["sample_id"], store.attributes["dataset"]
    path = root / "predict" / variant / f"{dataset}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pose = 0.1 * rng.normal(size=(len(ids), 24, 3))
    pose[:, 0] = (np.pi, 0, 0)
    columns = {
        "camera": np.tile((0.8, 0, 0), (len(ids), 1)),
        "pose_axis_angle": pose,
        "betas": np.zeros((len(ids), 10)),
    }
    write_predictions(path, {"sample_id": ids, **columns} | extra, {})
    return path


def report(root, *, evaluate, predict=(), normalize=(), train=(), body=None):
    words = ["report", "--out", str(root / "report"), "--params", str(PARAMS)]
    words += ["--body", str(body)] if body else []
    for flag, paths in {"evaluate": evaluate, "predict": predict, "normalize": normalize, "train": train}.items():
        words += [f"--{flag}", *map(str, paths)] if paths else []
    return main(words)


@pytest.fixture
def everything(tmp_path, toy_file):
    """Two variants and the baseline, two test sets, training logs."""
    normalize = [labelled.lsp(tmp_path / "lsp-test.h5", count=9), labelled.human36m(tmp_path / "human36m-test.h5")]
    evaluate, predict, train = [], [], []
    for k, variant in enumerate(("paired", "unpaired-no-critics", "mean-body")):
        evaluate.append(metrics_file(tmp_path, variant, "human36m-p2", pa_mpjpe_mm=61.23 + k))
        evaluate.append(metrics_file(tmp_path, variant, "lsp-segmentation", fg_f1=0.777, seconds_per_image=0.01234))
        predict += [predictions_file(tmp_path, variant, labels, k) for labels in normalize]
    log = tmp_path / "train" / "paired" / "training.csv"
    log.parent.mkdir(parents=True)
    log.write_text("step,total,adversarial\n25,9.5,1\n50,3.25,0.5\n")
    train.append(log)
    return {"evaluate": evaluate, "predict": predict, "normalize": normalize, "train": train, "body": toy_file}


def test_the_whole_report(everything, tmp_path):
    assert report(tmp_path, **everything) == 0
    out = tmp_path / "report"
    galleries = [f"gallery-{v}.jpg" for v in ("mean-body", "paired", "unpaired-no-critics")]
    labels = ["labels-human36m-test.jpg", "labels-lsp-test.jpg"]
    assert sorted(p.name for p in out.iterdir()) == [
        *galleries, "index.html", *labels, "tables.md", "tables.tex", "training-curves.svg"
    ]  # fmt: skip
    html = (out / "index.html").read_text()
    assert all(f'src="{name}"' in html for name in galleries + labels) and 'src="training-curves.svg"' in html
    assert "http" not in re.sub(r"http://www.w3.org\S+", "", html)  # nothing from elsewhere
    sheets = [cv2.imread(str(out / name)) for name in galleries]
    assert sheets[0].shape == sheets[1].shape and (sheets[0] != sheets[1]).any()


def test_same_inputs_same_bytes(everything, tmp_path):
    def once():
        assert report(tmp_path, **everything) == 0
        return {p.name: p.read_bytes() for p in (tmp_path / "report").iterdir()}

    assert once() == once()


def row_of(markdown, table, name):
    section = markdown.split(f"## {table}")[1].split("\n## ")[0]
    line = next(line for line in section.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_numbers_stand_in_their_columns_and_what_is_missing_is_a_dash(everything, tmp_path):
    report(tmp_path, **everything)
    text = (tmp_path / "report" / "tables.md").read_text()
    assert row_of(text, "Table 1", r"**HMR\***") == ["61.2", "56.8"]
    assert row_of(text, "Table 1", r"HMR unpaired\*") == ["–", "66.5"]
    assert row_of(text, "Table 1", "**Mean body (looks at nothing)**") == ["63.2", "–"]
    assert row_of(text, "Table 2", r"**HMR\***") == ["–", "–", "87.97", "58.1"]
    assert row_of(text, "Table 4", "**HMR**") == [
        *("–", "0.78", "–", "–", "0.012 s"),
        *("91.67", "0.87", "87.12", "0.60", "0.04 s"),
    ]
    assert row_of(text, "Variants", "**HMR unpaired, no critics**") == ["–", "–", "62.2", "–", "–", "–", "–"]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    counts = {len(re.findall(r"(?<!\\)\|", line)) for line in rows if "Regression" in line or line == rows[0]}
    assert len(counts) == 1


def test_open_data_are_never_called_by_the_originals_name(everything, tmp_path):
    report(tmp_path, **everything)
    for name in ("tables.md", "tables.tex", "index.html"):
        text = (tmp_path / "report" / name).read_text()
        assert "open-Human3.6M" in text and "open-MPI-INF-3DHP" in text and "open-LSP" in text
        assert "paper, other data" in text or "other data: not comparable" in text
        assert "not comparable with the measured ones" in text
        assert not re.search(r"(?<!open-)Human3\.6M, measured", text)


def test_official_data_go_by_their_own_name(tmp_path):
    path = labelled._write(tmp_path / "a.h5", "lsp", [labelled._sample("lsp/im1001", 0)], source="official")
    evaluate = [metrics_file(tmp_path, "paired", "lsp-segmentation", fg_f1=0.5)]
    assert report(tmp_path, evaluate=evaluate, normalize=[path]) == 0
    section = (tmp_path / "report" / "tables.md").read_text().split("## Table 4")[1]
    assert "| LSP: FB F1 |" in section and "open-LSP" not in section


def test_time_that_was_not_measured_has_a_footnote(tmp_path):
    assert report(tmp_path, evaluate=[metrics_file(tmp_path, "paired", "lsp-segmentation", fg_f1=0.5)]) == 0
    text = (tmp_path / "report" / "tables.md").read_text()
    assert row_of(text, "Table 4", "**HMR**")[4] == "–" and "`hmr predict-set --time` measures it" in text


def test_another_programs_predictions_without_bodies_are_left_out_of_the_gallery(everything, tmp_path):
    only = tmp_path / "predict" / "foreign" / "lsp.h5"
    only.parent.mkdir()
    with open_store(everything["normalize"][0]) as store:
        write_predictions(only, {"sample_id": store["sample_id"]}, {})
    everything["predict"].append(only)
    assert report(tmp_path, **everything) == 0
    assert not (tmp_path / "report" / "gallery-foreign.jpg").exists()


def test_users_mistakes_are_one_line_and_leave_nothing(everything, tmp_path, capsys):
    wrong = metrics_file(tmp_path, "paired", "speed")
    broken = metrics_file(tmp_path, "other", "human36m-p1")
    broken.write_text("{")
    bodiless = everything | {"body": None}
    unlike = everything | {"predict": [predictions_file(tmp_path / "b", "paired", everything["normalize"][0])]}
    write_predictions(unlike["predict"][0], {"sample_id": ["lsp/im9"]}, {})
    for case, message in [
        ({"evaluate": [wrong]}, "expected VARIANT/BENCHMARK.json"),
        ({"evaluate": [broken]}, "expected JSON"),
        (bodiless, "galleries need --body"),
        (unlike, "9 of them missing"),
        ({"evaluate": everything["evaluate"], "train": [tmp_path / "none.csv"]}, "expected a training log"),
    ]:
        assert report(tmp_path, **case) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len([line for line in lines if line.startswith("hmr report: ")]) == 1 and message in lines[-1]
    assert not (tmp_path / "report").exists()


def test_published_numbers_are_spelled_once():
    tables = (published.TABLE_1, published.TABLE_2, published.TABLE_3, published.TABLE_4)
    numbers = {v for table in tables for row in table for v in row.values if v and re.fullmatch(r"\d+\.\d+", v)}
    distinctive = {number for number in numbers if len(number) >= 4 and not number.startswith("0.")}
    assert {"56.8", "66.5", "87.97", "106.84", "124.2", "113.2", "91.67"} <= distinctive
    root = Path(hmr.__file__).parent / "report"
    for path in root.rglob("*"):
        if path.is_file() and path.suffix in (".py", ".j2") and path.name != "published.py":
            assert not distinctive & set(re.findall(r"\d+\.\d+", path.read_text())), path
