# One page that shows it all.


rule report:
    input:
        needs("report"),
    output:
        f"{BUILT}/report/{{name}}@{{token}}",
    threads: 1
    params:
        why=why("report"),
    message:
        "report {wildcards.name}: {params.why}"
    shell:
        command("report")
