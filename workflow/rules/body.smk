"""Build the body model, or adopt the user's own SMPL file.

Needs:  nothing (params.yaml's body.source: open), or the file that body.source names
Makes:  results/body/body.npz
"""


include: "common.smk"


rule build_body:
    input:
        code=code("body"),
        own=own_body(),
    output:
        body="results/body/body.npz",
    log:
        "logs/body/body.log",
    threads: share(1)
    resources:
        mem_mb=3000,
    params:
        body=plain["body"],
    shell:
        "python -m hmr body --out {output.body:q} > {log:q} 2>&1"


rule body:
    input:
        rules.build_body.output,
