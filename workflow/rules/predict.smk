"""Predict every test set, once per variant and with each baseline: the mean body, and SMPLify on the labelled keypoints
and on predicted ones.

Needs:  results/train/{variant}/checkpoint.safetensors, results/normalize/{dataset}-test.h5, results/mocap/pool.h5,
        results/body/body.npz
Makes:  results/predict/{variant}/{dataset}.h5, and with predict.time {dataset}.time.json beside it
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
        time=time_files,
    log:
        "logs/predict/{variant}-{dataset}.log",
    threads: share(1)
    resources:
        mem_mb=3000,
        gpu=needs_gpu,
    params:
        batch_size=plain["predict"]["batch_size"],
        timed=timed,
    shell:
        "python -m hmr predict-set --checkpoint {input.checkpoint:q} --data {input.data:q} --body {input.body:q}"
        " {params.timed} --out {output.predictions:q} > {log:q} 2>&1"


rule predict_mean_body:
    input:
        code=code("predict-set"),
        pool="results/mocap/pool.h5",
        data="results/normalize/{dataset}-test.h5",
        body="results/body/body.npz",
    output:
        predictions=f"results/predict/{MEAN_BODY}/{{dataset}}.h5",
        time=expand(time_files, variant=MEAN_BODY, allow_missing=True),
    log:
        f"logs/predict/{MEAN_BODY}-{{dataset}}.log",
    threads: share(1)
    resources:
        mem_mb=3000,
    params:
        batch_size=plain["predict"]["batch_size"],
        image_px=plain["train"]["model"]["image_px"],
        timed=timed,
    shell:
        "python -m hmr predict-set --mean-body {input.pool:q} --data {input.data:q} --body {input.body:q}"
        " {params.timed} --out {output.predictions:q} > {log:q} 2>&1"


rule fit_labelled_keypoints:
    input:
        code=code("predict-set"),
        pool="results/mocap/pool.h5",
        data="results/normalize/{dataset}-test.h5",
        body="results/body/body.npz",
    output:
        predictions=f"results/predict/{SMPLIFY_ORACLE}/{{dataset}}.h5",
        time=expand(time_files, variant=SMPLIFY_ORACLE, allow_missing=True),
    log:
        f"logs/predict/{SMPLIFY_ORACLE}-{{dataset}}.log",
    threads: share(1)
    resources:
        mem_mb=3000,
        gpu=needs_gpu,
    params:
        batch_size=plain["predict"]["batch_size"],
        image_px=plain["train"]["model"]["image_px"],
        smplify=plain["predict"]["smplify"],
        timed=timed,
    shell:
        "python -m hmr predict-set --smplify {input.pool:q} --data {input.data:q} --body {input.body:q}"
        " {params.timed} --out {output.predictions:q} > {log:q} 2>&1"


rule fit_predicted_keypoints:
    input:
        code=code("predict-set"),
        pool="results/mocap/pool.h5",
        data="results/normalize/{dataset}-test.h5",
        keypoints=f"results/predict/{params.predict.smplify.keypoints_from}/{{dataset}}.h5",
        body="results/body/body.npz",
    output:
        predictions=f"results/predict/{SMPLIFY}/{{dataset}}.h5",
        time=expand(time_files, variant=SMPLIFY, allow_missing=True),
    log:
        f"logs/predict/{SMPLIFY}-{{dataset}}.log",
    threads: share(1)
    resources:
        mem_mb=3000,
        gpu=needs_gpu,
    params:
        batch_size=plain["predict"]["batch_size"],
        image_px=plain["train"]["model"]["image_px"],
        smplify=plain["predict"]["smplify"],
        timed=timed,
    shell:
        "python -m hmr predict-set --smplify {input.pool:q} --data {input.data:q} --body {input.body:q}"
        " --keypoints {input.keypoints:q} {params.timed} --out {output.predictions:q} > {log:q} 2>&1"


ruleorder: predict_mean_body > fit_labelled_keypoints > fit_predicted_keypoints > predict_dataset


rule predict:
    input:
        expand(rules.predict_dataset.output, variant=[*variants, *BASELINES], dataset=test_sets),
