"""What is missing of an experiment, what it costs, and which runs train together."""
