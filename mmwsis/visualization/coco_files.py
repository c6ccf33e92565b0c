"""Reading COCO files and their images for figures."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.datasets.transforms.loading import read_rgb


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
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise ValueError(f'{path} is not a JSON file: {error}') from error
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
        if len(pool) <= num:
            return pool
        return [pool[(2 * i + 1) * len(pool) // (2 * num)] for i in range(num)]


def read_image(path: str | Path, image_id: Any = None) -> np.ndarray:
    """Read an image as RGB.

    Args:
        path: Image file.
        image_id: Named in messages.

    Returns:
        ``(H, W, 3)``, uint8.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be decoded.
    """
    return read_rgb(str(path), image_id)
