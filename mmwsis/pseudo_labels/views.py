"""Labels of the same objects from another view of their images.

Where a labeler is sure, it gives the mirror image the mirrored mask, and an object the
same mask at another size. How far two views agree is therefore a sign of how good a
mask is (:mod:`mmwsis.evaluation.label_signals`), for the price of labelling twice.

A view changes the data pipeline alone, so it is the same for every labeler: whole
images are mirrored when loaded, or rescaled after their last resizing; objects cut out
come from the mirror image, or from a wider surrounding and so smaller. Masks of scaled
views have the original image's coordinates already, those of mirror images are
mirrored back.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.config import Config
from pycocotools import mask as coco_mask

VIEWS = ('mirrored', 'scaled')
SCALE = 0.75
# Kinds of artifacts whose records are masks.
VIEWED = ('object_masks', 'instances')
# What loads an image and what belongs to it.
_FIRST = ('Load', 'Generate', 'CropTags')
# What makes an image fit the network, after all resizing.
_LAST = ('ResizeToMultiple',)
_TEST_MARGIN = 0.3  # ObjectCrop's own


def viewed_config(cfg: Config, view: str) -> Config:
    """Config whose ``pseudo_label_dataloader`` loads a view.

    Args:
        cfg: Config of a labeler; stays as it is.
        view: One of :data:`VIEWS`.

    Raises:
        ValueError: See :func:`view_pipeline`.
    """
    cfg = copy.deepcopy(cfg)
    dataset = cfg.pseudo_label_dataloader.dataset
    dataset.pipeline = view_pipeline(dataset.get('pipeline', ()), view)
    return cfg


def check_has_views(kind: str) -> None:
    """Refuse artifacts that are no masks.

    Args:
        kind: Of the artifact.

    Raises:
        ValueError: Views of it are not made.
    """
    if kind not in VIEWED:
        raise ValueError(
            f'a view is labelled with masks only ({", ".join(VIEWED)}); this run makes '
            f'{kind}. Leave out --view.'
        )


def view_pipeline(
    pipeline: Sequence[Mapping[str, Any]], view: str
) -> list[dict[str, Any]]:
    """Data pipeline of a view.

    Args:
        pipeline: Of ``pseudo_label_dataloader.dataset``; ends with packing.
        view: 'mirrored'; 'scaled': everything at 0.75 of its size.

    Returns:
        A new pipeline.

    Raises:
        ValueError: Another view, one that the model does not have, or no pipeline.

    Example:
        >>> steps = [dict(type='LoadImageFromFile'), dict(type='PackDetInputs')]
        >>> [step['type'] for step in view_pipeline(steps, 'mirrored')]
        ['LoadImageFromFile', 'mmwsis.MirroredImage', 'PackDetInputs']
    """
    if view not in VIEWS:
        raise ValueError(f'view must be one of {VIEWS}, got {view!r}.')
    steps = copy.deepcopy([dict(step) for step in pipeline])
    names = [str(step['type']).rpartition('.')[2] for step in steps]
    if not names or not names[-1].startswith('Pack'):
        raise ValueError(
            'a view needs a data pipeline that ends with packing, got the steps '
            f'{names}.'
        )
    if names[-1] == 'PackPrompts':
        return _prompted_view(steps, view)
    if 'ObjectCrop' in names:
        return _object_view(steps, names.index('ObjectCrop'), view)
    if view == 'mirrored':
        step = dict(type='mmwsis.MirroredImage')
        place = next(i for i, name in enumerate(names) if not name.startswith(_FIRST))
    else:
        step = dict(type='mmwsis.RandomRescale', scale=(SCALE, SCALE))
        place = len(steps) - 1
        while names[place - 1] in _LAST:
            place -= 1
    return [*steps[:place], step, *steps[place:]]


def _prompted_view(steps: list[dict], view: str) -> list[dict[str, Any]]:
    if view == 'scaled':
        raise ValueError(
            'models that are prompted resize every image to the same size: they have '
            "no scaled view. Take 'mirrored'."
        )
    steps[-1]['mirrored'] = True
    return steps


def _object_view(steps: list[dict], place: int, view: str) -> list[dict[str, Any]]:
    if view == 'mirrored':
        return [*steps[:place], dict(type='mmwsis.MirroredObjectImage'), *steps[place:]]
    crop = steps[place]
    # Half a side of the box and the margin fill half the crop.
    crop['test_margin'] = (1 + crop.get('test_margin', _TEST_MARGIN)) / SCALE - 1
    return steps


def original_record(record: Mapping[str, Any], view: str | None) -> dict[str, Any]:
    """What a part file keeps of a view, in coordinates of the original image.

    Args:
        record: Of an artifact in :data:`VIEWED`: one mask, or those of an image,
            ``instances`` or ``objects``.
        view: One of :data:`VIEWS`, or None.

    Returns:
        The record; masks and boxes of the mirror image are mirrored back.
    """
    if view != 'mirrored':
        return dict(record)
    for key in ('instances', 'objects'):
        if key in record:
            return {**record, key: [_mirrored_back(one) for one in record[key]]}
    return _mirrored_back(record)


def _mirrored_back(entry: Mapping[str, Any]) -> dict[str, Any]:
    if 'segmentation' not in entry:
        return dict(entry)
    mask = coco_mask.decode(entry['segmentation'])[:, ::-1]
    rle = coco_mask.encode(np.asfortranarray(mask))
    segmentation = dict(entry['segmentation'], counts=rle['counts'].decode('ascii'))
    box = coco_mask.toBbox(rle).tolist()
    return dict(entry, segmentation=segmentation, bbox=box)
