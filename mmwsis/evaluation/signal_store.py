"""Signals of finished images on disk, so that a killed run goes on."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from mmwsis.formats.json_file import read_json
from mmwsis.pseudo_labels.parts import PartWriter, read_parts
from mmwsis.utils.fileio import atomic_write_json
from mmwsis.utils.hashing import hash_file
from mmwsis.version import __version__

from .label_signals import ImageLabels, Signals

_MANIFEST = 'manifest.json'


class SignalStore:
    """Keeps what belongs to the same files and settings, and starts anew otherwise.

    Args:
        folder: Where; made if absent.
        files: Label files that the signals are measured from; hashed.
        jobs: What is measured.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[str | os.PathLike],
        jobs: Sequence[ImageLabels],
    ) -> None:
        self.folder = folder
        own = dict(
            files=[hash_file(Path(file)) for file in files],
            images=None if not jobs else str(jobs[0].image_path),
            crf=bool(jobs and jobs[0].crf),
            version=__version__,
        )
        manifest = folder / _MANIFEST
        if folder.exists() and (
            not manifest.is_file() or read_json(str(manifest)) != own
        ):
            shutil.rmtree(folder)
        atomic_write_json(manifest, own)
        self._writer = PartWriter(folder, 'signals')

    def finished(self) -> dict[int, list[Signals]]:
        """Number of a job -> the signals of its labels."""
        return {
            number: [_without_id(row) for row in rows]
            for number, rows in read_parts(self.folder).items()
        }

    def write(self, number: int, rows: Sequence[Signals]) -> None:
        """Keep the signals of one job.

        Args:
            number: Of the job.
            rows: Of its labels.
        """
        numbered = [dict(row, id=index) for index, row in enumerate(rows)]
        self._writer.write(number, numbered)

    def __enter__(self) -> 'SignalStore':
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()


def _without_id(row: Signals) -> Signals:
    return {name: value for name, value in row.items() if name != 'id'}
