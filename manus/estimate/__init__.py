"""What a job will take, before it starts: memory; time and disk join here."""
