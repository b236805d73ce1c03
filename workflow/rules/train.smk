"""Train one network per variant.

Needs:  results/normalize/{dataset}-train.h5 of the variant's own data sets, results/mocap/pool.h5,
        results/body/body.npz
Makes:  results/train/{variant}/checkpoint.safetensors, training.csv and validation.csv beside it; where
        train.pretraining asks for it, results/train/encoder likewise, from which every variant's encoder starts
"""


include: "common.smk"


rule pretrain_encoder:
    input:
        code=code("pretrain"),
        weights=own_weights(params.train),
        data=expand("results/normalize/{dataset}-train.h5", dataset=params.train.datasets_2d),
    output:
        encoder="results/train/encoder/checkpoint.safetensors",
        curve="results/train/encoder/training.csv",
        checks="results/train/encoder/validation.csv",
    log:
        "logs/train/encoder.log",
    priority: 2  # before all that can be made beside it: every variant waits for it
    threads: share(params.train.pretraining.torch_threads)
    resources:
        mem_mb=6000,
        gpu=needs_gpu,
    params:
        train=pretraining_facts(params.train),
    shell:
        "python -m hmr pretrain --data {input.data:q} --out {output.encoder:q} > {log:q} 2>&1"


rule train_variant:
    input:
        code=code("train"),
        encoder=pretrained_encoder,
        weights=variant_weights,
        data=training_data,
        pool="results/mocap/pool.h5",
        body="results/body/body.npz",
    output:
        checkpoint="results/train/{variant}/checkpoint.safetensors",
        curve="results/train/{variant}/training.csv",
        checks="results/train/{variant}/validation.csv",
    log:
        "logs/train/{variant}.log",
    priority: 1  # before predictions: trainings take longest
    threads: share(params.train.optimiser.torch_threads)  # its loader is light
    resources:
        mem_mb=6000,
        gpu=needs_gpu,
    params:
        train=training_params,
    shell:
        "python -m hmr train {wildcards.variant:q} --data {input.data:q} --mocap {input.pool:q} --body {input.body:q}"
        " --encoder {input.encoder:q} --out {output.checkpoint:q} > {log:q} 2>&1"


rule train:
    input:
        expand(rules.train_variant.output, variant=variants),
