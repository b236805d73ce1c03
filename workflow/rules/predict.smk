"""Predict every test set, once per variant and with the mean body as the baseline.

Needs:  results/train/{variant}/checkpoint.safetensors, results/normalize/{dataset}-test.h5, results/mocap/pool.h5,
        results/body/body.npz
Makes:  results/predict/{variant}/{dataset}.h5
"""


include: "common.smk"


rule predict_dataset:
    input:
        code=code("predict-set"),
        checkpoint="results/train/{variant}/checkpoint.safetensors",
        data="results/normalize/{dataset}-test.h5",
        body="results/body/body.npz",
    output:
        predictions="results/predict/{variant}/{dataset}.h5",
    log:
        "logs/predict/{variant}-{dataset}.log",
    threads: share(1)
    resources:
        mem_mb=3000,
        gpu=needs_gpu,
    params:
        predict=plain["predict"],
    shell:
        "python -m hmr predict-set --checkpoint {input.checkpoint:q} --data {input.data:q} --body {input.body:q}"
        " --out {output.predictions:q} > {log:q} 2>&1"


rule predict_mean_body:
    input:
        code=code("predict-set"),
        pool="results/mocap/pool.h5",
        data="results/normalize/{dataset}-test.h5",
        body="results/body/body.npz",
    output:
        predictions=f"results/predict/{BASELINE}/{{dataset}}.h5",
    log:
        f"logs/predict/{BASELINE}-{{dataset}}.log",
    threads: share(1)
    resources:
        mem_mb=3000,
    params:
        predict=plain["predict"],
        image_px=plain["train"]["model"]["image_px"],
    shell:
        "python -m hmr predict-set --mean-body {input.pool:q} --data {input.data:q} --body {input.body:q}"
        " --out {output.predictions:q} > {log:q} 2>&1"


ruleorder: predict_mean_body > predict_dataset


rule predict:
    input:
        expand(rules.predict_dataset.output, variant=[*variants, BASELINE], dataset=test_sets),
