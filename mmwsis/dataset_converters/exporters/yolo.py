"""Writer of YOLO's segmentation labels: one text per image, and ``data.yaml``.

A line has the number of the class and one outline, in shares of the image's sides.
There is no place for ids, scores, crowd regions and tags. The folders are those that
Ultralytics, RF-DETR and supervision look for: ``train/images`` and ``train/labels``.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from ..conversion import Progress
from .objects import Abilities, ExportImage

ABILITIES = Abilities(masks=False, parts=False, crowd=False)
_DIGITS = 8  # a thousandth of a pixel in any image


def write_yolo(
    images: Iterable[ExportImage],
    numbers: Mapping[str, int],
    folder: Path,
    advance: Progress,
) -> None:
    """Write one text per image.

    Args:
        images: What to write.
        numbers: Number of every class, from 0.
        folder: The folder ``labels`` of the split.
        advance: Counts the images.
    """
    for image in images:
        path = folder / PurePosixPath(image.file_name).with_suffix('.txt')
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            f'{numbers[one.name]} {_numbers(ring, image.size)}\n'
            for one in image.objects
            for ring in one.rings
        ]
        path.write_text(''.join(lines), encoding='utf-8')
        advance(1)


def _numbers(ring: np.ndarray, size: tuple[int, int]) -> str:
    shares = np.clip(np.asarray(ring, dtype=np.float64) / size, 0, 1).ravel()
    return ' '.join(f'{share:.{_DIGITS}f}'.rstrip('0').rstrip('.') for share in shares)


def write_data_yaml(names: Iterable[str], path: Path, has_val: bool) -> None:
    """Write the list of classes and splits.

    Args:
        names: The classes, in the order of their numbers.
        path: The file; places are relative to it, so that the folder can be moved.
        has_val: Whether there is a folder ``valid``.
    """
    splits = dict(train='train/images', **(dict(val='valid/images') if has_val else {}))
    content = dict(**splits, names=dict(enumerate(names)))
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    if not has_val:
        text = f'# no val: export again with --val FILE to have one\n{text}'
    path.write_text(text, encoding='utf-8')
