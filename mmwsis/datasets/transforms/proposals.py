"""Loading the mask proposals of an image, or making them."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.formats.proposals import MAX_NUM, ProposalStore
from mmwsis.ops import generate_proposals
from mmwsis.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadProposals(BaseTransform):
    """Load the mask proposals of an image.

    Sets ``mask_proposals``, a :class:`mmwsis.structures.Proposals` for the whole image:
    put it before the transforms that resize, cut or mirror. (MMDetection's
    ``proposals`` are boxes.) The store is opened at the first sample, once per process.

    Args:
        path: Folder of proposals, one JSON of COCO results per image, or one JSON for
            all, as :class:`mmwsis.formats.proposals.ProposalStore` reads them.
        max_num: How many are kept of an image, the best; None: all. Defaults to 1000.
        min_score: Proposals with a lower score are left out. Defaults to None: none.
        resize: Whether masks of another size are resized to the image, by nearest
            neighbours. Defaults to True; otherwise they are an error.
        allow_missing: Whether an image without proposals has none, with a warning.
            Defaults to False: it is an error.
    """

    def __init__(
        self,
        path: str,
        max_num: int | None = MAX_NUM,
        min_score: float | None = None,
        resize: bool = True,
        allow_missing: bool = False,
    ) -> None:
        self.path = path
        self.settings = dict(
            max_num=max_num,
            min_score=min_score,
            resize=resize,
            allow_missing=allow_missing,
        )
        self._store: ProposalStore | None = None

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the proposals of ``results['img_id']``.

        Args:
            results: Data of an image: ``img_id``, ``img_path``, ``height`` and
                ``width``.

        Returns:
            ``results``.

        Raises:
            FileNotFoundError: There is no such store, or it lacks the image.
            ValueError: A broken entry, or proposals of an image of another shape; the
                message names the file, the image id and the entry.
        """
        if self._store is None:
            self._store = ProposalStore(self.path, **self.settings)
        image = dict(
            id=results['img_id'],
            file_name=results['img_path'],
            height=results['height'],
            width=results['width'],
        )
        results['mask_proposals'] = self._store.read(image)
        return results

    def __getstate__(self) -> dict[str, Any]:
        """Leave the index behind when a worker gets a copy."""
        return {**self.__dict__, '_store': None}

    def __repr__(self) -> str:
        named = ', '.join(f'{key}={value!r}' for key, value in self.settings.items())
        return f'{type(self).__name__}(path={self.path!r}, {named})'


@TRANSFORMS.register_module()
class GenerateProposals(LoadProposals):
    """Make the mask proposals of an image of no dataset; load those of others.

    For prediction on new images, such as those of MMDetection's ``DetInferencer``: an
    image without ``img_id`` has no file of proposals, so the built-in generator
    (:func:`mmwsis.ops.generate_proposals`) makes them on the fly, in 2 to 3 seconds for
    a 375x500 photograph. Images of a dataset have theirs loaded from ``path`` as
    :class:`LoadProposals` does; without a ``path`` theirs are made, too, the same each
    time.

    Sets ``mask_proposals``. Put it behind the loading of the image and before the
    transforms that resize, cut or mirror.

    Args:
        path: Proposals of the images of a dataset. Defaults to None: they are made.
        max_num: How many are kept of an image, the best; None: all. Defaults to 1000.
        min_score: Proposals with a lower score are left out. Scores of the generator
            are not calibrated. Defaults to None: none.
        resize: See :class:`LoadProposals`. Defaults to True.
        allow_missing: See :class:`LoadProposals`. Defaults to False.
        channel_order: Of ``results['img']``: 'bgr' as MMDetection's
            ``LoadImageFromFile`` gives it, 'rgb' as ``mmwsis.LoadCachedImage`` does.
            Defaults to 'bgr'.
        generator: Other settings of the generator, such as ``dict(scales=(100, 300),
            color_spaces=('lab',))``, which takes a quarter of the time. Defaults to
            None: its defaults.

    Raises:
        ValueError: Unknown channel order.

    Example:
        >>> image = np.zeros((40, 50, 3), dtype=np.uint8)
        >>> image[10:30, 15:35] = 40, 40, 220  # a red object, BGR
        >>> found = GenerateProposals()(dict(img=image))['mask_proposals']
        >>> from pycocotools import mask as coco_mask
        >>> coco_mask.toBbox(found.rles[0]).tolist()
        [15.0, 10.0, 20.0, 20.0]
    """

    def __init__(
        self,
        path: str | None = None,
        max_num: int | None = MAX_NUM,
        min_score: float | None = None,
        resize: bool = True,
        allow_missing: bool = False,
        channel_order: str = 'bgr',
        generator: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(path, max_num, min_score, resize, allow_missing)
        if channel_order not in ('bgr', 'rgb'):
            raise ValueError(
                f"channel_order must be 'bgr' or 'rgb', got {channel_order!r}."
            )
        self.channel_order = channel_order
        self.generator = dict(generator or {})

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load or make the proposals of an image.

        Args:
            results: Data of an image: ``img``, uint8 ``(H, W, 3)``; of one of a dataset
                what :class:`LoadProposals` reads.

        Returns:
            ``results``.

        Raises:
            TypeError: An image that is not uint8.
            ValueError: An image without three channels; see :class:`LoadProposals`.
            FileNotFoundError: See :class:`LoadProposals`.
        """
        if self.path is not None and results.get('img_id') is not None:
            return super().transform(results)
        image = results['img']
        if self.channel_order == 'bgr':
            image = np.ascontiguousarray(image[..., ::-1])
        max_num, least = self.settings['max_num'], self.settings['min_score']
        found = generate_proposals(image, max_num=max_num, **self.generator)
        if least is not None:
            found = found[np.flatnonzero(found.scores >= least)]
        results['mask_proposals'] = found
        return results

    def __repr__(self) -> str:
        start = super().__repr__().removesuffix(')')
        return (
            f'{start}, channel_order={self.channel_order!r}, '
            f'generator={self.generator!r})'
        )
