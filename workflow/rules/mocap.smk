"""Turn motion capture into one pool of SMPL poses and shapes: the critics' real bodies.

Needs:  data/raw/mocap/manifest.json and the folder it stands for, results/body/body.npz
Makes:  results/mocap/pool.h5
"""


include: "common.smk"


rule build_pool:
    input:
        code=code("mocap"),
        manifest="data/raw/mocap/manifest.json",
        body="results/body/body.npz",
    output:
        pool="results/mocap/pool.h5",
    log:
        "logs/mocap/pool.log",
    priority: 1  # before predictions: trainings take longest
    threads: share(1)
    resources:
        mem_mb=3000,
    params:
        mocap=plain["mocap"],
        max_broken=plain["normalize"]["max_quarantine_fraction"],
    shell:
        "python -m hmr mocap data/raw/mocap --body {input.body:q} --out {output.pool:q} > {log:q} 2>&1"


rule mocap:
    input:
        rules.build_pool.output,
