import re
from pathlib import Path

import pytest
import yaml
from evaluation import labelled
from report.making import PARAMS, metrics_file, predictions_file, report

import hmr
from hmr.data.store import open_store
from hmr.evaluation.predictions import write_predictions, write_time
from hmr.report import published


def test_the_whole_report(everything, tmp_path):
    assert report(tmp_path, **everything) == 0
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == ["index.html", "tables.md", "tables.tex"]


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
        *("–", "0.78", "–", "–", "0.0123 s"),
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
    assert row_of(text, "Table 4", "**HMR**")[4] == "–" and "`grep -r image logs/predict`" in text


def test_the_table_has_the_seconds_beside_predictions_and_their_ratio(everything, tmp_path):
    for variant, seconds in (("paired", 0.002), ("smplify", 0.05)):
        metrics = metrics_file(tmp_path, variant, "lsp-segmentation", fg_f1=0.5)
        path = predictions_file(tmp_path, variant, everything["normalize"][0])
        write_time(path, seconds, "cpu")
        everything["evaluate"] = [*(p for p in everything["evaluate"] if p != metrics), metrics]
        everything["predict"] = [*(p for p in everything["predict"] if p != path), path]
    assert report(tmp_path, **everything) == 0
    text = (tmp_path / "report" / "tables.md").read_text()
    assert row_of(text, "Table 4", "**HMR**")[4] == "0.0020 s"
    assert row_of(text, "Table 4", "**SMPLify**")[4] == "0.0500 s"
    assert "Time as against HMR's: SMPLify 25.0 times." in text


@pytest.mark.parametrize("said", ["[1]", '{"seconds_per_image": "fast"}', '{"seconds'])
def test_a_broken_time_is_refused_by_name(everything, tmp_path, capsys, said):
    broken = everything["predict"][0].with_suffix(".time.json")
    broken.write_text(said)
    assert report(tmp_path, **everything) == 2
    assert str(broken) in capsys.readouterr().err


def test_another_programs_predictions_without_bodies_are_left_out_of_the_gallery(everything, tmp_path):
    only = tmp_path / "predict" / "foreign" / "lsp.h5"
    only.parent.mkdir()
    with open_store(everything["normalize"][0]) as store:
        write_predictions(only, {"sample_id": store["sample_id"]}, {})
    everything["predict"].append(only)
    assert report(tmp_path, **everything) == 0
    assert "foreign on" not in (tmp_path / "report" / "index.html").read_text()


def notes_of(markdown, table):
    section = markdown.split(f"## {table}")[1].split("\n## ")[0]
    return dict(line[2:].split(": ", 1) for line in section.splitlines() if line.startswith("- ") and ": " in line)


def test_each_table_says_what_made_it_and_how_to_make_it_again(everything, tmp_path):
    def told(table):
        assert report(tmp_path, **everything) == 0
        return notes_of((tmp_path / "report" / "tables.md").read_text(), table)

    notes = told("Table 1")
    assert notes["Data"] == "open-Human3.6M, 32 test samples, from studio; raw files " + "0" * 12
    assert "train.seed 0" in notes["Parameters"] and "preset open" in notes["Parameters"]
    assert re.search(r"\d+ files [0-9a-f]{12}$", notes["Code"])
    assert notes["Make it again"] == "snakemake --cores all results/report/tables.md"
    assert "open-LSP" in told("Table 4")["Data"]


def test_parameters_are_known_by_what_they_say(everything, tmp_path):
    plain = yaml.safe_load(PARAMS.read_text())
    lines = []
    for change in ({}, {"report": {"gallery_samples": 1}}, {"train": {**plain["train"], "seed": 7}}):
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump({**plain, **change}))
        assert report(tmp_path, evaluate=everything["evaluate"], params=path) == 0
        lines.append(notes_of((tmp_path / "report" / "tables.md").read_text(), "Table 1")["Parameters"])
    assert lines[0] == lines[1] != lines[2] and "train.seed 7" in lines[2]


def test_one_variants_numbers_are_its_rows_alone(everything, tmp_path):
    def rows():
        assert report(tmp_path, **everything) == 0
        lines = (tmp_path / "report" / "tables.md").read_text().splitlines()
        return {k: line for k, line in enumerate(lines) if line.startswith("|")}

    before = rows()
    metrics_file(tmp_path, "unpaired-no-critics", "human36m-p2", pa_mpjpe_mm=99.9)
    changed = [line for k, line in rows().items() if line != before[k]]
    assert len(changed) == 2 and all(line.startswith("| **HMR unpaired, no critics**") for line in changed)


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
        (bodiless, "pictures need --body"),
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
