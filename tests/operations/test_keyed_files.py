"""Files by key: what comes back is what was put, however often it was written in between."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.keyed_files import KeyedFiles


@pytest.mark.parametrize("files", [1, 3])
@given(puts=st.lists(st.tuples(st.integers(0, 6), st.binary(min_size=1, max_size=5))))
def test_each_keys_bytes_come_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, files: int, puts: list[tuple[int, bytes]]
) -> None:
    """In pieces, none of which ends inside of what was put."""
    folder = tmp_path_factory.mktemp("keyed")
    kept = KeyedFiles(folder, "some", files, buffered_bytes=450)
    for key, data in puts:
        kept.put(key, data)
    kept.flush()
    found: dict[int, list[bytes]] = {}
    for number in range(files):
        with kept.opened(number) as file:
            assert all(key % files == number for key in file.keys)
            found |= {key: list(file.pieces(key)) for key in file.keys}
    wanted: dict[int, list[bytes]] = {}
    for key, data in puts:
        wanted.setdefault(key, []).append(data)
    assert {key: b"".join(pieces) for key, pieces in found.items()} == {key: b"".join(each) for key, each in wanted.items()}
    for key, pieces in found.items():
        ends = {len(b"".join(wanted[key][:number])) for number in range(len(wanted[key]) + 1)}
        assert {len(b"".join(pieces[:number])) for number in range(len(pieces))} <= ends


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    """Beyond the bound it is written, keys that hold next to nothing included."""
    kept = KeyedFiles(tmp_path, "some", 1, buffered_bytes=10_000)
    sizes = set()
    for key in range(200):
        kept.put(key, b"x")
        sizes.add(sum(path.stat().st_size for path in tmp_path.iterdir()))
    assert len(sizes) >= 4
