"""The log beyond the stream: every shard as a chain of objects, in S3 or in a folder. `docs/archive.md` tells its rules."""
