"""How anything is drawn, for jobs and report alike."""
