"""The stream and the tables on one machine, without Docker: LocalStack in host mode and what it needs."""
