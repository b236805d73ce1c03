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
    priority: 1  # before predictions: trainings take longest
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


use rule download_dataset as download_first with:  # the encoder, which every variant waits for, needs only these
    wildcard_constraints:
        dataset="|".join(params.train.datasets_2d),
    priority: 3


ruleorder: download_first > download_dataset


rule download:
    input:
        expand(rules.download_dataset.output, dataset=[*params.download.datasets, "mocap"]),
