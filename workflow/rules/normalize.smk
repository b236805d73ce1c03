"""Turn each raw data set into one HDF5 per split: crops, the common keypoints, 3D joints.

Needs:  data/raw/{dataset}/manifest.json and the folder it stands for
Makes:  results/normalize/{dataset}-{split}.h5; where a set's videos are many, from one part a subject
"""


include: "common.smk"


rule normalize_subject:
    input:
        code=reader_code,
        manifest="data/raw/{dataset}/manifest.json",
    output:
        part=temp("results/normalize/{dataset}-{split}-{subject}.h5"),
    log:
        "logs/normalize/{dataset}-{split}-{subject}.log",
    priority: 1  # before predictions: trainings take longest
    threads: share(1)
    resources:
        mem_mb=3000,
    params:
        normalize=plain["normalize"],
    shell:
        "python -m hmr normalize {wildcards.dataset:q} --split {wildcards.split:q} --raw data/raw/{wildcards.dataset:q}"
        " --subject {wildcards.subject:q} --out {output.part:q} > {log:q} 2>&1"


rule normalize_dataset:
    input:
        code=reader_code,
        manifest="data/raw/{dataset}/manifest.json",
        parts=subject_parts,
    output:
        dataset="results/normalize/{dataset}-{split}.h5",
    log:
        "logs/normalize/{dataset}-{split}.log",
    priority: 2  # before other sets are rendered: the encoder waits for it
    threads: share(1)
    resources:
        mem_mb=3000,
    params:
        normalize=plain["normalize"],
        source=parts_or_raw,
    shell:
        "python -m hmr normalize {wildcards.dataset:q} --split {wildcards.split:q} {params.source:q}"
        " --out {output.dataset:q} > {log:q} 2>&1"


rule normalize:
    input:
        expand("results/normalize/{name}.h5", name=normalized),
