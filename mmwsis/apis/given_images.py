"""Images that a caller gives, as files or arrays, in the place of a dataset's."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile

from mmwsis.formats.image_file import read_header


class GivenImage(NamedTuple):
    """One image.

    Attributes:
        name: Path of the file; ``'images[3]'`` for an array.
        size: ``(H, W)`` of the upright image, in pixels.
        pixels: uint8 ``(H, W, 3)``, BGR; None for a file.
    """

    name: str
    size: tuple[int, int]
    pixels: np.ndarray | None = None

    def file_name(self, index: int) -> str:
        """Path in a label file: no two images share one, nor a file made of it."""
        return f'{index:06d}/{os.path.basename(self.name)}'


def check_images(images: Any) -> list[GivenImage]:
    """Look at all images before the first is labelled.

    Args:
        images: Paths, or uint8 arrays ``(H, W, 3)`` in BGR.

    Returns:
        As many images.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: A file is no image.
        TypeError: ``images`` is no list, or holds something else.
        ValueError: An array is no image.
    """
    if isinstance(images, (str, os.PathLike)) or not isinstance(images, Sequence):
        if isinstance(images, np.ndarray) and images.ndim == 4:
            images = list(images)
        else:
            raise TypeError(
                'images must be a list of paths or arrays, [image] for one; got a '
                f'{type(images).__name__}.'
            )
    return [_checked(image, f'images[{index}]') for index, image in enumerate(images)]


def _checked(image: Any, where: str) -> GivenImage:
    if isinstance(image, (str, os.PathLike)):
        try:
            return GivenImage(os.fspath(image), read_header(image).size[::-1])
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(f'{where}: {image} does not exist.') from None
        except OSError as error:
            raise OSError(f'{where}: {image} cannot be read: {error}.') from error
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f'{where} must be a path or an array, got a {type(image).__name__}.'
        )
    is_colour = image.ndim == 3 and image.shape[2] == 3 and image.size
    if image.dtype != np.uint8 or not is_colour:
        raise ValueError(
            f'{where} must be uint8 (H, W, 3), BGR as mmcv.imread gives it; got '
            f'{image.dtype} {image.shape}.'
        )
    return GivenImage(where, image.shape[:2], image)


class LoadGivenImage(BaseTransform):
    """Load an image as the loader of a pipeline would, from a file or an array.

    Args:
        images: All images; the sample's ``img_id`` is the place among them.
        loader: First transform of the pipeline.

    Raises:
        ValueError: The pipeline begins with something else.
    """

    def __init__(self, images: Sequence[GivenImage], loader: BaseTransform) -> None:
        from mmwsis.datasets.transforms import LoadCachedImage

        if not isinstance(loader, (LoadImageFromFile, LoadCachedImage)):
            raise ValueError(
                'the pipeline of pseudo_label_dataloader must begin with the loading '
                f'of the image, but begins with {type(loader).__name__}.'
            )
        self.images, self.loader = images, loader
        self.is_rgb = isinstance(loader, LoadCachedImage)
        self.is_shared = getattr(loader, 'max_images', 0) > 0
        self._last: tuple[int, np.ndarray] | None = None

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the pixels of ``results['img_id']``.

        Args:
            results: Data of a sample.

        Returns:
            ``results``, as the loader leaves them.
        """
        index = results['img_id']
        image = self.images[index]
        results['img_path'] = image.name
        if image.pixels is None:
            return self.loader(results)
        results['img'] = self._pixels(index)
        results['img_shape'] = results['ori_shape'] = image.size
        return results

    def _pixels(self, index: int) -> np.ndarray:
        """A copy, or one for all objects of an image, which nobody writes to."""
        if self._last is not None and self._last[0] == index:
            return self._last[1]
        pixels = self.images[index].pixels
        pixels = pixels[..., ::-1].copy() if self.is_rgb else pixels.copy()
        if getattr(self.loader, 'to_float32', False):
            pixels = pixels.astype(np.float32)
        if self.is_shared:
            pixels.flags.writeable = False
            self._last = index, pixels
        return pixels
