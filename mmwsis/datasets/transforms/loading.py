"""Loading images: decoded once for all the objects of an image."""

from collections import OrderedDict
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.fileio import get

from mmwsis.formats.image_file import (
    image_place,
    read_header,
    read_rgb,
    read_upright,
    size_difference,
)
from mmwsis.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadCachedImage(BaseTransform):
    """Load an image as RGB uint8 and remember the last few.

    Every process (data loader worker) has its own cache, least recently used first
    out, so an unshuffled :class:`mmwsis.datasets.ObjectCropDataset` decodes each image
    once. Grey, palette and CMYK images become RGB, alpha is dropped, 16 bits become the
    upper 8. The EXIF orientation is applied: coordinates refer to the upright image, as
    people and labelling tools see it, and pixels are those of MMDetection's
    ``LoadImageFromFile``. An image whose upright size differs from the annotation
    file's is refused.

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
        _check_size(results, image.shape[:2], self.backend_args)
        height, width = image.shape[:2]
        results.setdefault('height', height)
        results.setdefault('width', width)
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

    def __getstate__(self) -> dict[str, Any]:
        """Leave the pixels behind when a worker gets a copy."""
        return {**self.__dict__, '_cache': OrderedDict(), '_cached_bytes': 0}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(max_images={self.max_images}, '
            f'max_megabytes={self.max_megabytes}, backend_args={self.backend_args})'
        )


@TRANSFORMS.register_module()
class LoadCheckedImage(LoadImageFromFile):
    """MMDetection's loader of images, which refuses those that do not fit their labels.

    The pixels are the same. A file that is missing, damaged or of another size than the
    annotation file says is an error that names it. ``tools/train.py`` and
    ``tools/test.py`` put this loader into configs of MMDetection.

    Args:
        **kwargs: Arguments of ``mmcv.transforms.LoadImageFromFile``; with a
            ``color_type`` or ``imdecode_backend`` other than the defaults, only the
            size is checked.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Add the pixels of ``results['img_path']``.

        Args:
            results: Data of a sample with ``img_path``; ``height``, ``width`` and
                ``img_id`` are used where present.

        Returns:
            ``results``, or None for a broken file with ``ignore_empty``.

        Raises:
            FileNotFoundError: There is no such image.
            OSError: The image is truncated or no image.
            ValueError: Its size is not the annotation file's.
        """
        if (self.color_type, self.imdecode_backend) != ('color', 'cv2'):
            loaded = super().transform(results)
            if loaded is not None:
                _check_size(loaded, loaded['ori_shape'], self.backend_args)
            return loaded
        try:
            image = read_upright(
                results['img_path'], results.get('img_id'), self.backend_args
            )
        except OSError:
            if self.ignore_empty:
                return None
            raise
        _check_size(results, image.shape[:2], self.backend_args)
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


def _check_size(
    results: dict[str, Any], shape: tuple[int, int], backend_args: dict | None
) -> None:
    """Refuse an image of ``shape`` (H, W) that is not as large as its labels say."""
    expected = results.get('width', shape[1]), results.get('height', shape[0])
    if expected == (shape[1], shape[0]):
        return
    path = results['img_path']
    header = read_header(get(path, backend_args=backend_args))
    raise ValueError(
        f'{image_place(path, results.get("img_id"))}: the annotation file '
        f'{size_difference(expected, header)} Its annotations would not fit; correct '
        'width and height, or the image.'
    )
