"""Made-up photographs with weak labels: JPEG files of a photograph's size and cost.

Colours fall off with frequency as in photographs, so that a 640x480 file takes 100 to
200 KB as COCO's do; object boxes spread over small, medium and large like COCO's.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

ANNOTATION_FILE = 'extreme_points.json'
CLASSES = ('thing', 'other thing')


def photograph(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Noise whose amplitude falls with frequency; uint8 (height, width, 3)."""
    rows = np.fft.fftfreq(height)[:, None]
    columns = np.fft.rfftfreq(width)[None]
    falloff = 1 / np.maximum(np.hypot(rows, columns), 1 / max(width, height))
    noise = rng.normal(size=(3, height, width))
    smooth = np.fft.irfft2(np.fft.rfft2(noise) * falloff, s=(height, width))
    # Channels of photographs are alike.
    smooth = 0.3 * smooth + smooth.mean(0)
    scaled = 128 + 50 * (smooth - smooth.mean()) / smooth.std()
    return scaled.clip(0, 255).astype(np.uint8).transpose(1, 2, 0).copy()


def extreme_points(rng: np.random.Generator, width: int, height: int) -> list:
    """Top, left, bottom and right point of an object of COCO's range of sizes."""
    w, h = 2 ** (rng.uniform(4, 8.3) + rng.uniform(-0.5, 0.5, 2))
    w, h = min(int(w), width - 2), min(int(h), height - 2)
    x, y = int(rng.integers(width - w)), int(rng.integers(height - h))
    across, down = rng.integers(0, [w + 1, h + 1], (2, 2)).tolist()
    return [
        [x + across[0], y],
        [x, y + across[1]],
        [x + down[0], y + h],
        [x + w, y + down[1]],
    ]


def write_photographs(
    folder: Path,
    count: int,
    sizes: Sequence[tuple[int, int]] = ((640, 480), (500, 375)),
    objects: int = 7,
    seed: int = 0,
) -> Path:
    """Write images and their annotation file, which has extreme points and boxes.

    Args:
        folder: Where everything goes.
        count: Images.
        sizes: (width, height) in pixels, taken in turn.
        objects: Objects an image.
        seed: Of the random numbers.

    Returns:
        The annotation file.
    """
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for image_id in range(1, count + 1):
        width, height = sizes[(image_id - 1) % len(sizes)]
        name = f'{image_id:06}.jpg'
        image = Image.fromarray(photograph(rng, width, height))
        image.save(folder / name, quality=88)
        images.append(dict(id=image_id, file_name=name, width=width, height=height))
        for _ in range(objects):
            points = extreme_points(rng, width, height)
            (x, y), far = (points[1][0], points[0][1]), (points[3][0], points[2][1])
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image_id,
                    category_id=1 + len(annotations) % len(CLASSES),
                    bbox=[x, y, far[0] - x, far[1] - y],
                    area=(far[0] - x) * (far[1] - y),
                    iscrowd=0,
                    extreme_points=points,
                )
            )
    categories = [dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)]
    path = folder / ANNOTATION_FILE
    # The points are the outermost pixels, as in the files that EXITS converts.
    coco = dict(
        info=dict(mmwsis=dict(coordinates='pixel-index')),
        images=images,
        annotations=annotations,
        categories=categories,
    )
    path.write_text(json.dumps(coco))
    return path
