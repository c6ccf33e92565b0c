"""What BESTIE's refinement made of a few crops, recorded while it trained.

A folder holds one NumPy archive for each recorded iteration, ``iter_<number>.npz``: the
refined labels of the same crops, and what it takes to load these crops again.
"""

import io
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmwsis.utils.fileio import atomic_write_bytes

FOLDER = 'refinement'  # beside the checkpoints
_NAME = re.compile(r'iter_(\d+)\.npz')


class RefinementRecord(NamedTuple):
    """Refined labels of B crops.

    Attributes:
        indices: Of the images in the training dataset, (B,) int64.
        seed: Of the random crops.
        checksum: Of the pixels of the crops.
        centers: Largest of all classes, (B, 1, H, W) float32; None with points as
            supervision, which have no refined centres.
        offsets: (B, 2, H, W) float32.
        weights: (B, 1, H, W) float32.
    """

    indices: np.ndarray
    seed: int
    checksum: int
    centers: np.ndarray | None
    offsets: np.ndarray
    weights: np.ndarray


def write_record(
    folder: str | os.PathLike, iteration: int, record: RefinementRecord
) -> None:
    """Add a record.

    Args:
        folder: Made if it is missing.
        iteration: Number of iterations that the network has learned.
        record: Its labels.
    """
    entries = {k: v for k, v in record._asdict().items() if v is not None}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **entries)
    atomic_write_bytes(Path(folder) / f'iter_{iteration}.npz', buffer.getvalue())


def read_record(file: str | os.PathLike) -> RefinementRecord:
    """Read a record.

    Args:
        file: What :func:`write_record` wrote.

    Returns:
        The record.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no record.
    """
    try:
        with np.load(file) as archive:
            entries = {key: archive[key] for key in archive.files}
        entries['seed'], entries['checksum'] = (
            int(entries[key]) for key in ('seed', 'checksum')
        )
        return RefinementRecord(**{'centers': None, **entries})
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(
            f'{file} is no record of refined labels: {error}. Delete it.'
        ) from error


def recorded_iterations(folder: str | os.PathLike) -> dict[int, Path]:
    """List the records of a folder.

    Args:
        folder: May be missing.

    Returns:
        Iteration -> file, in ascending order.
    """
    found = {
        int(match[1]): file
        for file in Path(folder).glob('iter_*.npz')
        if (match := _NAME.fullmatch(file.name))
    }
    return dict(sorted(found.items()))


def delete_records(folder: str | os.PathLike) -> None:
    """Delete the records of a folder, such as those of an earlier training.

    Args:
        folder: May be missing.
    """
    for file in recorded_iterations(folder).values():
        file.unlink(missing_ok=True)
