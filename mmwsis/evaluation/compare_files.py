"""Comparing a pseudo-label file with the ground truth of the same images."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from mmwsis.annotation_masks import annotation_mask
from mmwsis.datasets.annotation_file import image_file_name, load_coco
from mmwsis.ops import encode_filled_box
from mmwsis.structures import annotation_place

from .mask_quality import (
    SEPARATED_MIN_PART,
    InstanceQuality,
    is_separated,
    mask_iou,
    summarize,
)
from .pseudo_label_ap import pseudo_label_ap

# Below this, starting processes costs more than they save.
_WORTH_PROCESSES = 5000


@dataclass
class Comparison:
    """Two files and what comparing them gave.

    Attributes:
        pseudo_path: The pseudo labels' file.
        gt_path: The ground truth's file.
        images: Image id -> entry of ``images``, of the images in both files.
        pseudo: Annotation id -> pseudo label.
        gt: Annotation id -> ground truth.
        names: Category id -> class name.
        instances: One entry a ground-truth object that is no crowd.
        average_precision: Of :func:`mmwsis.evaluation.pseudo_label_ap.pseudo_label_ap`.
    """

    pseudo_path: Path
    gt_path: Path
    images: dict[Any, dict]
    pseudo: dict[Any, dict]
    gt: dict[Any, dict]
    names: dict[Any, str]
    instances: list[InstanceQuality]
    images_left_out: int
    provenance: dict[str, Any]
    average_precision: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Figures of :func:`mmwsis.evaluation.summarize`, and where they come from."""
        return dict(
            pseudo_labels=self.pseudo_path.name,
            ground_truth=self.gt_path.name,
            provenance=self.provenance,
            images=len(self.images),
            images_left_out=self.images_left_out,
            **summarize(self.instances, self.names),
            average_precision=self.average_precision,
        )

    def worst(self, count: int) -> list[InstanceQuality]:
        """Objects with the lowest IoU; those without a mask first.

        Args:
            count: How many.
        """
        return sorted(self.instances, key=lambda item: item.iou)[:count]


def compare_files(
    pseudo_path: str | os.PathLike,
    gt_path: str | os.PathLike,
    separated_min_part: int = SEPARATED_MIN_PART,
    workers: int = 0,
    separated_path: str | os.PathLike | None = None,
) -> Comparison:
    """Measure pseudo labels against the ground truth, annotation by annotation.

    Only images in both files count, so ground truth of some images is enough.

    Args:
        pseudo_path: COCO JSON of ``tools/generate_pseudo_labels.py``.
        gt_path: COCO JSON with ``segmentation``; same ids.
        separated_min_part: Least size in pixels of a part of a separated object.
        workers: Processes, for large files; 0 measures in this one.
        separated_path: COCO JSON whose annotation ids say which objects are separated,
            from ``tools/dataset_converters/separated_coco.py``; by default those whose
            masks fall into several parts.

    Returns:
        The comparison.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: The files are about other images, classes or ids, or a mask is
            broken; the message names file and ids.
    """
    pseudo_path, gt_path = Path(pseudo_path), Path(gt_path)
    pseudo = load_coco(str(pseudo_path), 'masks')
    gt = load_coco(str(gt_path), 'masks')
    images = _shared_images(pseudo, gt, pseudo_path, gt_path)
    names = _shared_classes(pseudo, gt, pseudo_path, gt_path)
    result = Comparison(
        pseudo_path=pseudo_path,
        gt_path=gt_path,
        images=images,
        pseudo={a['id']: a for a in pseudo['annotations'] if a['image_id'] in images},
        gt={a['id']: a for a in gt['annotations'] if a['image_id'] in images},
        names=names,
        instances=[],
        images_left_out=len(gt['images']) - len(images),
        provenance=(pseudo.get('info') or {}).get('mmwsis', {}),
    )
    _check_ids(result)
    measure = partial(
        _measure,
        separated_min_part=separated_min_part,
        places=(str(pseudo_path), str(gt_path)),
    )
    result.instances = _measure_all(measure, list(_pairs(result)), workers)
    result.average_precision = pseudo_label_ap(
        result.pseudo.values(),
        result.gt.values(),
        images,
        names,
        sources=(str(pseudo_path), str(gt_path)),
        workers=workers,
    )
    if separated_path is not None:
        listed = _listed_ids(result, Path(separated_path))
        result.instances = [
            item._replace(separated=item.ann_id in listed) for item in result.instances
        ]
    return result


