"""The pages say what is so: links lead somewhere, commands parse, keys and files exist, parameters are the code's."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hmr.__main__ import COMMANDS, build_parser
from hmr.params import overlay_on, parse_params
from hmr.steps.preset import PRESETS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EACH = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, without what indents them in a list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) for indent, text in found]


def commands(page: Path) -> Iterator[list[str]]:
    """Every command of its shell blocks, as words."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words: list[str] = []
            for word in [*shlex.split(line, comments=True), "&&"]:
                if word != "&&":
                    words.append(word)
                elif words:
                    yield words
                    words = []


def anchors(page: Path) -> set[str]:
    """What a page's headings can be linked by."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def open_keys() -> set[str]:
    """Dotted keys of the open preset, sections included."""

    def walk(values: dict, where: str) -> Iterator[str]:
        for key, value in values.items():
            yield where + key
            if isinstance(value, dict):
                yield from walk(value, f"{where}{key}.")

    return set(walk(yaml.safe_load((PRESETS / "open.yaml").read_text()), ""))


@EACH
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@EACH
def test_commands_parse(page: Path, capsys: pytest.CaptureFixture[str]):
    for words in commands(page):
        if words[0] == "hmr" and words[1:] != ["COMMAND", "--help"]:
            assert words[1] in COMMANDS, words
            try:
                build_parser(words[1]).parse_args(words[1:])
            except SystemExit as ended:
                assert not ended.code, f"{' '.join(words)}: {capsys.readouterr().err}"


@EACH
def test_experiments_set_keys_that_exist(page: Path):
    known = open_keys()
    for words in commands(page):
        settings = [words[k + 1] for k, word in enumerate(words) if word in ("-S", "--set-param")]
        assert all(setting.split("=")[0].lstrip("+~") in known for setting in settings), words


@EACH
def test_files_that_are_named_exist(page: Path):
    named = re.findall(r"`((?:hmr|workflow|tests|docs|benchmarks)/[\w./-]+)`", page.read_text())
    named = [name for name in named if not re.search("[A-Z]{4}", name)]  # NAME and STAGE stand for any
    assert not [name for name in named if not (ROOT / name).exists()]


@EACH
def test_parameter_examples_are_accepted(page: Path):
    base = yaml.safe_load((PRESETS / "open.yaml").read_text())
    for block in blocks(page, "yaml"):
        # A variant's overlay is new by nature; all else must be a key that is there.
        example = yaml.safe_load(block)
        example = {"train": example} if "variants" in example else example
        variants = example.get("train", {}).pop("variants", {})
        changed = overlay_on(base, example, "", page.name)
        changed["train"] = {**changed["train"], "variants": {**base["train"]["variants"], **variants}}
        assert parse_params(changed).variants.keys() >= variants.keys()


def test_the_page_of_parameters_is_what_the_code_says():
    spec = importlib.util.spec_from_file_location("make_parameters", ROOT / "docs" / "make_parameters.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    text = (ROOT / "docs" / "parameters.md").read_text()
    assert text == maker.page(), "python docs/make_parameters.py writes it anew"
    leaves = {key for key in open_keys() if not any(other.startswith(f"{key}.") for other in open_keys())}
    missing = {key for key in leaves if not key.startswith("train.variants.") and f"| `{key}` |" not in text}
    assert not missing
