"""One scene as files and as a record of COCO documents."""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from mmwsis.ops.connected_components import connected_components
from mmwsis.structures import colours_of_ids

from ..image_records import Record
from ..label_maps import label_regions
from ..voc_classes import voc_label_png
from .canvas import MIN_PART_PIXELS
from .scene import STUFF_CLASSES, THING_CLASSES, Scene, compose_scene

CATEGORY_IDS = {
    name: k for k, name in enumerate((*THING_CLASSES, *STUFF_CLASSES), start=1)
}
# Splits with the ids of their first images, so that no two images share one.
FIRST_IDS = {'train': 1, 'val': 500_001}
JPEG_QUALITY = 95
# Segments of stuff have this times their category id; objects have 1, 2, ...
STUFF_BASE = 256


def write_scene(image_id: int, root: Path, split: str, seed: int, size: int) -> Record:
    """Compose a scene and write its image and label files.

    Args:
        image_id: Id of the image; from :data:`FIRST_IDS` on, one per scene.
        root: Root folder of the dataset.
        split: 'train' or 'val'.
        seed: Seed of the dataset.
        size: Side of the square image in pixels.

    Returns:
        Its entries in the dataset's documents, as :func:`describe_scene` makes them.
    """
    stream, index = [*FIRST_IDS].index(split), image_id - FIRST_IDS[split]
    scene = compose_scene(seed, stream, index, size)
    stem = f'{image_id:06d}'
    image = Image.fromarray(scene.image)
    image.save(root / f'{split}/{stem}.png')
    image.save(root / f'voc/JPEGImages/{stem}.jpg', quality=JPEG_QUALITY, subsampling=0)
    colours = np.ascontiguousarray(colours_of_ids(segment_ids(scene))[..., ::-1])
    panoptic = root / f'annotations/panoptic_{split}/{stem}.png'
    Image.fromarray(colours).save(panoptic)
    # VOC's class 0 is the background, here all stuff.
    classes = np.uint8([0, *(CATEGORY_IDS[name] for name in scene.names)])
    for kind, labels in (
        ('Class', classes[scene.instances]),
        ('Object', scene.instances),
    ):
        path = root / f'voc/Segmentation{kind}/{stem}.png'
        path.write_bytes(voc_label_png(labels))
    return describe_scene(scene, f'{stem}.png')


def describe_scene(scene: Scene, file_name: str) -> Record:
    """Entries of a scene in COCO's instance and panoptic documents.

    Args:
        scene: The scene.
        file_name: Name of its image file.

    Returns:
        ``image`` and ``objects`` without ids, which are given later, ``segments`` (of
        the panoptic annotation), and ``parts``, the number of visible connected
        components of each object.
    """
    ids = segment_ids(scene)
    height, width = ids.shape
    image = dict(file_name=file_name, height=height, width=width)
    record = dict(image=image, objects=[], segments=[], parts=[])
    found = connected_components(ids, min_area=MIN_PART_PIXELS)
    parts = Counter(found.classes.tolist())
    for number, region in label_regions(ids).items():
        is_thing = number < STUFF_BASE
        # Objects have the ids 1, 2, ... in the order of the names.
        of_stuff = number // STUFF_BASE
        entry = region.entry(
            CATEGORY_IDS[scene.names[number - 1]] if is_thing else of_stuff
        )
        record['segments'].append({'id': number, **entry})
        if is_thing:
            record['objects'].append({**entry, 'segmentation': region.rle})
            record['parts'].append(parts[number])
    return record


def segment_ids(scene: Scene) -> np.ndarray:
    """Panoptic segment ids: objects have 1, 2, ..., stuff 256 times its category id.

    Args:
        scene: The scene.

    Returns:
        int64 (H, W); every pixel has an id.
    """
    of_stuff = np.array([STUFF_BASE * CATEGORY_IDS[name] for name in STUFF_CLASSES])
    return np.where(scene.instances > 0, scene.instances, of_stuff[scene.stuff])
