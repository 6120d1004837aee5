"""Stands before the package `rich` on the path of processes under test, which is not there where they are deployed.

schemathesis brings it along, and structlog imports it where it can: a tenth of what the start of a process takes.
"""

raise ModuleNotFoundError("no module named 'rich' where this is deployed", name="rich")
