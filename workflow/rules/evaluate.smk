"""Score every prediction on every benchmark.

Needs:  results/predict/{variant}/{dataset}.h5, results/normalize/{dataset}-test.h5, and for benchmarks with 3D joints
        results/normalize/{dataset}-train.h5 of the sets that have them
Makes:  results/evaluate/{variant}/{benchmark}.json, and {benchmark}.csv with every sample's error beside it
"""


include: "common.smk"


rule evaluate_benchmark:
    input:
        code=code("evaluate"),
        predictions=expand("results/predict/{{variant}}/{dataset}.h5", dataset=lookup("{benchmark}", within=BENCHMARKS)),
        labels=expand("results/normalize/{dataset}-test.h5", dataset=lookup("{benchmark}", within=BENCHMARKS)),
        training=training_poses,
    output:
        metrics="results/evaluate/{variant}/{benchmark}.json",
        samples="results/evaluate/{variant}/{benchmark}.csv",
    log:
        "logs/evaluate/{variant}-{benchmark}.log",
    threads: share(1)
    resources:
        mem_mb=2000,
    shell:
        "python -m hmr evaluate --benchmark {wildcards.benchmark:q} --predictions {input.predictions:q}"
        " --labels {input.labels:q} --training {input.training:q} --out {output.metrics:q} > {log:q} 2>&1"


rule evaluate:
    input:
        expand(rules.evaluate_benchmark.output, variant=[*variants, *BASELINES], benchmark=params.evaluate.benchmarks),
