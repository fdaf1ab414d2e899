"""The SLURM engine: one SLURM job a job, through submitit; what is told comes back through files."""
