"""PUT and batch: readings on their way to the stream."""
