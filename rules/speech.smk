# What a talker learns from: the codes of a stage's sounds, and where words begin in them.


rule speech:
    input:
        needs("speech"),
    output:
        f"{BUILT}/speech/{{name}}@{{token}}",
    threads: cores("speech")
    resources:
        gpu=gpus("speech"),
    params:
        why=why("speech"),
    message:
        "speech {wildcards.name}: {params.why}"
    shell:
        command("speech")
