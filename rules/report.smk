# One page that shows it all.


rule report:
    input:
        needs("report"),
    output:
        f"{BUILT}/report/{{name}}@{{token}}",
    params:
        why=why("report"),
    threads: 1
    message:
        "report {wildcards.name}: {params.why}"
    shell:
        command("report")
