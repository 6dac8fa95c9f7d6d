"""How processes are started and signalled: ranks of torchrun, jobs of Snakemake."""
