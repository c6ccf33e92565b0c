"""Writing of a whole synthetic dataset: scenes, labels of every kind, statistics."""

import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmwsis.structures.supervision import Supervision
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text, sync_directory
from mmwsis.utils.parallel import OrderedPool

from ..coco2weak import derive_weak_coco, output_name
from ..image_records import Record, coco_document
from ..panoptic_output import panoptic_document
from .records import CATEGORY_IDS, FIRST_IDS, write_scene
from .scene import THING_CLASSES
from .statistics import scene_statistics

# Raise it whenever the scenes change, so that older datasets are not kept.
GENERATOR_VERSION = 1
MANIFEST = 'dataset.json'


@dataclass(frozen=True)
class SyntheticSettings:
    """What determines a synthetic dataset.

    Attributes:
        train: Number of training scenes, >= 0 and <= 500 000.
        val: Number of validation scenes, >= 0.
        size: Side of the square images in pixels, >= 64.
        seed: Seed, >= 0.

    Raises:
        ValueError: A value is out of range.
    """

    train: int = 400
    val: int = 100
    size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.seed) < 0 or self.train + self.val == 0:
            raise ValueError(
                'train, val and seed must not be negative and there must be a scene, '
                f'given train={self.train}, val={self.val}, seed={self.seed}'
            )
        if self.train >= FIRST_IDS['val']:
            raise ValueError(
                f'train must be below {FIRST_IDS["val"]}, given {self.train}'
            )
        if self.size < 64:
            raise ValueError(f'size must be at least 64 pixels, given {self.size}')


def make_synthetic(
    out: str | os.PathLike,
    settings: SyntheticSettings | None = None,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[dict[str, Any], bool]:
    """Write a synthetic dataset, or keep the one that is there.

    Everything is written into a temporary folder beside ``out``, which is renamed at
    the end: ``out`` is complete or absent. Equal settings give equal pixels and labels.

    Args:
        out: Root folder of the dataset.
        settings: What to make; the defaults if None.
        workers: Number of processes, >= 1. The result does not depend on it.
        overwrite: Replace whatever is at ``out``, with all that lies in it.
        progress: Called with the number of scenes that were just finished.

    Returns:
        The manifest, with statistics by split; and whether it was made now.

    Raises:
        FileExistsError: ``out`` holds something else and ``overwrite`` is off.
    """
    out = Path(out)
    settings = settings or SyntheticSettings()
    if not overwrite:
        existing = _existing_manifest(out, settings)
        if existing is not None:
            return existing, False
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f'.{out.name}.', dir=out.parent))
    try:
        work.chmod(0o755)
        manifest = _write_all(work, settings, workers, progress or (lambda done: None))
        _put_in_place(work, out)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return manifest, True


def _existing_manifest(out: Path, settings: SyntheticSettings) -> dict[str, Any] | None:
    """Manifest of a dataset with these settings; None if ``out`` is free."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    wanted = _identity(settings)
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding='utf-8'))
        found = {key: manifest[key] for key in wanted}
    except (OSError, ValueError, KeyError, TypeError):
        raise FileExistsError(
            f'{out} exists and is no synthetic dataset ({MANIFEST} is missing or '
            'broken); choose another folder, or --overwrite to replace it'
        ) from None
    if found != wanted:
        raise FileExistsError(
            f'{out} holds another synthetic dataset: {found}, wanted {wanted}; choose '
            'another folder, or --overwrite to replace it and all that lies in it'
        )
    return manifest


def _identity(settings: SyntheticSettings) -> dict[str, Any]:
    return {'generator_version': GENERATOR_VERSION, **asdict(settings)}


def _put_in_place(work: Path, out: Path) -> None:
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f'.{out.name}.old.', dir=out.parent))
        os.replace(out, old / 'replaced')
        os.replace(work, out)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(work, out)
    sync_directory(out.parent)


def _write_all(
    root: Path,
    settings: SyntheticSettings,
    workers: int,
    progress: Callable[[int], None],
) -> dict[str, Any]:
    manifest: dict[str, Any] = {**_identity(settings), 'statistics': {}}
    with OrderedPool(workers) as pool:
        for split, first in FIRST_IDS.items():
            _make_folders(root, split)
            write = functools.partial(
                write_scene,
                root=root,
                split=split,
                seed=settings.seed,
                size=settings.size,
            )
            ids = range(first, first + getattr(settings, split))
            records = []
            for record in pool.imap(write, ids, 'scene {}'.format):
                records.append(record)
                progress(1)
            _write_documents(root, split, records, ids, settings)
            manifest['statistics'][split] = scene_statistics(records)
    # Written last: without it the folder is no dataset.
    atomic_write_json(root / MANIFEST, manifest, indent=2)
    return manifest


def _make_folders(root: Path, split: str) -> None:
    for name in (
        split,
        f'annotations/panoptic_{split}',
        'voc/JPEGImages',
        'voc/SegmentationClass',
        'voc/SegmentationObject',
        'voc/ImageSets/Segmentation',
        'weak',
    ):
        (root / name).mkdir(parents=True, exist_ok=True)


def _write_documents(
    root: Path,
    split: str,
    records: Sequence[Record],
    ids: Sequence[int],
    settings: SyntheticSettings,
) -> None:
    info = {
        'description': f'synthetic scenes of mmwsis, {split}',
        'version': str(GENERATOR_VERSION),
        'mmwsis': {'tool': 'make_synthetic', **_identity(settings)},
    }
    categories = _panoptic_categories()
    keys = ('id', 'name', 'supercategory')
    things = [{key: c[key] for key in keys} for c in categories if c['isthing']]
    instances = {**coco_document(records, info, things, ids), 'licenses': []}
    panoptic = {**panoptic_document(records, info, categories), 'licenses': []}
    atomic_write_json(root / f'annotations/instances_{split}.json', instances)
    atomic_write_json(root / f'annotations/panoptic_{split}.json', panoptic)
    names = [Path(image['file_name']).stem for image in instances['images']]
    image_set = ''.join(f'{name}\n' for name in names)
    atomic_write_text(root / f'voc/ImageSets/Segmentation/{split}.txt', image_set)
    levels = [level for level in Supervision if level < Supervision.MASKS]
    source = f'instances_{split}.json'
    for level, document in derive_weak_coco(instances, levels, source=source).items():
        atomic_write_json(root / 'weak' / output_name(source, level), document)


def _panoptic_categories() -> list[dict[str, Any]]:
    return [
        {
            'id': number,
            'name': name,
            'supercategory': 'thing' if name in THING_CLASSES else 'stuff',
            'isthing': int(name in THING_CLASSES),
            'color': [(67 * number * k + 40 * k) % 256 for k in (1, 2, 3)],
        }
        for name, number in CATEGORY_IDS.items()
    ]
