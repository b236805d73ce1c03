"""Make the paper's tables and galleries, and contact sheets of every set's labels.

Needs:  results/evaluate/{variant}/{benchmark}.json and .csv, results/predict/{variant}/{dataset}.h5,
        results/normalize/{dataset}-{split}.h5, results/train/{variant}/training.csv, results/body/body.npz
Makes:  results/report/tables.md, tables.tex, index.html, training-curves.svg, gallery-{variant}.jpg and
        labels-{dataset}-{split}.jpg
"""


include: "common.smk"


rule write_report:
    input:
        code=code("report"),
        metrics=expand(
            "results/evaluate/{variant}/{benchmark}.json",
            variant=[*variants, *BASELINES],
            benchmark=params.evaluate.benchmarks,
        ),
        samples=expand(
            "results/evaluate/{variant}/{benchmark}.csv",
            variant=[*variants, *BASELINES],
            benchmark=params.evaluate.benchmarks,
        ),
        predictions=expand("results/predict/{variant}/{dataset}.h5", variant=[*variants, *BASELINES], dataset=test_sets),
        labels=expand("results/normalize/{name}.h5", name=normalized),
        curves=expand("results/train/{variant}/training.csv", variant=variants),
        body="results/body/body.npz",
    output:
        markdown=report("results/report/tables.md", category="Report"),
        latex="results/report/tables.tex",
        page=report("results/report/index.html", category="Report"),
        labels=report(expand("results/report/labels-{name}.jpg", name=normalized), category="Labels"),
        galleries=expand("results/report/gallery-{variant}.jpg", variant=[*variants, *BASELINES]),
        curves="results/report/training-curves.svg",
    log:
        "logs/report/report.log",
    threads: share(1)
    resources:
        mem_mb=3000,
    params:
        report=plain["report"],
    shell:
        "python -m hmr report --evaluate {input.metrics:q} --predict {input.predictions:q} --normalize {input.labels:q}"
        " --train {input.curves:q} --body {input.body:q} --out results/report > {log:q} 2>&1"


rule report:
    input:
        rules.write_report.output,
