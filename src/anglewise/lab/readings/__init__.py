"""What the networks do while they learn: instruments that read and never touch."""
