"""Reading COCO files and their images for figures."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from mmwsis.formats.coco_file import read_json
from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.formats.image_file import (
    image_place,
    read_header,
    read_rgb,
    size_difference,
)
from mmwsis.structures import annotation_place


@dataclass
class LabelFile:
    """A COCO file (or results file) indexed for drawing.

    Attributes:
        path: The file.
        images: Image id -> entry of ``images``.
        annotations: Image id -> its annotations.
        classes: Category id -> name.
    """

    path: Path
    images: dict[Any, dict] = field(default_factory=dict)
    annotations: dict[Any, list[dict]] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> 'LabelFile':
        """Read a COCO JSON, or a bare list of COCO results.

        Args:
            path: JSON file.

        Returns:
            The indexed file; a results list has annotations only.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is not JSON, or no COCO file.
        """
        path = Path(path)
        content = read_json(str(path))
        if isinstance(content, list):
            content = {'annotations': content}
        if not isinstance(content, dict) or not (
            'annotations' in content or content.get('images')
        ):
            raise ValueError(
                f'{path} is neither a COCO file (with images and annotations) nor a '
                'list of COCO results.'
            )
        grouped = defaultdict(list)
        for annotation in content.get('annotations', []):
            grouped[annotation['image_id']].append(annotation)
        return cls(
            path,
            {image['id']: image for image in content.get('images', [])},
            dict(grouped),
            {item['id']: item['name'] for item in content.get('categories', [])},
        )

    def some_images(self, num: int, sizes: Sequence[int] = (2, 6)) -> list[Any]:
        """Pick images that show something, spread over the file.

        Args:
            num: How many.
            sizes: Preferred least and greatest number of annotations.

        Returns:
            At most ``num`` image ids, in file order; the same ones every time.
        """
        filled = [key for key in self.images if self.annotations.get(key)]
        low, high = sizes
        fitting = [k for k in filled if low <= len(self.annotations[k]) <= high]
        pool = fitting if len(fitting) >= num else filled
        return spread(pool, num)

    def masked(self, image_id: Any) -> list[dict]:
        """Annotations of an image that have a mask.

        Args:
            image_id: As in the file.
        """
        own = self.annotations.get(image_id, [])
        return [annotation for annotation in own if annotation.get('segmentation')]

    def mask(self, annotation: dict, size: tuple[int, int]) -> np.ndarray:
        """Decode the mask of an annotation.

        Args:
            annotation: With ``segmentation``.
            size: ``(H, W)`` of its image.

        Returns:
            ``(H, W)``, uint8, 0 and 1.

        Raises:
            ValueError: It is broken; the message names file and ids.
        """
        where = annotation_place(str(self.path), annotation)
        return annotation_mask(annotation['segmentation'], size, where)


def spread(items: Sequence[Any], num: int) -> list[Any]:
    """Pick items at equal distances.

    Args:
        items: To pick from.
        num: How many.

    Returns:
        At most ``num`` of them, in order; the same ones every time.
    """
    count = min(num, len(items))
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def tagged_indices(dataset: BaseDataset, num: int) -> list[int]:
    """Pick images with tags, at equal distances.

    Args:
        dataset: ``mmwsis.CocoWeakDataset``.
        num: How many.

    Returns:
        Indices of at most ``num`` of them, in order.

    Raises:
        ValueError: No image has a tag; the message names the file.
    """
    tagged = [i for i in range(len(dataset)) if dataset.get_data_info(i)['tags']]
    if not tagged:
        raise ValueError(f'{dataset.ann_file}: no image has a tag; nothing to draw.')
    return spread(tagged, num)


def read_image(
    path: str | Path, image_id: Any = None, entry: Mapping[str, Any] | None = None
) -> np.ndarray:
    """Read an image upright, as RGB.

    Args:
        path: Image file.
        image_id: Named in messages.
        entry: What the label file says of the image. Its labels are drawn at the wrong
            places if ``width`` and ``height`` are others. Defaults to None, no check.

    Returns:
        ``(H, W, 3)``, uint8.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be decoded.
        ValueError: It has another size than ``entry`` says.
    """
    image = read_rgb(str(path), image_id)
    expected = (entry or {}).get('width'), (entry or {}).get('height')
    if None not in expected and expected != image.shape[1::-1]:
        difference = size_difference(expected, read_header(path))
        raise ValueError(f'{image_place(path, image_id)}: the label file {difference}')
    return image
