"""Part files: one line per finished chunk, appended and flushed to disk.

A line without its end was being written when the process died; it does not count. So a
kill at any moment costs the chunk under way and nothing else.
"""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.utils.fileio import sync_directory


class PartWriter:
    """Appends finished chunks to a file of its own, made with the first chunk.

    Every process start has its own file, so that nothing has to agree on who writes
    where, and a later run may have another number of ranks.

    Args:
        folder: Where part files lie.
        label: Goes into the file's name, for people; such as 'shard1of4-rank0'.
    """

    def __init__(self, folder: Path, label: str) -> None:
        self.path = folder / f'part-{label}-{os.getpid()}-{secrets.token_hex(3)}.jsonl'
        self._file = None

    def write(self, chunk: int, records: Sequence[Mapping[str, Any]]) -> None:
        """Append one chunk; when this returns it survives a kill and a power cut.

        Args:
            chunk: Number of the chunk.
            records: What the artifact keeps of each sample.
        """
        if self._file is None:
            self._file = open(self.path, 'ab')  # noqa: SIM115 - lives as long as self
            sync_directory(self.path.parent)
        # On disk a chunk is called a unit, as it was when the first files were written.
        content = dict(unit=chunk, records=list(records))
        line = json.dumps(content, separators=(',', ':'), allow_nan=False)
        self._file.write(line.encode('ascii') + b'\n')
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; chunks written so far stay."""
        if self._file is not None:
            self._file.close()
            self._file = None


def parts_folder(out: Path) -> Path:
    """Where the finished chunks of a run lie until its result is complete.

    Args:
        out: What the run makes.
    """
    return out.with_name(f'{out.name}.parts')


def read_parts(folder: Path) -> dict[int, list[dict[str, Any]]]:
    """Collect all finished chunks.

    Args:
        folder: Where part files lie.

    Returns:
        Chunk number -> its records.

    Raises:
        ValueError: A complete line is broken, or two files disagree about a chunk; the
            message names file and line.
    """
    chunks: dict[int, list[dict[str, Any]]] = {}
    origin: dict[int, str] = {}
    for path in sorted(folder.glob('part-*.jsonl')):
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
            if not line.endswith(b'\n'):
                continue
            place = f'{path}, line {number}'
            try:
                content = json.loads(line)
                chunk, records = content['unit'], content['records']
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f'{place} is damaged ({error}). Delete this file and run the same '
                    'command again: only its images are made anew.'
                ) from error
            if chunk in chunks and chunks[chunk] != records:
                ids = [record['id'] for record in records[:5]]
                raise ValueError(
                    f'{place} and {origin[chunk]} hold different results for the same '
                    f'ids ({ids} ...). They come from different machines '
                    'or code; delete one of the files.'
                )
            chunks[chunk], origin[chunk] = records, place
    return chunks
