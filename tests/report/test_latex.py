"""tables.tex: rows as wide as their tables, nothing that LaTeX could mistake; compiled where LaTeX is installed."""

import re
import shutil
import subprocess

import pytest
from report.making import report

DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,graphicx}
\begin{document}
\input{tables}
\end{document}
"""


@pytest.fixture
def tables(everything, tmp_path):
    assert report(tmp_path, **everything) == 0
    return tmp_path / "report" / "tables.tex"


def test_every_row_is_as_wide_as_its_table(tables):
    text = tables.read_text()
    found = re.findall(r"\\begin\{tabular\}\{([lr ]+)\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(found) >= 5
    for columns, body in found:
        width = len(columns.replace(" ", ""))
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(lines) > 2 and {line.count(" & ") for line in lines[1:]} == {width - 1}
        assert sum(map(int, re.findall(r"\\multicolumn\{(\d+)\}", lines[0]))) == width - 1
        spans = [tuple(map(int, span)) for span in re.findall(r"\\cmidrule\(l\{2pt\}\)\{(\d+)-(\d+)\}", body)]
        assert [k for first, last in spans for k in range(first, last + 1)] == list(range(2, width + 1))


def test_nothing_is_left_for_latex_to_mistake(tables):
    text = tables.read_text()
    assert text.isascii() and text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    for kind in ("begin", "end"):
        assert text.count(rf"\{kind}{{table*}}") == text.count(rf"\{kind}{{tabular}}") == text.count(r"\toprule")
    told = "".join(line for line in text.splitlines() if not line.startswith(("%", r"\providecommand")))
    assert not re.search(r"(?<!\\)[%#_^~]", told)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX: apt-get install texlive-latex-recommended")
def test_it_compiles_and_fits_the_page(tables):
    (tables.parent / "document.tex").write_text(DOCUMENT)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    done = subprocess.run(command, cwd=tables.parent, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout and "Missing character" not in done.stdout
