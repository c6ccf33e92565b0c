"""Cityscapes, fine or coarse, as COCO JSON: instances and panoptic."""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.structures.supervision import Supervision

from .cityscapes_classes import (
    CITYSCAPES_SIZES,
    CITYSCAPES_THINGS,
    TRAIN_ID_VOID,
    cityscapes_categories,
)
from .cityscapes_labels import (
    Segment,
    ids_from_train_ids,
    image_entry,
    image_segments,
    is_void,
    object_entries,
)
from .conversion import RunOptions, source_block
from .image_records import Record, Summary, coco_document, compare_size, convert_images
from .label_maps import check_size, image_shape, read_labels, recode
from .outputs import Outputs
from .panoptic_output import (
    panoptic_document,
    panoptic_json,
    write_png,
    write_segment_ids,
)

KINDS = {'fine': 'gtFine', 'coarse': 'gtCoarse'}
SPLITS = ('train', 'val', 'test', 'train_extra')
LABEL_FILES = ('instanceIds', 'instanceTrainIds')
CATEGORY_IDS = ('ids', 'trainIds')


@dataclass(frozen=True)
class CityscapesOptions:
    """How a split of Cityscapes is converted.

    Attributes:
        root: Folder with leftImg8bit and gtFine or gtCoarse.
        kind: 'gtFine' or 'gtCoarse'.
        split: One of :data:`SPLITS`.
        label_files: 'instanceIds', the files of the archive, or 'instanceTrainIds',
            which cityscapesscripts makes of them.
        category_ids: 'ids' (7 to 33) or 'trainIds' (0 to 18).
        panoptic_dir: Folder for panoptic PNGs, beside which their JSON is written under
            the same name; None writes none.
        semantic_dir: Folder for ``<city>/<name>_labelTrainIds.png``, which
            mmsegmentation reads beside the label files; None writes none.
    """

    root: Path
    kind: str
    split: str
    label_files: str = 'instanceIds'
    category_ids: str = 'ids'
    panoptic_dir: Path | None = None
    semantic_dir: Path | None = None

    @property
    def label_folder(self) -> Path:
        """Folder of the split's label files."""
        return self.root / self.kind / self.split

    def categories(self) -> list[dict]:
        """Categories of the documents."""
        return cityscapes_categories(self.category_ids == 'trainIds')


def convert_split(
    options: CityscapesOptions, output: str | os.PathLike, run: RunOptions | None = None
) -> Summary:
    """Convert one split.

    Args:
        options: What and how.
        output: COCO instances JSON to write.
        run: How the conversion runs; the defaults if None.

    Returns:
        The document, what was left out, and warnings. Things have masks and boxes;
        groups of things have ``iscrowd`` 1. Images have ``tags``, things and stuff,
        and ``void``, a compressed RLE of the pixels that are neither trained nor
        measured on.

    Raises:
        ConversionError: Images are broken, and ``skip_invalid`` is off.
        FileExistsError: An output exists, and ``overwrite`` is off.
        FileNotFoundError: There are no label files.
    """
    names = find_names(options)
    with Outputs() as files:
        folders = dict(
            semantic_dir=options.semantic_dir, panoptic_dir=options.panoptic_dir
        )
        staged = {key: files.folder(path) for key, path in folders.items() if path}
        document, left_out = convert_images(
            names,
            functools.partial(
                image_record, options=dataclasses.replace(options, **staged)
            ),
            [output, *panoptic_json(options.panoptic_dir)],
            functools.partial(_assemble, options=options, files=files),
            run or RunOptions(),
            files,
            options.label_folder,
        )
    key = (options.kind, options.split)
    published, where = CITYSCAPES_SIZES.get(key), f'Cityscapes {" ".join(key)}'
    warnings = compare_size(document, 'images', published, where)
    return Summary(document, left_out, warnings)


def find_names(options: CityscapesOptions) -> list[str]:
    """Images of a split that have labels.

    Args:
        options: Where and which.

    Returns:
        Names such as 'aachen/aachen_000000_000019', sorted.

    Raises:
        FileNotFoundError: There are none.
    """
    folder = options.label_folder
    ending = f'_{options.kind}_{options.label_files}.png'
    files = sorted(folder.glob(f'*/*{ending}'))
    if not files:
        hint = ''
        if options.label_files == 'instanceTrainIds':
            hint = '; cityscapesscripts makes these, the archive has instanceIds'
        raise FileNotFoundError(f'{folder}: has no files */*{ending}{hint}')
    return [f'{file.parent.name}/{file.name.removesuffix(ending)}' for file in files]


def image_record(name: str, options: CityscapesOptions) -> Record:
    """Convert one image.

    Args:
        name: Of :func:`find_names`.
        options: How.

    Returns:
        ``image`` (without id), ``objects``, ``segments`` (of the panoptic annotation).

    Raises:
        FileNotFoundError: The image is missing.
        ValueError: The labels are broken; the message names the file and the number.
    """
    stem = f'{name}_{options.kind}'
    path = options.label_folder / f'{stem}_{options.label_files}.png'
    labels = read_labels(path, f'Cityscapes {options.label_files} file (16 bit PNG)')
    labels = labels.astype(np.uint16)
    if options.label_files == 'instanceTrainIds':
        labels = ids_from_train_ids(labels, path)
    file_name = f'{name}_leftImg8bit.png'
    photograph = options.root / 'leftImg8bit' / options.split / file_name
    check_size(labels, image_shape(photograph), path, photograph)
    segments = image_segments(labels, path)
    category_ids = {entry['name']: entry['id'] for entry in options.categories()}
    measured = [segment for segment in segments if not is_void(segment)]
    tags = [category_ids[one.label.name] for one in measured]
    if options.panoptic_dir is not None:
        # Named like the image: MMDetection looks for it under that name.
        ids = recode(labels, {one.number: one.number for one in measured}, other=0)
        write_segment_ids(options.panoptic_dir / file_name, ids)
    if options.semantic_dir is not None:
        target = options.semantic_dir / f'{stem}_labelTrainIds.png'
        train_ids = {one.number: one.label.train_id for one in segments}
        write_png(target, recode(labels, train_ids, TRAIN_ID_VOID).astype(np.uint8))
    things = {key: category_ids[key] for key in CITYSCAPES_THINGS}
    return dict(
        image=image_entry(file_name, labels, segments, tags),
        objects=object_entries(segments, things),
        segments=[_segment_info(one, category_ids) for one in measured],
    )


def _segment_info(segment: Segment, category_ids: Mapping[str, int]) -> dict[str, Any]:
    category_id = category_ids[segment.label.name]
    entry = segment.region.entry(category_id, int(segment.is_group))
    return {'id': segment.number, **entry}


def _assemble(
    records: Sequence[Record], options: CityscapesOptions, files: Outputs
) -> dict[str, Any]:
    info = {
        'description': f'Cityscapes {options.kind} {options.split}',
        'mmwsis': source_block(
            'cityscapes2coco',
            options.label_files,
            Supervision.MASKS,
            category_ids=options.category_ids,
        ),
    }
    document = coco_document(records, info, options.categories())
    for path in panoptic_json(options.panoptic_dir):
        panoptic = panoptic_document(records, info, options.categories())
        files.json(path, panoptic, options.label_folder)
    return document
