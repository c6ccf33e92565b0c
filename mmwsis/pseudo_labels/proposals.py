"""Writes the mask proposals of a generator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.structures import BaseDataElement

from mmwsis.formats.proposals import KIND, MAX_NUM, SUFFIX, encode_proposals
from mmwsis.utils.arrays import to_numpy

from .artifact import LabelSource
from .collapse import MAX_WITHOUT
from .found_instances import mask_rles
from .map_folder import MapFolder


class ProposalFolder(MapFolder):
    """A folder of class-agnostic mask proposals, one JSON of COCO results per image.

    Reads ``pred_proposals`` of a predicted sample, an ``InstanceData`` of ``scores``
    (N,) in [0, 1] and ``masks``, a bool tensor (N, H, W) of image size or a list of N
    RLEs, in any order. Masks without a pixel are left out. How many an image has stands
    in the index as ``count``.

    Args:
        out: Folder to write.
        source: What is labelled.
        max_num: How many are kept of an image, the best. Defaults to 1000.
    """

    kind = KIND
    title = 'proposals'
    suffix = SUFFIX

    def __init__(self, out: Path, source: LabelSource, max_num: int = MAX_NUM) -> None:
        super().__init__(out, source)
        self.max_num = max_num

    def index_keys(self) -> dict[str, Any]:
        """Proposals are of no class."""
        return dict(classes=[])

    def collapse(self, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Share of images without any proposal, with a warning where there are many.

        Args:
            entries: ``images`` of the index.
        """
        empty = sum(not entry['count'] for entry in entries) / max(len(entries), 1)
        warnings = []
        if empty > MAX_WITHOUT:
            warnings.append(
                f'{empty:.0%} of {len(entries)} images have no proposal. Look at some '
                'before training on them; were their scores or sizes filtered out?'
            )
        return dict(images=len(entries), empty=round(empty, 4), warnings=warnings)

    def encode(
        self, sample: BaseDataElement, image_size: tuple[int, int], where: str
    ) -> tuple[bytes, dict[str, Any]]:
        """Content of one image's file.

        Args:
            sample: Predicted sample.
            image_size: ``(H, W)`` in pixels.
            where: Names the image in messages.
        """
        found = sample.get('pred_proposals')
        if found is None or 'scores' not in found or 'masks' not in found:
            raise ValueError(
                f'{where}: the model returned no pred_proposals with scores and masks. '
                f"Its predict() must fill them for artifact='{self.kind}'."
            )
        scores, rles = to_numpy(found.scores).astype(float), mask_rles(found.masks)
        if len(scores) != len(rles):
            raise ValueError(
                f'{where}: pred_proposals has {len(rles)} masks and {len(scores)} '
                'scores.'
            )
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError(
                f'{where}: pred_proposals.scores must lie in [0, 1], got '
                f'{scores.tolist()[:8]}.'
            )
        for rle in rles:
            if list(rle['size']) != list(image_size):
                raise ValueError(
                    f'{where}: a proposal has size {list(rle["size"])}, the image '
                    f'{list(image_size)} (height, width).'
                )
        content, count = encode_proposals(
            sample.get('img_id'), rles, scores, self.max_num
        )
        return content, dict(count=count)
