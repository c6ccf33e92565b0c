"""From finished chunks to one COCO JSON."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.structures.supervision import Supervision
from mmwsis.utils.fileio import atomic_write_text, json_rows

from .entries import pseudo_annotation, refined_annotation
from .plan import Chunk


def check_complete(
    chunks: Sequence[Chunk],
    finished: Mapping[int, Sequence[Mapping[str, Any]]],
    title: str = 'pseudo labels',
) -> None:
    """Refuse gaps and strangers among the finished chunks.

    Args:
        chunks: What was to be done.
        finished: Chunk number -> records, of ``read_parts``.
        title: What the run makes. Defaults to 'pseudo labels'.

    Raises:
        ValueError: Chunks are missing, or hold other samples than planned; the message
            names the first ids.
    """
    missing = [chunk for chunk in chunks if chunk.number not in finished]
    if missing:
        images = [image_id for chunk in missing for image_id in chunk.image_ids]
        ids = [item_id for chunk in missing for item_id in chunk.item_ids]
        objects = '' if ids == images else f' with {len(ids)} annotations'
        raise ValueError(
            f'{len(images)} images{objects} have no {title} yet, the first image '
            f'ids are {images[:8]}. Run the missing shards, or '
            'the same command without --merge and --shard to make the rest here.'
        )
    for chunk in chunks:
        got = [record['id'] for record in finished[chunk.number]]
        if sorted(map(repr, got)) != sorted(map(repr, chunk.item_ids)):
            strangers = [i for i in got if i not in chunk.item_ids][:8]
            lost = [i for i in chunk.item_ids if i not in got][:8]
            raise ValueError(
                f'the part files do not fit the annotation file at image ids '
                f'{list(chunk.image_ids[:8])}: ids {lost} are missing, '
                f'{strangers} are unexpected or doubled. Remove the .parts folder and '
                'start again.'
            )


def merge_annotations(
    source: Mapping[str, Any],
    category_ids: Sequence[int],
    records: Mapping[Any, Mapping[str, Any]],
    refine: bool = False,
) -> list[dict[str, Any]]:
    """Annotations of the result, in the order of the source file.

    Args:
        source: Weak annotation file, restricted to its supervision.
        category_ids: Categories that were labelled; others get no annotation.
        records: Annotation id -> what part files keep of it.
        refine: Whether ``source`` holds pseudo labels, of which a record says whether
            its mask takes their place. Defaults to False.

    Returns:
        One for each annotation of these categories, but for crowds of which, as in a
        file of points, neither box nor point is known.
    """
    sizes = {im['id']: (im['height'], im['width']) for im in source['images']}
    wanted = set(category_ids)
    known = [one for one in source['annotations'] if one['category_id'] in wanted]
    if refine:
        return [refined_annotation(one, records.get(one['id'])) for one in known]
    return [
        pseudo_annotation(one, sizes[one['image_id']], records.get(one['id']))
        for one in known
        if 'bbox' in one or 'point' in one
    ]


def write_pseudo_labels(
    out: Path,
    source: Mapping[str, Any],
    annotations: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
    results_out: str | os.PathLike | None = None,
    refined: bool = False,
) -> None:
    """Write the result atomically, one annotation per line.

    Args:
        out: COCO JSON to write.
        source: Weak annotation file; its top-level keys are kept. Images lose the
            level that they were labelled at, ``supervision``: at that one, the masks
            could not be seen. In refined labels the level of masks stays: people have
            corrected these images.
        annotations: All annotations of the result.
        provenance: Becomes ``info.mmwsis``.
        results_out: Also write the bare list of annotations here, as COCO's results
            files are. Defaults to None: it is not written.
        refined: Whether ``source`` holds pseudo labels that were refined. Defaults to
            False.
    """
    header = {'info': {**source.get('info', {}), 'mmwsis': dict(provenance)}}
    for key, value in source.items():
        if key not in ('info', 'annotations'):
            header[key] = value
    header['images'] = [
        image
        if refined and image.get('supervision') == Supervision.MASKS.label
        else {key: value for key, value in image.items() if key != 'supervision'}
        for image in source['images']
    ]
    if results_out is not None:
        atomic_write_text(results_out, json_rows({}, '', annotations))
    atomic_write_text(out, json_rows(header, 'annotations', annotations))
