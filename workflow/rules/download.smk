"""Make each raw data set in its owners' layout: render it in the studio, or take their archives.

Needs:  results/body/body.npz (params.yaml's download.source: studio), or the owners' files in data/raw/{dataset}/
Makes:  data/raw/{dataset}/manifest.json, which stands for its folder, for every data set and for mocap
"""


include: "common.smk"


rule download_dataset:
    input:
        code=studio_code,
        body="results/body/body.npz" if studio else [],
    output:
        manifest="data/raw/{dataset}/manifest.json",
    log:
        "logs/download/{dataset}.log",
    priority: 2  # before all else: what trainings wait for takes longest to render
    threads: share(1)
    resources:
        mem_mb=3000,
    params:
        source=plain["download"]["source"],
        seed=plain["download"]["seed"] if studio else None,
        studio=lookup("{dataset}", within=studio_amounts, default=None),
    shell:
        "python -m hmr download {wildcards.dataset:q} --raw data/raw/{wildcards.dataset:q} --body results/body/body.npz"
        " > {log:q} 2>&1"


rule download:
    input:
        expand(rules.download_dataset.output, dataset=[*params.download.datasets, "mocap"]),
