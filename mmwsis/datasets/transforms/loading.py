"""Loading images: decoded once for all the objects of an image."""

import io
from collections import OrderedDict
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.fileio import get
from PIL import Image, UnidentifiedImageError

from mmwsis.registry import TRANSFORMS

_EXIF_ORIENTATION = 0x0112


@TRANSFORMS.register_module()
class LoadCachedImage(BaseTransform):
    """Load an image as RGB uint8 and remember the last few.

    Every process (data loader worker) has its own cache, least recently used first
    out, so an unshuffled :class:`mmwsis.datasets.ObjectCropDataset` decodes each image
    once. Grey, palette and CMYK images become RGB, alpha is dropped, 16 bits become the
    upper 8. The EXIF orientation is ignored, as in COCO: coordinates refer to the
    stored pixels; an image whose stored size differs from the annotation file's is
    refused.

    Sets ``img`` (uint8 (H, W, 3), read-only where it is shared), ``img_shape`` and
    ``ori_shape`` (H, W); ``height`` and ``width`` where the dataset did not.

    Args:
        max_images: Most images remembered a process; 0 for none.
        max_megabytes: Most decoded pixels remembered a process, in 2^20 bytes; a larger
            image is loaded but not remembered.
        backend_args: Arguments of MMEngine's file backend.
    """

    def __init__(
        self,
        max_images: int = 4,
        max_megabytes: float = 128,
        backend_args: dict | None = None,
    ) -> None:
        self.max_images = max_images
        self.max_megabytes = max_megabytes
        self.backend_args = backend_args
        self._cache: OrderedDict[str, np.ndarray] = OrderedDict()
        self._cached_bytes = 0

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the pixels of ``results['img_path']``.

        Args:
            results: Data of a sample with ``img_path``; ``height``, ``width`` and
                ``img_id`` are used where present.

        Returns:
            ``results``.

        Raises:
            FileNotFoundError: There is no such image.
            OSError: The image is truncated or no image.
            ValueError: Its size is not the annotation file's.
        """
        image = self._load(results['img_path'], results.get('img_id'))
        height, width = image.shape[:2]
        expected = (results.setdefault('height', height), results.get('width', width))
        results.setdefault('width', width)
        if expected != (height, width):
            raise ValueError(
                f'{_place(results["img_path"], results.get("img_id"))}: the annotation '
                f'file says {expected[1]} x {expected[0]} pixels, the image has '
                f'{width} x {height}.{self._orientation_hint(results["img_path"])} '
                'Its annotations would not fit; correct width and height, or the image.'
            )
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = (height, width)
        return results

    def _load(self, path: str, img_id: Any) -> np.ndarray:
        if path in self._cache:
            self._cache.move_to_end(path)
            return self._cache[path]
        image = read_rgb(path, img_id, self.backend_args)
        if self.max_images <= 0:
            return image  # nobody else has it
        image.flags.writeable = False
        limit = self.max_megabytes * 2**20
        if self.max_images > 0 and image.nbytes <= limit:
            self._cache[path] = image
            self._cached_bytes += image.nbytes
            while len(self._cache) > self.max_images or self._cached_bytes > limit:
                _, oldest = self._cache.popitem(last=False)
                self._cached_bytes -= oldest.nbytes
        return image

    def _orientation_hint(self, path: str) -> str:
        with Image.open(io.BytesIO(get(path, backend_args=self.backend_args))) as im:
            orientation = im.getexif().get(_EXIF_ORIENTATION, 1)
        if orientation == 1:
            return ''
        return (
            f' Its EXIF orientation is {orientation} and is ignored here, as in COCO; '
            'the labelling tool may have turned it.'
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the pixels behind when a worker gets a copy."""
        return {**self.__dict__, '_cache': OrderedDict(), '_cached_bytes': 0}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(max_images={self.max_images}, '
            f'max_megabytes={self.max_megabytes}, backend_args={self.backend_args})'
        )


def read_rgb(
    path: str, img_id: Any = None, backend_args: dict | None = None
) -> np.ndarray:
    """Read an image as RGB; see :class:`LoadCachedImage` for other colour modes.

    Args:
        path: File or URL.
        img_id: Named in messages.
        backend_args: Arguments of MMEngine's file backend.

    Returns:
        uint8 ``(H, W, 3)``.

    Raises:
        FileNotFoundError: There is no such image.
        OSError: It is truncated or no image.
    """
    try:
        content = get(path, backend_args=backend_args)
    except (FileNotFoundError, IsADirectoryError):
        raise FileNotFoundError(
            f'{_place(path, img_id)} does not exist. Check data_root and '
            "data_prefix['img'] in the config."
        ) from None
    try:
        with Image.open(io.BytesIO(content)) as pil_image:
            return np.array(_to_rgb(pil_image))
    except UnidentifiedImageError as error:
        raise OSError(
            f'{_place(path, img_id)} is no image, or the beginning of it is lost '
            f'({len(content)} bytes); fetch it again.'
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise OSError(
            f'{_place(path, img_id)} cannot be decoded ({len(content)} bytes): '
            f'{error}. The file is truncated or no image; fetch it again.'
        ) from error


def _to_rgb(pil_image: Image.Image) -> Image.Image:
    if pil_image.mode.startswith('I'):
        # 16-bit grey; Pillow's own conversion would clip at 255 instead of scaling.
        values = np.asarray(pil_image).astype(np.int64) >> 8
        pil_image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    # Converting RGB to RGB would copy it.
    return pil_image if pil_image.mode == 'RGB' else pil_image.convert('RGB')


def _place(path: str, img_id: Any) -> str:
    return f'Image {path}' if img_id is None else f'Image {path} (image id {img_id!r})'
