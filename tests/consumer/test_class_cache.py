"""Classes that Java writes on its way out are there for the next, and for no other java or jars."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consumer.class_cache import ClassCache


class Machine:
    """A java, a jar, and what is kept of them."""

    def __init__(self, folder: Path) -> None:
        self.java, self.jar, self.kept = folder / "java", folder / "kcl.jar", folder / "kept"
        self._made = folder / "classes.jsa"
        for file in (self.java, self.jar):
            file.write_text(file.name)

    def run(self, writes: bytes = b"") -> str:
        """The option a run of java is given; it writes these classes, if any, and ends in order."""
        cache = ClassCache(str(self.kept), str(self.java), [self.jar], self._made)
        option, silent = cache.options()
        assert silent.startswith("-Xlog:")
        if writes:
            self._made.write_bytes(writes)
        cache.keep()
        self._made.unlink(missing_ok=True)
        return option

    def reads(self) -> bytes | None:
        """The classes that the next java maps; None when it loads them itself, and writes them where its run has its files."""
        name, _, path = self.run().partition("=")
        if name == "-XX:SharedArchiveFile":
            return Path(path).read_bytes()
        assert (name, path) == ("-XX:ArchiveClassesAtExit", str(self._made))
        return None


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One that has run nothing yet."""
    return Machine(tmp_path)


def test_the_next_java_maps_what_the_last_one_wrote(machine: Machine) -> None:
    """A run that was killed has written nothing, and the next one tries again."""
    assert machine.reads() is None
    machine.run(writes=b"classes")
    assert machine.reads() == b"classes"
    assert [path.suffix for path in machine.kept.iterdir()] == [".jsa"]


@pytest.mark.parametrize("other", ["java", "jar"])
def test_another_java_or_jar_writes_its_own(machine: Machine, other: str) -> None:
    """In the place of the first one's, which nobody needs any more."""
    machine.run(writes=b"classes")
    getattr(machine, other).write_text("another")
    assert machine.reads() is None
    machine.run(writes=b"others")
    assert machine.reads() == b"others"
    assert len(list(machine.kept.iterdir())) == 1


def test_without_a_folder_nothing_is_kept(machine: Machine, tmp_path: Path) -> None:
    """Java is not even told to be silent."""
    cache = ClassCache("", str(machine.java), [machine.jar], tmp_path / "made")
    assert cache.options() == []
    cache.keep()


def test_a_folder_that_cannot_be_written_to_is_said_and_stops_nothing(machine: Machine) -> None:
    """The next java loads its classes itself."""
    machine.kept.write_text("no folder")
    with capture_logs() as logs:
        machine.run(writes=b"classes")
    assert [line["event"] for line in logs] == ["classes_not_kept"]
