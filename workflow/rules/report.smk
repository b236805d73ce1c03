"""Make the paper's tables, and one page with them, all figures and bodies that turn.

Needs:  results/evaluate/{variant}/{benchmark}.json and .csv, results/predict/{variant}/{dataset}.h5 and,
        with predict.time, .time.json, results/normalize/{dataset}-{split}.h5, results/train/{variant}/*.csv,
        results/mocap/pool.h5, results/body/body.npz
Makes:  results/report/tables.md, tables.tex and index.html
"""


include: "common.smk"


from hmr.report.provenance import pipeline_code


rule write_report:
    input:
        code=code("report"),
        told=[os.path.relpath(path) for path in pipeline_code(params)],  # each table names the code that made it
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
        times=expand(time_files, variant=[*variants, *BASELINES], dataset=test_sets),
        labels=expand("results/normalize/{name}.h5", name=normalized),
        curves=expand("results/train/{variant}/{curve}.csv", variant=variants, curve=("training", "validation")),
        pool="results/mocap/pool.h5",
        body="results/body/body.npz",
    output:
        markdown=report(
            "results/report/tables.md", caption="../report/tables.rst", category="Report", labels={"what": "Tables"}
        ),
        latex="results/report/tables.tex",
        page=report(
            "results/report/index.html",
            caption="../report/page.rst",
            category="Report",
            labels={"what": "Tables and figures"},
        ),
    log:
        "logs/report/report.log",
    threads: share(1)
    resources:
        mem_mb=3000,
    params:
        everything=plain,  # each table names the parameters that made it
    shell:
        "python -m hmr report --evaluate {input.metrics:q} --predict {input.predictions:q} --normalize {input.labels:q}"
        " --train {input.curves:q} --mocap {input.pool:q} --times .snakemake/metadata --body {input.body:q}"
        " --out results/report > {log:q} 2>&1"


rule report:
    input:
        rules.write_report.output,
