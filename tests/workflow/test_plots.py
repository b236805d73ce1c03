"""`dvc plots show` draws the training curves on a page that needs no network."""

import hashlib
import re
import subprocess
import sys

import yaml
from planning import ROOT

PAGE = ROOT / ".dvc/offline/page.html"


def test_the_page_holds_what_dvcs_own_would_fetch():
    text = PAGE.read_text()
    scripts = dict(re.findall(r'<script id="([\w-]+)">(.*?)</script>', text, re.DOTALL))
    told = dict(re.findall(r"SHA-256 of build/([\w-]+)\.min\.js ([0-9a-f]{64})", text))
    assert {name: hashlib.sha256(code.encode()).hexdigest() for name, code in scripts.items()} == told
    assert list(told) == ["vega", "vega-lite", "vega-embed"] and not re.search(
        r"(src|href)=", text.rpartition("</head>\n<body>\n")[2]
    )


def test_every_variant_is_drawn_and_nothing_is_fetched(tmp_path):
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    drawn = [one["y"] for plot in stages["plots"] for one in plot.values()]
    curves = sorted({path for lines in drawn for path in lines})
    columns = sorted({column for lines in drawn for column in lines.values()})
    variants = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]["variants"]
    assert curves == sorted(f"results/train/{v}/{kind}.csv" for v in variants for kind in ("training", "validation"))
    log = "\n".join([",".join(["step", *columns]), *(",".join([step, *["0.5"] * len(columns)]) for step in "12")])
    for name in curves:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(log)
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"plots": stages["plots"]}))
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    for name in (".dvc/config", ".dvc/offline/page.html", ".dvc/plots/curves.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "dvc", "plots", "show", "-o", "shown"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    body = (tmp_path / "shown/index.html").read_text().rpartition("</head>\n<body>\n")[2]
    assert body.count("vegaEmbed(") == len(stages["plots"]) and "src=" not in body
    assert body.count('"as": "variant"') == len(stages["plots"])  # each variant has its own colour
    assert all(name in body for name in ("paired/training.csv", "unpaired-no-critics/validation.csv"))
