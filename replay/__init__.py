"""The log for analysts: read without touching the consumer's checkpoints."""