def _listed_ids(files: Comparison, path: Path) -> set[Any]:
    listed = load_coco(str(path), 'masks')['annotations']
    ids = {ann['id'] for ann in listed if ann['image_id'] in files.images}
    strangers = sorted(ids - files.gt.keys(), key=str)
    if strangers or not ids:
        what = f'lists the annotation ids {strangers[:5]}' if ids else 'has no image'
        raise ValueError(
            f'{path} {what} that {files.gt_path} does not have; make the list of '
            'separated objects from this ground truth.'
        )
    return ids


def _shared_images(
    pseudo: Mapping, gt: Mapping, pseudo_path: Path, gt_path: Path
) -> dict[Any, dict]:
    own = {image['id']: image for image in pseudo['images']}
    shared = {im['id']: im for im in gt['images'] if im['id'] in own}
    if not shared:
        raise ValueError(
            f'{pseudo_path} and {gt_path} share no image id '
            f'({len(own)} and {len(gt["images"])} images). Give the ground truth of '
            'the images that were labelled.'
        )
    for image_id, image in shared.items():
        for key, read in (('file name', _base_name), ('size', _size)):
            if read(image) != read(own[image_id]):
                raise ValueError(
                    f'{pseudo_path} and {gt_path} are about different images: image id '
                    f'{image_id!r} has {key} {read(own[image_id])} in the first and '
                    f'{read(image)} in the second.'
                )
    return shared


def _base_name(image: Mapping[str, Any]) -> str:
    return Path(image_file_name(image)).name


def _size(image: Mapping[str, Any]) -> str:
    return f'{image["width"]}x{image["height"]}'


def _shared_classes(
    pseudo: Mapping, gt: Mapping, pseudo_path: Path, gt_path: Path
) -> dict[Any, str]:
    names = {category['id']: category['name'] for category in gt['categories']}
    for category in pseudo['categories']:
        other = names.get(category['id'])
        if other != category['name']:
            raise ValueError(
                f'{pseudo_path} and {gt_path} have different classes: category id '
                f'{category["id"]!r} is {category["name"]!r} in the first and '
                f'{other!r} in the second.'
            )
    return names


def _check_ids(files: Comparison) -> None:
    strangers = [key for key in files.pseudo if key not in files.gt]
    if strangers:
        raise ValueError(
            f'{len(strangers)} of {len(files.pseudo)} annotation ids of '
            f'{files.pseudo_path} are not in {files.gt_path}, the first are '
            f'{strangers[:5]}. Pseudo labels keep the ids of the weak annotations, and '
            'these those of the ground truth: was the weak file made from another one?'
        )
    for key, pseudo in files.pseudo.items():
        for entry in ('image_id', 'category_id'):
            if pseudo[entry] != files.gt[key][entry]:
                raise ValueError(
                    f'annotation id {key!r} has {entry} {pseudo[entry]!r} in '
                    f'{files.pseudo_path} and {files.gt[key][entry]!r} in '
                    f'{files.gt_path}; the files do not belong together.'
                )


def _pairs(files: Comparison) -> Iterator[tuple[dict, dict | None, tuple[int, int]]]:
    for key, gt in files.gt.items():
        if not gt.get('iscrowd'):
            image = files.images[gt['image_id']]
            yield gt, files.pseudo.get(key), (image['height'], image['width'])


def _measure_all(measure: Any, pairs: list, workers: int) -> list[InstanceQuality]:
    if workers > 1 and len(pairs) >= _WORTH_PROCESSES:
        with ProcessPoolExecutor(workers) as pool:
            return list(pool.map(measure, pairs, chunksize=200))
    return [measure(pair) for pair in pairs]


def _measure(
    pair: tuple[dict, dict | None, tuple[int, int]],
    separated_min_part: int,
    places: tuple[str, str],
) -> InstanceQuality:
    """Quality of one object."""
    gt, pseudo, size = pair
    truth = annotation_mask(
        gt.get('segmentation'), size, annotation_place(places[1], gt)
    )
    pred, weak = None, gt
    if pseudo is not None:
        where = annotation_place(places[0], pseudo)
        pred = annotation_mask(pseudo.get('segmentation'), size, where)
        weak = pseudo
    bbox = weak.get('weak_bbox') or gt['bbox']
    box = coco_mask.decode(encode_filled_box(bbox, size))
    return InstanceQuality(
        ann_id=gt['id'],
        image_id=gt['image_id'],
        category_id=gt['category_id'],
        iou=0.0 if pred is None else mask_iou(pred, truth),
        box_iou=mask_iou(box, truth),
        box_area=float(gt['bbox'][2] * gt['bbox'][3]),
        separated=is_separated(truth, separated_min_part),
        missing=pred is None,
        empty=bool(pseudo and pseudo.get('empty_prediction')),
    )
