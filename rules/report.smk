# One page that shows it all.


rule report:
    input:
        needs("report"),
    output:
        f"{BUILT}/report/{{name}}@{{token}}",
    threads: cores("report")
    resources:
        gpu=gpus("report"),
    params:
        why=why("report"),
    message:
        "report {wildcards.name}: {params.why}"
    shell:
        command("report")
