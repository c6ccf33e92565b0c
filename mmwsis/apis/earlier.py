"""What earlier stages made of the images, in the place of a dataset's stored files."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmwsis.formats.class_maps import encode_class_maps
from mmwsis.formats.map_index import (
    INDEX_NAME,
    index_document,
    map_entry,
    map_file,
)
from mmwsis.formats.proposals import encode_proposals
from mmwsis.formats.semantic_maps import encode_semantic_map
from mmwsis.utils.fileio import atomic_write_bytes, atomic_write_json, atomic_write_text

Fields = Mapping[str, Any]


class Stored(NamedTuple):
    """What a transform reads.

    Attributes:
        key: Its argument that names the file or folder.
        name: How it is called in ``earlier``.
        fields: Of a :class:`~mmwsis.apis.LabelResult` that are needed.
        maker: Who makes it, for messages.
    """

    key: str
    name: str
    fields: tuple[str, ...]
    maker: str


_PROPOSALS = Stored('path', 'proposals', ('masks', 'scores'), '')
STORED = {
    'LoadClassMaps': Stored(
        *('folder', 'class_maps', ('labels', 'class_maps'), 'a CAM classifier')
    ),
    'LoadSemanticMap': Stored(
        'folder',
        'semantic_maps',
        ('label_map', 'map_classes'),
        "a labeler with artifact='semantic_maps'",
    ),
    'LoadBoxLabelMap': Stored(
        'folder',
        'box_maps',
        ('label_map', 'map_classes'),
        'mmwsis.GrabCutProposals (configs/weak_panoptic/box-labels_*.py)',
    ),
    'LoadCues': Stored(
        'ann_file',
        'points',
        ('labels', 'points', 'scores'),
        "a classifier with artifact='points'",
    ),
    'LoadDetections': Stored(
        'ann_file',
        'detections',
        ('labels', 'boxes', 'scores'),
        'the detector of the method, or predictions of DetInferencer',
    ),
    'LoadProposals': _PROPOSALS,
    'GenerateProposals': _PROPOSALS,
}


def read_by(pipeline: Sequence[Mapping[str, Any]]) -> dict[int, Stored]:
    """Find the transforms of a pipeline that read what earlier stages made.

    Args:
        pipeline: Configs of its transforms.

    Returns:
        Place in the pipeline -> what is read there.
    """
    names = (str(step['type']).rpartition('.')[2] for step in pipeline)
    return {at: STORED[name] for at, name in enumerate(names) if name in STORED}


def check_earlier(
    wanted: Sequence[Stored], earlier: Mapping[str, Sequence[Any]], count: int
) -> dict[str, list[Fields]]:
    """Check that there is what the pipeline reads, for every image.

    Args:
        wanted: Of :func:`read_by`.
        earlier: Name -> a result for each image, or a mapping with its fields.
        count: Number of images.

    Returns:
        Name -> fields of each image. Proposals may be left out.

    Raises:
        ValueError: Something is missing, of no use, or not of every image.
    """
    known = {one.name: one for one in wanted}
    unknown = sorted(set(earlier) - set(known))
    if unknown:
        uses = ', '.join(known) or 'nothing'
        raise ValueError(f'this labeler reads {uses} of earlier stages, got {unknown}.')
    found = {}
    for name, one in known.items():
        if name not in earlier:
            if name == 'proposals':  # made on the spot
                continue
            raise ValueError(
                f'this labeler reads {name.replace("_", " ")} of an earlier stage, '
                f'which new images do not have: give earlier=dict({name}=...), one '
                f'result for each image, made by {one.maker}.'
            )
        results = earlier[name]
        if len(results) != count:
            raise ValueError(
                f'earlier[{name!r}] has {len(results)} results, there are {count} '
                'images.'
            )
        found[name] = [
            _fields(result, one, f'images[{index}]: earlier[{name!r}]')
            for index, result in enumerate(results)
        ]
    return found


def _fields(result: Any, stored: Stored, where: str) -> Fields:
    fields = dict(result if isinstance(result, Mapping) else vars(result))
    fields.setdefault('boxes', fields.get('bboxes'))  # MMDetection's name
    missing = [key for key in stored.fields if fields.get(key) is None]
    if missing:
        raise ValueError(
            f'{where} has no {" and no ".join(missing)}; it is made by {stored.maker}.'
        )
    return fields


def use_earlier(
    pipeline: Sequence[MutableMapping[str, Any]],
    results: Mapping[str, Sequence[Fields]],
    coco: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write results where a pipeline finds them, in the formats of the project.

    Args:
        pipeline: Configs of transforms; their paths are changed in place.
        results: Of :func:`check_earlier`.
        coco: Label file of the images.
        folder: Where to write.
    """
    for at, stored in read_by(pipeline).items():
        if stored.name in results:
            path = folder / stored.name
            _WRITERS[stored.name](path, results[stored.name], coco)
            pipeline[at][stored.key] = str(path)


