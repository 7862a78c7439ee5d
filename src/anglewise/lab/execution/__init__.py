"""What is missing of an experiment, what it costs, and where it runs."""
