"""What the pipeline runs on: the definition of stream and tables, the set-up that applies it, the local platform."""
