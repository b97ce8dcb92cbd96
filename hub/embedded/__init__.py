"""The embedded cluster: a private Slurm on this machine, in one directory."""
