"""All that a fully labelled file says of its images, as one COCO dictionary."""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.formats.checks import check_coco
from mmwsis.utils.parallel import OrderedPool

from .annotation_pass import Size, map_annotations
from .coco_panoptic import add_stuff_tags, is_panoptic, panoptic_to_instances
from .conversion import RunOptions
from .crop_tags import (
    check_crop_size,
    crops_of_annotation,
    mask_crop_tags,
    panoptic_crop_tags,
    with_crop_tags,
)


def complete_labels(
    document: Mapping[str, Any],
    source: Path,
    *,
    read_masks: bool,
    panoptic_dir: str | os.PathLike | None = None,
    stuff_tags: Sequence[str | os.PathLike] = (),
    crop_size: Size | None = None,
    pool: OrderedPool,
    run: RunOptions,
) -> dict[str, Any]:
    """Turn a panoptic file into objects and tags, and add tags that are asked for.

    Args:
        document: Parsed JSON: COCO or LVIS, or COCO panoptic.
        source: Its file.
        read_masks: Whether the masks of a panoptic file are wanted.
        panoptic_dir: Folder of a panoptic file's PNGs. Defaults to that of its name
            without ``.json``.
        stuff_tags: COCO panoptic JSONs that the images' stuff tags come from. Defaults
            to none.
        crop_size: Height and width in pixels of the crops whose tags are wanted.
            Defaults to None: tags of images alone.
        pool: Processes that read maps and masks.
        run: Of it ``skip_invalid`` and the display of progress.

    Returns:
        Checked COCO dictionary.

    Raises:
        FileNotFoundError: A file that is needed does not exist.
        ValueError: The file is not well formed.
    """
    coco, png_dir = document, panoptic_dir or source.with_suffix('')
    if is_panoptic(document):
        coco = panoptic_to_instances(
            document,
            png_dir,
            source=str(source),
            read_masks=read_masks,
            pool=pool,
            open_progress=run.open_progress,
        )
    check_coco(coco, str(source))
    if stuff_tags:
        coco = add_stuff_tags(coco, stuff_tags, str(source))
    if crop_size is not None:
        coco = _add_crop_tags(
            coco, document, png_dir, crop_size, str(source), pool, run
        )
    return coco


def _add_crop_tags(
    coco: Mapping[str, Any],
    document: Mapping[str, Any],
    png_dir: str | os.PathLike,
    crop_size: Size,
    source: str,
    pool: OrderedPool,
    run: RunOptions,
) -> dict[str, Any]:
    """Tags of crops: of all classes of a panoptic file, else of those with masks."""
    check_crop_size(coco['images'], crop_size, source)
    if is_panoptic(document):
        tags = panoptic_crop_tags(
            document,
            png_dir,
            crop_size,
            source=source,
            pool=pool,
            open_progress=run.open_progress,
        )
    else:
        crops = map_annotations(
            functools.partial(crops_of_annotation, crop_size=crop_size),
            coco,
            coco['annotations'],
            source=source,
            pool=pool,
            skip_invalid=run.skip_invalid,
            progress=run.open_progress(len(coco['annotations'])),
        )
        tags = mask_crop_tags(coco, crop_size, crops, source)
    return with_crop_tags(coco, crop_size, tags)
