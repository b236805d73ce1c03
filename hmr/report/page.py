"""Tables and page as text, through the templates beside this module."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from hmr.report.embed import Section, data_uri
from hmr.report.meshes import Solid
from hmr.report.provenance import TestSet
from hmr.report.tables import Table

_HERE = Path(__file__).parent
THREE = _HERE / "three"
_LATEX = {
    **{"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_"},
    **{"{": r"\{", "}": r"\}", "~": r"$\sim$", "^": r"\^{}", "–": r"\textendash{}", "±": r"$\pm$"},
    **{"<": "$<$", ">": "$>$", "|": "$|$"},
}


@dataclass(frozen=True)
class Drawing:
    """An inline SVG under a heading."""

    key: str
    title: str
    text: str
    svg: str


@dataclass(frozen=True)
class Page:
    """All that the page shows."""

    tables: Sequence[Table]
    sets: Sequence[TestSet]
    sections: Sequence[Section | Drawing]
    solids: Sequence[Solid] = ()
    faces: str = ""  # of all solids, as `faces_text` writes them


def markdown(tables: Sequence[Table]) -> str:
    """All tables as Markdown."""
    return _render("tables.md.j2", tables=tables)


def latex(tables: Sequence[Table]) -> str:
    """All tables as LaTeX (booktabs)."""
    return _render("tables.tex.j2", tables=tables)


def html(page: Page) -> str:
    """The page, one file that asks for no other."""
    return _render("index.html.j2", page=page, modules=_modules() if page.solids else {}, bodies=_bodies(page))


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    typed = "".join(_LATEX.get(letter, letter) for letter in text).replace("--", "-{}-")
    return re.sub("`([^`]*)`", r"\\texttt{\1}", typed)


def bar_percent(cell: str, cells: Sequence[str]) -> float:
    """How long a number's bar is beside the largest of its table."""
    numbers = [_number(other) for other in cells]
    return round(100 * _number(cell) / max([*numbers, 1e-9]), 1)


def _number(cell: str) -> float:
    try:
        return max(0.0, float(cell.split()[0]))
    except ValueError:
        return 0.0


def _modules() -> dict[str, str]:
    """The viewer's modules, which a browser imports by name. The files know each other by path, which a page that is
    one file does not have."""
    files = {
        "three-core": THREE / "three.core.min.js",
        "three": THREE / "three.module.min.js",
        "turntable": _HERE / "templates" / "turntable.js",
    }
    found = {}
    for name, file in files.items():
        code = file.read_bytes()
        for other, path in files.items():
            code = code.replace(f'"./{path.name}"'.encode(), f'"{other}"'.encode())
        found[name] = data_uri(code, "text/javascript")
    return found


def _bodies(page: Page) -> dict[str, object]:
    return {"faces": page.faces, "solids": [asdict(solid) for solid in page.solids]}


def _render(name: str, **values: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["latex"] = escape_latex
    environment.filters["cells"] = _cell_text
    environment.filters["code"] = with_code
    environment.filters["json"] = lambda value: Markup(json.dumps(value).replace("<", r"\u003c"))
    environment.globals["bar_percent"] = bar_percent
    environment.globals["part"] = lambda file: Markup((_HERE / "templates" / file).read_text())
    return environment.get_template(name).render(**values).strip() + "\n"


def with_code(text: str) -> Markup:
    """A note as HTML, with Markdown's `code` as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _cell_text(text: str) -> str:
    """Text that does not end a Markdown table's cell or begin emphasis."""
    return text.replace("|", r"\|").replace("*", r"\*").replace("~", r"\~")
