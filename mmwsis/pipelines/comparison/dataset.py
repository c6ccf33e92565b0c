"""The dataset of a comparison: its masks, what they cost, and subsets for a budget."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwsis.dataset_converters.budget import Cost, budget_rows
from mmwsis.dataset_converters.mixture import rank_images
from mmwsis.engine.data_spec import load_data_spec
from mmwsis.formats.coco_file import read_coco
from mmwsis.utils.fileio import atomic_write_json

from ..linked_data import link_files, write_data_spec

LEVELS = ('image_tags', 'points', 'boxes', 'extreme_points', 'masks')


@dataclass(frozen=True)
class MaskedDataset:
    """A dataset with masks of the training and of the validation images.

    Attributes:
        spec: Of :func:`~mmwsis.engine.data_spec.load_data_spec`, paths absolute.
        coco: Content of the training file; objects of the dataset's classes alone.
        objects: Objects per image id, without crowd regions.
        num_val: Number of validation images.
    """

    spec: dict[str, Any]
    coco: dict[str, Any]
    objects: dict[Any, int]
    num_val: int

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.spec['name']

    @property
    def ann_file(self) -> str:
        """File of the training masks."""
        return self.spec['train']['ann_file']

    def drawn(self, count: int, seed: int) -> list[Any]:
        """Ids of the first ``count`` training images of a draw."""
        return rank_images(list(self.objects), seed)[:count]

    def seconds(self, cost: Cost, ids: Sequence[Any] | None = None) -> float:
        """What labels take.

        Args:
            cost: Of their level.
            ids: Images. Defaults to None, all.
        """
        ids = list(self.objects) if ids is None else ids
        return cost.image * len(ids) + cost.obj * sum(self.objects[one] for one in ids)

    def affordable(
        self, seconds: float, costs: Mapping[str, Cost], seed: int
    ) -> dict[str, int]:
        """How many images of the draw each level can afford.

        Args:
            seconds: The budget.
            costs: Cost by level; the levels that are wanted.
            seed: Of the draw.

        Raises:
            ValueError: The budget buys no image of a level, or none with an object.
        """
        counts = {}
        for row in budget_rows(self.coco, seconds, costs, seed, self.ann_file):
            if not row.objects:
                raise ValueError(
                    f'{self.ann_file}: {seconds / 3600:g} hours buy '
                    f'{len(row.image_ids)} images of level {row.level}, and no object '
                    f'is in them (seed {seed}). Give a larger --budget.'
                )
            counts[row.level] = len(row.image_ids)
        return counts

    def missing_classes(self, ids: Sequence[Any]) -> list[str]:
        """Classes that no object of some images belongs to."""
        wanted = set(ids)
        names = {one['id']: one['name'] for one in self.coco['categories']}
        shown = {
            names[ann['category_id']]
            for ann in self.coco['annotations']
            if ann['image_id'] in wanted
        }
        return [name for name in self.spec['classes'] if name not in shown]

    def link(self, folder: Path, ids: Sequence[Any] | None = None) -> Path:
        """Make a data root in a folder, and the dataset file of it.

        Args:
            folder: Relative paths of the dataset file start here.
            ids: Training images. Defaults to None, all.

        Returns:
            The dataset file.
        """
        train, val = self.spec['train'], self.spec['val']
        own = {'train': train['img'], 'val': val['img']}
        own['instances_val.json'] = val['ann_file']
        if ids is None:
            own['instances_train.json'] = self.ann_file
        link_files(folder / 'data', own)
        if ids is not None:
            self._write_subset(folder / 'data/instances_train.json', ids)
        write_data_spec(folder / 'dataset.py', self.own_spec())
        return folder / 'dataset.py'

    def own_spec(self) -> dict[str, Any]:
        """The ``data_spec`` of a folder that :meth:`link` makes."""
        weak = {level: f'weak/{level}.json' for level in LEVELS[:-1]}
        train = dict(img='train/', ann_file='instances_train.json', weak=weak)
        return dict(
            name=self.name,
            data_root='data',
            classes=self.spec['classes'],
            train=train,
            val=dict(img='val/', ann_file='instances_val.json'),
            image_scale=self.spec['image_scale'],
        )

    def _write_subset(self, path: Path, ids: Sequence[Any]) -> None:
        wanted = set(ids)
        if path.is_file():
            there = read_coco(path)['images']
            if {image['id'] for image in there} == wanted:
                return
        coco = dict(self.coco)
        coco['images'] = [one for one in coco['images'] if one['id'] in wanted]
        coco['annotations'] = [
            one for one in coco['annotations'] if one['image_id'] in wanted
        ]
        atomic_write_json(path, coco)


def read_masked_dataset(path: str | os.PathLike) -> MaskedDataset:
    """Read a dataset file and what it needs for a comparison.

    Args:
        path: Dataset file.

    Raises:
        FileNotFoundError: It, or a file or folder that it names, does not exist.
        ValueError: It has no masks of the training images, no validation images with
            masks, or classes that a file does not list.
    """
    spec = load_data_spec(path)
    train, val = spec['train'], spec['val']
    remedy = 'All levels are derived from masks, and measured against masks.'
    if not train['ann_file']:
        raise ValueError(
            f'{path}: data_spec.train has no ann_file (masks of the training images). '
            f'{remedy}'
        )
    if not val or not val['ann_file']:
        raise ValueError(
            f'{path}: data_spec has no val with an ann_file (masks to measure on). '
            f'{remedy}'
        )
    root = os.path.abspath(spec['data_root'])
    for part in (train, val):
        part['img'] = os.path.join(root, part['img'])
        part['ann_file'] = os.path.join(root, part['ann_file'])
    coco = _with_masks(train['ann_file'], spec['classes'])
    measured = _with_masks(val['ann_file'], spec['classes'])
    objects = Counter({image['id']: 0 for image in coco['images']})
    objects.update(
        ann['image_id'] for ann in coco['annotations'] if not ann.get('iscrowd', 0)
    )
    return MaskedDataset(spec, coco, dict(objects), len(measured['images']))


def _with_masks(file: str, classes: Sequence[str]) -> dict[str, Any]:
    """Read a file; keep the objects of the classes, each of which has a mask."""
    coco = read_coco(file)
    names = {one['id']: one['name'] for one in coco['categories']}
    unknown = [name for name in classes if name not in names.values()]
    if unknown:
        raise ValueError(
            f'{file}: the dataset file has the classes {unknown}, which are not among '
            f'its categories {sorted(names.values())}. Correct data_spec.classes.'
        )
    kept = [ann for ann in coco['annotations'] if names[ann['category_id']] in classes]
    bare = [ann['id'] for ann in kept if not ann.get('segmentation')]
    if bare:
        raise ValueError(
            f'{file}: annotation {bare[0]} has no mask (segmentation), and neither '
            f'have {len(bare) - 1} others. Every level is derived from masks: add '
            'them, or leave these objects out.'
        )
    if not kept:
        raise ValueError(f'{file}: there is no object of the classes {[*classes]}.')
    return {**coco, 'annotations': kept}