def _names(fields: Fields, coco: Mapping[str, Any]) -> tuple[str, ...]:
    """Class names that the labels of a result are indices into."""
    own = tuple(category['name'] for category in coco['categories'])
    return tuple(fields.get('classes') or own)


def _write_folder(
    folder: Path,
    kind: str,
    suffix: str,
    results: Sequence[Fields],
    coco: Mapping[str, Any],
    classes: Sequence[str],
    encode: Callable[[int, Fields, str], bytes],
) -> None:
    entries = []
    for index, (fields, image) in enumerate(zip(results, coco['images'])):
        content = encode(index, fields, f'images[{index}]: {kind}')
        file = map_file(image, suffix)
        atomic_write_bytes(folder / file, content)
        entries.append(map_entry(index, file, content))
    document = index_document(kind, {}, entries, classes=list(classes))
    atomic_write_text(folder / INDEX_NAME, document)


def _write_class_maps(
    folder: Path, results: Sequence[Fields], coco: Mapping[str, Any]
) -> None:
    def encode(index: int, fields: Fields, where: str) -> bytes:
        image = coco['images'][index]
        size = fields.get('size') or (image['height'], image['width'])
        return encode_class_maps(fields['labels'], size, fields['class_maps'], where)

    classes = _names(results[0], coco)
    _write_folder(folder, 'class_maps', '.npz', results, coco, classes, encode)


def _write_semantic_maps(
    folder: Path, results: Sequence[Fields], coco: Mapping[str, Any]
) -> None:
    classes = tuple(results[0]['map_classes'])

    def encode(index: int, fields: Fields, where: str) -> bytes:
        return encode_semantic_map(np.asarray(fields['label_map']), classes, where)

    _write_folder(folder, 'semantic_maps', '.png', results, coco, classes, encode)


def _write_proposals(
    folder: Path, results: Sequence[Fields], coco: Mapping[str, Any]
) -> None:
    from mmwsis.pseudo_labels.found_instances import mask_rles

    def encode(index: int, fields: Fields, where: str) -> bytes:
        scores = np.asarray(fields['scores'], dtype=float)
        return encode_proposals(index, mask_rles(fields['masks']), scores)[0]

    _write_folder(folder, 'proposals', '.json', results, coco, (), encode)


def _write_objects(
    path: Path, results: Sequence[Fields], coco: Mapping[str, Any]
) -> None:
    """Points or detections, which have scores, as a COCO JSON."""
    classes = _names(results[0], coco) if results else ()
    categories = [dict(id=at, name=name) for at, name in enumerate(classes, 1)]
    annotations = []
    for index, fields in enumerate(results):
        shapes = fields['points'] if path.name == 'points' else fields['boxes']
        rows = (np.asarray(values).tolist() for values in (shapes, fields['scores']))
        labels = np.asarray(fields['labels'], dtype=int).tolist()
        for shape, score, label in zip(*rows, labels, strict=True):
            if path.name == 'points':
                place = dict(point=shape)
            else:
                x0, y0, x1, y1 = shape
                place = dict(bbox=[x0, y0, x1 - x0, y1 - y0])
            number = len(annotations) + 1
            annotations.append(
                dict(id=number, image_id=index, category_id=label + 1, score=score)
                | place
            )
    images = [
        {key: image[key] for key in ('id', 'file_name', 'width', 'height')}
        for image in coco['images']
    ]
    content = dict(images=images, annotations=annotations, categories=categories)
    atomic_write_json(path, content)


_WRITERS = dict(
    class_maps=_write_class_maps,
    semantic_maps=_write_semantic_maps,
    box_maps=_write_semantic_maps,
    proposals=_write_proposals,
    points=_write_objects,
    detections=_write_objects,
)
