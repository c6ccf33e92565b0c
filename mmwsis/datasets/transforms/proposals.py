"""Loading the mask proposals of an image."""

from typing import Any

from mmcv.transforms import BaseTransform

from mmwsis.formats.proposals import MAX_NUM, ProposalStore
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
        max_num: How many are kept of an image, the best. Defaults to 1000.
        min_score: Proposals with a lower score are left out. Defaults to None: none.
        resize: Whether masks of another size are resized to the image, by nearest
            neighbours. Defaults to True; otherwise they are an error.
        allow_missing: Whether an image without proposals has none, with a warning.
            Defaults to False: it is an error.
    """

    def __init__(
        self,
        path: str,
        max_num: int = MAX_NUM,
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
