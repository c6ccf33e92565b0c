"""PASCAL VOC 2012 and SBD as COCO JSON."""

import dataclasses
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.structures.supervision import Supervision
from mmwsis.utils.fileio import atomic_write_bytes

from .conversion import RunOptions, source_block
from .image_records import (
    Record,
    Summary,
    coco_document,
    compare_size,
    convert_images,
    sum_notes,
)
from .label_maps import bitmap_region, check_size, image_shape, label_regions
from .outputs import Outputs
from .panoptic_output import panoptic_document, panoptic_json, write_segment_ids
from .voc_classes import (
    VOC_CLASSES,
    VOC_SIZES,
    VOC_VOID,
    SplitSize,
    voc_categories,
    voc_label_png,
    voc_panoptic_categories,
)
from .voc_labels import (
    VocLabels,
    match_difficult,
    read_sbd_labels,
    read_voc_labels,
    read_xml,
)
from .voc_layout import VocLayout, image_ids, split_names

TAGS = ('masks', 'xml')
# Objects are numbered up to 254, so that this number is free.
BACKGROUND_SEGMENT = 256
_UNMATCHED = 'masks that no box of the XML belongs to, not flagged'
_NO_XML = 'images without XML, whose difficult objects are not known'


@dataclass(frozen=True)
class VocOptions:
    """How VOC is converted.

    Attributes:
        tags: Where the image tags come from: 'masks', the class map; or 'xml', the
            box annotations (IRNet), which name objects that no mask shows, too.
        semantic_dir: Folder for semantic maps, ``<name>.png`` with VOC's colours: 0
            background, 1 to 20 the classes, 255 void; None writes none.
        panoptic_dir: Folder for panoptic PNGs, ``<name>.png``, beside which their JSON
            is written under the same name; None writes none.
    """

    tags: str = 'masks'
    semantic_dir: str | None = None
    panoptic_dir: str | None = None


def convert_split(
    layout: VocLayout,
    split: str | os.PathLike,
    output: str | os.PathLike,
    options: VocOptions | None = None,
    run: RunOptions | None = None,
) -> Summary:
    """Convert one split of VOC 2012, with SBD's masks where VOC has none.

    Args:
        layout: Where the dataset is.
        split: One of :data:`mmwsis.dataset_converters.voc_layout.SPLITS`, or a text
            file with one image name per line.
        output: JSON file to write, in one step at the end.
        options: How; the defaults if None.
        run: How the conversion runs; the defaults if None.

    Returns:
        The document, what was left out, and warnings. Annotations have
        ``segmentation``, ``bbox``, ``area``, ``iscrowd`` 0 and, where the XML tells,
        ``difficult``; images have ``tags`` and, where there is void, ``void``: a
        compressed RLE of the pixels that belong to no label and must be neither
        trained nor measured on.

    Raises:
        FileExistsError: An output exists, and ``overwrite`` is off.
        FileNotFoundError: A list is missing.
        ConversionError: Images are broken, and ``skip_invalid`` is off.
        ValueError: A list is broken, or SBD is needed and not given.
    """
    options = options or VocOptions()
    names = split_names(layout, str(split))
    with Outputs() as files:
        folders = dict(
            semantic_dir=options.semantic_dir, panoptic_dir=options.panoptic_dir
        )
        staged = {key: str(files.folder(path)) for key, path in folders.items() if path}
        document, left_out = convert_images(
            names,
            functools.partial(
                image_record,
                layout=layout,
                options=dataclasses.replace(options, **staged),
            ),
            [output, *panoptic_json(options.panoptic_dir)],
            functools.partial(
                _assemble, split=str(split), options=options, files=files
            ),
            run or RunOptions(),
            files,
            layout.voc,
        )
    published = VOC_SIZES.get(str(split), SplitSize(None, None))
    where = f'VOC 2012 {split}'
    notes = document['info']['mmwsis']['notes']
    warnings = [
        *compare_size(document, 'images', published.images, where),
        *compare_size(document, 'annotations', published.objects, where),
        *(f'{count} {note}' for note, count in notes.items()),
    ]
    return Summary(document, left_out, warnings)


