import pytest
from evaluation import labelled
from report import making


@pytest.fixture
def everything(tmp_path, toy_file):
    """Two variants and the baseline, two test sets, training logs."""
    normalize = [labelled.lsp(tmp_path / "lsp-test.h5", count=9), labelled.human36m(tmp_path / "human36m-test.h5")]
    evaluate, predict, train = [], [], []
    for k, variant in enumerate(("paired", "unpaired-no-critics", "mean-body")):
        evaluate.append(making.metrics_file(tmp_path, variant, "human36m-p2", pa_mpjpe_mm=61.23 + k))
        evaluate.append(
            making.metrics_file(tmp_path, variant, "lsp-segmentation", fg_f1=0.777, seconds_per_image=0.01234)
        )
        predict += [making.predictions_file(tmp_path, variant, labels, k) for labels in normalize]
    log = tmp_path / "train" / "paired" / "training.csv"
    log.parent.mkdir(parents=True)
    log.write_text("step,total,adversarial\n25,9.5,1\n50,3.25,0.5\n")
    train.append(log)
    return {"evaluate": evaluate, "predict": predict, "normalize": normalize, "train": train, "body": toy_file}
