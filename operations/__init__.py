"""One look at leases, workers, leader and progress, and what is to be said of it: the supervisor, the API's status and the
`telemetry` command all ask here. Who acts on it, does so elsewhere.

Beside it what operators do: they look at every part, decide about dead letters, and have the tables proved.
"""