def image_record(name: str, layout: VocLayout, options: VocOptions) -> Record:
    """Convert one image.

    VOC's own masks come before SBD's, because they have void and finer outlines.

    Args:
        name: Such as '2007_000032'.
        layout: Where the dataset is.
        options: How.

    Returns:
        ``image`` (without id), ``objects``, ``source`` ('voc' or 'sbd'), ``notes``.

    Raises:
        FileNotFoundError: The image or its labels are missing.
        ValueError: The labels are broken; the message names the file.
    """
    labels, path = _read_labels(name, layout)
    size = image_shape(layout.image(name))
    check_size(labels.objects, size, path, layout.image(name))
    regions = label_regions(labels.objects)
    objects = [
        {**regions[number].entry(category_id), 'segmentation': regions[number].rle}
        for number, category_id in labels.class_of.items()
        if number in regions
    ]
    notes = dict(labels.notes)
    present = set(np.unique(labels.classes).tolist()) - {0, VOC_VOID}
    present |= {entry['category_id'] for entry in objects}
    present = _add_xml(objects, present, layout.boxes(name), options, notes)
    image = dict(file_name=f'{name}.jpg', height=size[0], width=size[1])
    image['tags'] = sorted(present)
    void = bitmap_region(labels.objects == VOC_VOID)
    if void is not None:
        image['void'] = void.rle
    if options.semantic_dir is not None:
        target = Path(options.semantic_dir, f'{name}.png')
        atomic_write_bytes(target, voc_label_png(labels.classes))
    source = 'sbd' if path.suffix == '.mat' else 'voc'
    record = dict(image=image, objects=objects, source=source, notes=notes)
    if options.panoptic_dir is not None:
        record['segments'] = _panoptic(name, labels, options.panoptic_dir)
    return record


def _panoptic(name: str, labels: VocLabels, folder: str) -> list[dict[str, Any]]:
    """Write the PNG of an image; returns its segments.

    Pixels of SBD whose class has no object are void, as they are in VOC's own maps.
    """
    ids = np.where(labels.objects == VOC_VOID, 0, labels.objects.astype(np.uint16))
    background = (labels.objects == 0) & (labels.classes == 0)
    ids[background] = BACKGROUND_SEGMENT
    write_segment_ids(Path(folder, f'{name}.png'), ids)
    category_of = {**labels.class_of, BACKGROUND_SEGMENT: len(VOC_CLASSES) + 1}
    return [
        {'id': number, **region.entry(category_of[number])}
        for number, region in label_regions(ids).items()
        if number
    ]


def _read_labels(name: str, layout: VocLayout) -> tuple[VocLabels, Path]:
    objects = layout.objects(name)
    if objects.is_file() or layout.sbd is None:
        return read_voc_labels(objects, layout.classes(name)), objects
    path = layout.sbd / 'inst' / f'{name}.mat'
    if not path.is_file():
        raise FileNotFoundError(
            f'image {name}: has masks neither in VOC ({objects}) nor in SBD ({path})'
        )
    return read_sbd_labels(path, layout.sbd / 'cls' / f'{name}.mat'), path


def _add_xml(
    objects: list[dict[str, Any]],
    present: set[int],
    path: Path,
    options: VocOptions,
    notes: dict[str, int],
) -> set[int]:
    """Flag difficult objects; returns the classes of the image's tags."""
    if not path.is_file():
        if options.tags == 'xml':
            raise FileNotFoundError(f'{path}: is needed for tags from the XML')
        notes[_NO_XML] = 1
        return present
    annotated = read_xml(path)
    flags = match_difficult(objects, annotated)
    for entry, flag in zip(objects, flags):
        if flag is not None:
            entry['difficult'] = int(flag)
    notes[_UNMATCHED] = flags.count(None)
    if options.tags == 'masks':
        return present
    return {one.category_id for one in annotated}


def _assemble(
    records: Sequence[Record], split: str, options: VocOptions, files: Outputs
) -> dict[str, Any]:
    names = [Path(record['image']['file_name']).stem for record in records]
    sources = [record['source'] for record in records]
    info = {
        'description': f'PASCAL VOC 2012 {Path(split).stem}',
        'mmwsis': source_block(
            'voc2coco',
            split,
            Supervision.MASKS,
            tags=options.tags,
            images_from={key: sources.count(key) for key in ('voc', 'sbd')},
            notes=sum_notes(records),
        ),
    }
    document = coco_document(records, info, voc_categories(), image_ids(names))
    for path in panoptic_json(options.panoptic_dir):
        panoptic = panoptic_document(records, info, voc_panoptic_categories())
        files.json(path, panoptic, split)
    return document
