"""The import closure: what a step depends on, and what it does not."""

from hmr.closure import PACKAGE, step_files


def files(step: str, *more: str, without: str | None = None) -> set[str]:
    return {path.relative_to(PACKAGE).as_posix() for path in step_files(step, *more, without=without)}


def test_a_step_has_its_own_file_and_what_it_imports():
    assert {"steps/train.py", "training/loop.py", "models/hmr.py", "losses.py", "params.py"} <= files("train")


def test_imports_inside_functions_count():
    assert "body/open_body/assemble.py" in files("body")


def test_training_does_not_depend_on_evaluation_report_or_studio():
    apart = ("evaluation/", "report/", "studio/", "render/", "steps/report")
    assert not [name for name in files("train") if name.startswith(apart)]


def test_no_step_of_the_workflow_depends_on_what_people_do_with_their_own_pictures():
    steps = ("body", "download", "normalize", "mocap", "pretrain", "train", "predict-set", "evaluate", "report")
    assert not [name for step in steps for name in files(step) if name.startswith("photos/")]
    assert "photos/people.py" in files("predict")


def test_templates_count_as_code():
    assert {"report/templates/tables.md.j2", "report/page.py"} <= files("report")


def test_what_is_picked_by_name_is_named():
    lsp = files("normalize", "hmr.data.readers.lsp")
    assert "data/readers/lsp.py" in lsp and "data/readers/coco.py" not in lsp


def test_a_package_can_be_left_out():
    assert "download/gated.py" in files("download")
    assert not [name for name in files("download", without="hmr.download") if name.startswith("download/")]


def test_every_file_is_there():
    assert all(path.is_file() for path in step_files("predict-set"))
