"""Train one network per variant.

Needs:  results/normalize/{dataset}-train.h5 of the variant's own data sets, results/mocap/pool.h5,
        results/body/body.npz
Makes:  results/train/{variant}/checkpoint.safetensors, and training.csv beside it
"""


include: "common.smk"


rule train_variant:
    input:
        code=code("train"),
        data=training_data,
        pool="results/mocap/pool.h5",
        body="results/body/body.npz",
    output:
        checkpoint="results/train/{variant}/checkpoint.safetensors",
        curve="results/train/{variant}/training.csv",
    log:
        "logs/train/{variant}.log",
    threads: share(params.train.optimiser.torch_threads)  # its loader is light
    resources:
        mem_mb=6000,
        gpu=needs_gpu,
    params:
        train=training_params,
    shell:
        "python -m hmr train {wildcards.variant:q} --data {input.data:q} --mocap {input.pool:q} --body {input.body:q}"
        " --out {output.checkpoint:q} > {log:q} 2>&1"


rule train:
    input:
        expand(rules.train_variant.output, variant=variants),
