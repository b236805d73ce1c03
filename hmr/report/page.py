"""Tables and page as text, through the templates beside this module."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hmr.report.tables import Table

_LATEX = {
    **{"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_"},
    **{"{": r"\{", "}": r"\}", "~": r"$\sim$", "–": "--", "`": r"\textquotesingle{}"},
}


@dataclass(frozen=True)
class DataFacts:
    """What the page says about a normalized test set."""

    title: str
    source: str
    licence: str
    samples: int
    left_out: int


@dataclass(frozen=True)
class Gallery:
    """A contact sheet beside the page."""

    title: str
    file: str
    samples: int


def markdown(tables: Sequence[Table]) -> str:
    """All tables as Markdown."""
    return _render("tables.md.j2", tables=tables)


def latex(tables: Sequence[Table]) -> str:
    """All tables as LaTeX (booktabs)."""
    return _render("tables.tex.j2", tables=tables)


def html(
    tables: Sequence[Table],
    galleries: Sequence[Gallery],
    facts: Sequence[DataFacts],
    curves: str | None,
    sheets: Sequence[str] = (),
) -> str:
    """The page. `curves` and `sheets`: file names of the training curves and of contact sheets, beside the page."""
    return _render("index.html.j2", tables=tables, galleries=galleries, facts=facts, curves=curves, sheets=sheets)


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _render(name: str, **values: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["latex"] = escape_latex
    environment.filters["cells"] = _cell_text
    return environment.get_template(name).render(**values).strip() + "\n"


def _cell_text(text: str) -> str:
    """Text that does not end a Markdown table's cell or begin emphasis."""
    return text.replace("|", r"\|").replace("*", r"\*").replace("~", r"\~")
