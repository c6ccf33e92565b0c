"""Comparing a pseudo-label file with the ground truth of the same images."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from mmwsis.formats.coco_file import image_file_name, load_coco
from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.formats.provenance import provenance_of
from mmwsis.ops import encode_filled_box
from mmwsis.ops.connected_components import SEPARATED_MIN_AREA, is_separated
from mmwsis.structures import annotation_place
from mmwsis.utils.parallel import map_processes

from .collapse_report import collapse_of_file, weak_box
from .mask_quality import InstanceQuality, edge_offsets, mask_iou, summarize
from .matched_quality import best_matches, matched_by_overlap
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
        matched: Whether objects and pseudo labels were matched by overlap, not by id.
        average_precision: Of :func:`mmwsis.evaluation.pseudo_label_ap.pseudo_label_ap`.
        collapse: Of :func:`mmwsis.evaluation.collapse_report.collapse_of_file`.
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
    matched: bool = False
    average_precision: dict[str, Any] = field(default_factory=dict)
    collapse: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Figures of :func:`~mmwsis.evaluation.mask_quality.summarize`, and sources."""
        return dict(
            pseudo_labels=self.pseudo_path.name,
            ground_truth=self.gt_path.name,
            provenance=self.provenance,
            images=len(self.images),
            images_left_out=self.images_left_out,
            matched_by='overlap' if self.matched else 'id',
            **summarize(self.instances, self.names),
            **(dict(found=len(self.pseudo)) if self.matched else {}),
            average_precision=self.average_precision,
            collapse=self.collapse,
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
    separated_min_part: int = SEPARATED_MIN_AREA,
    workers: int = 0,
    separated_path: str | os.PathLike | None = None,
    match: str = 'auto',
) -> Comparison:
    """Measure pseudo labels against the ground truth, object by object.

    Pseudo labels of known objects keep the ids of the ground truth. Instances that a
    labeler found in whole images have ids of their own: an object then gets the label
    of its image and class that overlaps it most, and the labels as a whole an average
    precision.

    Only images in both files count, so ground truth of some images is enough.

    Args:
        pseudo_path: COCO JSON of ``tools/generate_pseudo_labels.py``.
        gt_path: COCO JSON with ``segmentation``.
        separated_min_part: Least size in pixels of a part of a separated object.
        workers: Processes, for large files; 0 measures in this one.
        separated_path: COCO JSON whose annotation ids say which objects are separated,
            from ``tools/dataset_converters/separated_coco.py``; by default those whose
            masks fall into several parts.
        match: 'id', 'overlap', or 'auto', which reads from the file what it holds.

    Returns:
        The comparison.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: The files are about other images, classes or ids, or a mask is
            broken; the message names file and ids.
    """
    if match not in ('auto', 'id', 'overlap'):
        raise ValueError(f"match must be 'auto', 'id' or 'overlap', got {match!r}.")
    pseudo_path, gt_path = Path(pseudo_path), Path(gt_path)
    pseudo = load_coco(str(pseudo_path), 'masks')
    gt = load_coco(str(gt_path), 'masks')
    images = shared_images(pseudo, gt, pseudo_path, gt_path)
    own, names = ({c['id']: c['name'] for c in x['categories']} for x in (pseudo, gt))
    check_same_classes(own, names, pseudo_path, gt_path)
    result = Comparison(
        pseudo_path=pseudo_path,
        gt_path=gt_path,
        images=images,
        pseudo={a['id']: a for a in pseudo['annotations'] if a['image_id'] in images},
        gt={a['id']: a for a in gt['annotations'] if a['image_id'] in images},
        names=names,
        instances=[],
        images_left_out=len(gt['images']) - len(images),
        provenance=provenance_of(pseudo),
        matched=matched_by_overlap(pseudo) if match == 'auto' else match == 'overlap',
        collapse=collapse_of_file(pseudo, pseudo_path),
    )
    if not result.matched:
        _check_ids(result)
    measure = partial(
        _measure,
        separated_min_part=separated_min_part,
        places=(str(pseudo_path), str(gt_path)),
    )
    pairs = list(_pairs(result))
    result.instances = map_processes(measure, pairs, workers, _WORTH_PROCESSES)
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


def shared_images(
    pseudo: Mapping, gt: Mapping, pseudo_path: Path, gt_path: Path
) -> dict[Any, dict]:
    """Images that are in both files.

    Args:
        pseudo: COCO JSON of pseudo labels.
        gt: COCO JSON of ground truth.
        pseudo_path: The first file, for messages.
        gt_path: The second.

    Returns:
        Image id -> entry of the ground truth's ``images``.

    Raises:
        ValueError: There is none, or an id means two images.
    """
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


def check_same_classes(
    own: Mapping[Any, str], names: Mapping[Any, str], path: Any, other_path: Any
) -> None:
    """Refuse files whose category ids mean different classes.

    Args:
        own: Category id -> name in the first file.
        names: The same in the second, which may have more.
        path: The first file, for messages.
        other_path: The second.

    Raises:
        ValueError: A category of the first has another name in the second, or none.
    """
    for key, name in own.items():
        if names.get(key) != name:
            raise ValueError(
                f'{path} and {other_path} have different classes: category id {key!r} '
                f'is {name!r} in the first and {names.get(key)!r} in the second.'
            )


def _check_ids(files: Comparison) -> None:
    strangers = [key for key in files.pseudo if key not in files.gt]
    if strangers:
        raise ValueError(
            f'{len(strangers)} of {len(files.pseudo)} annotation ids of '
            f'{files.pseudo_path} are not in {files.gt_path}, the first are '
            f'{strangers[:5]}. Pseudo labels keep the ids of the weak annotations, and '
            'these those of the ground truth: was the weak file made from another one? '
            'Instances found in whole images are compared with --match overlap.'
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
    objects = [gt for gt in files.gt.values() if not gt.get('iscrowd')]
    own = {gt['id']: gt['id'] for gt in objects}
    if files.matched:
        own = best_matches(files.pseudo.values(), objects, _rle_reader(files))
    for gt in objects:
        image = files.images[gt['image_id']]
        pseudo = files.pseudo.get(own[gt['id']])
        yield gt, pseudo, (image['height'], image['width'])


def _rle_reader(files: Comparison) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Compressed RLEs of the annotations of both files, checked."""

    def read(annotation: Mapping[str, Any]) -> dict[str, Any]:
        image = files.images[annotation['image_id']]
        path = (
            files.pseudo_path
            if files.pseudo.get(annotation['id']) is annotation
            else files.gt_path
        )
        mask = annotation_mask(
            annotation.get('segmentation'),
            (image['height'], image['width']),
            annotation_place(str(path), annotation),
        )
        return coco_mask.encode(mask)

    return read


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
    bbox = weak_box(weak, places[pseudo is None]) or gt['bbox']
    box_iou = mask_iou(coco_mask.decode(encode_filled_box(bbox, size)), truth)
    return InstanceQuality(
        ann_id=gt['id'],
        image_id=gt['image_id'],
        category_id=gt['category_id'],
        iou=0.0 if pred is None else mask_iou(pred, truth),
        box_iou=box_iou,
        box_area=float(gt['bbox'][2] * gt['bbox'][3]),
        separated=is_separated(truth, separated_min_part),
        missing=pred is None,
        empty=bool(pseudo and pseudo.get('empty_prediction')),
        pseudo_id=None if pseudo is None else pseudo['id'],
        edges=None if pred is None else edge_offsets(pred, truth),
    )
