"""Packing a whole image with a prompt for each of its objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmwsis.formats.coco_masks import MaskError, checked_rle, decode_segmentation
from mmwsis.formats.image_file import image_place
from mmwsis.ops.interior_points import interior_point
from mmwsis.registry import TRANSFORMS

# What an instance of the dataset must have for a kind of prompt.
_READS = dict(
    points='point', boxes='bbox', extreme_points='extreme_points', masks='mask'
)
META_KEYS = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'height',
    'width',
    'tags',
    'supervision',
)


@TRANSFORMS.register_module()
class PackPrompts(BaseTransform):
    """Pack an image and, for each object, the points and the box that prompt a model.

    ``inputs`` is the image, uint8 RGB (3, H, W), as it was loaded: transforms that move
    objects do not fit in between. ``data_samples.prompts`` has a row for each object of
    the image that is no crowd, in the order of the file:

    - ``labels`` int64 (N,); ``ann_ids``, a list of N;
    - ``points`` float32 (N, P, 2): x and y of pixels in the object, where the centre of
      a pixel has integer coordinates. P is the same for all;
    - ``boxes`` float32 (N, 4): x0, y0, x1, y1, cut off at the border of the image;
      absent with ``prompt='points'``;
    - ``masks``, with ``prompt='masks'``: a list of N COCO RLEs.

    ================ ======================= ========================================
    ``prompt``       box                     points
    ================ ======================= ========================================
    'points'         none                    the point of the object
    'boxes'          the box                 with ``centre``: its centre
    'extreme_points' that of the four points the four, moved by ``inward``; with
                                             ``centre``: that of the box
    'masks', pseudo  the one that the        ``num_points`` inside of the mask, far from
    labels           labeler saw, else that  its outside and from each other
                     of the mask
    ================ ======================= ========================================

    A mask of fewer pixels than ``num_points`` has its last point several times.

    Args:
        prompt: What to make prompts of, see above: the supervision of the dataset, or
            'masks' for pseudo labels that are refined.
        inward: By how much an extreme point, which lies on the outline of its object,
            is moved to the centre of the box: 0 leaves it, 1 makes it the centre. None
            takes no point of the four. Defaults to 0.1.
        centre: Whether the centre of the box is a point of the object. Right for
            compact objects, wrong for rings and arcs. Defaults to False.
        num_points: Points in each mask, for 'masks'. Defaults to 3.
        mirrored: Exchange left and right of the image and of its prompts, as
            ``--view mirrored`` does. Not for 'masks'. Defaults to False.

    Raises:
        ValueError: An unknown ``prompt``, ``inward`` outside of [0, 1],
            ``num_points`` below 1, or mirrored masks.
    """

    def __init__(
        self,
        prompt: str,
        inward: float | None = 0.1,
        centre: bool = False,
        num_points: int = 3,
        mirrored: bool = False,
    ) -> None:
        if prompt not in _READS:
            raise ValueError(
                f'PackPrompts: prompt must be one of {sorted(_READS)}, got {prompt!r}. '
                'Tags alone prompt nothing.'
            )
        if inward is not None and not 0 <= inward <= 1 or num_points < 1:
            raise ValueError(
                'PackPrompts needs 0 <= inward <= 1, or None, and num_points >= 1; got '
                f'{inward} and {num_points}.'
            )
        if mirrored and prompt == 'masks':
            raise ValueError(
                'PackPrompts: pseudo labels that are refined have no mirrored view.'
            )
        self.mirrored = mirrored
        self.prompt = prompt
        self.inward = inward
        self.centre = centre
        self.num_points = num_points

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one image.

        Args:
            results: Data of an image of :class:`mmwsis.datasets.CocoWeakDataset`, with
                ``img``.

        Returns:
            ``dict(inputs=Tensor, data_samples=DetDataSample)``.

        Raises:
            ValueError: The image was changed; an object lacks what its prompt is made
                of, or this lies outside of the image. The message names the image and
                the annotation.
        """
        height, width = results['ori_shape'][:2]
        if results['img'].shape[:2] != (height, width) or results.get('flip'):
            raise ValueError(
                f'{_image(results)}: PackPrompts needs the image as it was loaded, '
                'because prompts are pixels of it. Remove the transforms in between.'
            )
        found = [one for one in results['instances'] if not one['ignore_flag']]
        rows = []
        for instance in found:
            try:
                rows.append(self._prompt(instance, (height, width)))
            except ValueError as error:
                place = f'{_image(results)}, annotation id {instance["ann_id"]!r}'
                raise ValueError(f'{place}: {error}') from None
        kept = [(one, row) for one, row in zip(found, rows) if row is not None]
        sample = DetDataSample(
            metainfo={key: results[key] for key in META_KEYS if key in results}
        )
        sample.prompts = self._packed(kept, (height, width))
        image = results['img']
        if self.mirrored:
            image = image[:, ::-1]
            _mirror(sample.prompts, width)
        pixels = np.ascontiguousarray(image.transpose(2, 0, 1))
        return dict(inputs=torch.from_numpy(pixels), data_samples=sample)

    def _packed(
        self,
        kept: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
        size: tuple[int, int],
    ) -> InstanceData:
        count = len(kept)
        points = np.array([row['points'] for _, row in kept], dtype=np.float32)
        labels = [one['bbox_label'] for one, _ in kept]
        prompts = InstanceData(
            labels=torch.tensor(labels, dtype=torch.long),
            ann_ids=[one['ann_id'] for one, _ in kept],
            points=torch.from_numpy(points).reshape(count, -1 if count else 0, 2),
        )
        if self.prompt != 'points':
            boxes = np.array([row['box'] for _, row in kept], dtype=np.float32)
            prompts.boxes = torch.from_numpy(boxes).reshape(count, 4)
        if self.prompt == 'masks':
            prompts.masks = [checked_rle(one['mask'], *size) for one, _ in kept]
        return prompts

    def _prompt(
        self, instance: Mapping[str, Any], size: tuple[int, int]
    ) -> dict[str, Any] | None:
        """Points (P, 2) and box of an object; None for a box of no area."""
        key = _READS[self.prompt]
        if instance.get(key) is None:
            raise ValueError(
                f'there is no {key} for prompt={self.prompt!r}. Give labels that have '
                'it, and declare the dataset with that supervision.'
            )
        if self.prompt == 'points':
            return dict(points=[_inside(instance['point'], size)])
        box = _clipped(instance.get('weak_bbox', instance['bbox']), size)
        if box is None:
            return None
        if self.prompt == 'masks':
            return dict(box=box, points=self._points_of_mask(instance['mask'], size))
        centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
        points = np.zeros((0, 2))
        if self.prompt == 'extreme_points' and self.inward is not None:
            four = np.asarray(instance['extreme_points'], dtype=np.float64)
            points = four + self.inward * (centre - four)
        if self.centre:
            points = np.concatenate([points, centre[None]])
        # From continuous coordinates to those of pixels, whose centres are integers.
        limits = np.array(size[::-1]) - 1
        return dict(box=box, points=(points - 0.5).clip(0, limits))

    def _points_of_mask(self, mask: Any, size: tuple[int, int]) -> list[list[int]]:
        try:
            crop = decode_segmentation(mask, *size)
        except MaskError as error:
            raise ValueError(str(error)) from None
        left = crop.mask.astype(bool)
        points = []
        for _ in range(min(self.num_points, int(left.sum()))):
            x, y = interior_point(left)
            left[y, x] = False  # the next one keeps away from it
            points.append([x + crop.offset[0], y + crop.offset[1]])
        return points + points[-1:] * (self.num_points - len(points))

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prompt={self.prompt!r}, inward={self.inward}, '
            f'centre={self.centre}, num_points={self.num_points}, '
            f'mirrored={self.mirrored})'
        )


def _mirror(prompts: InstanceData, width: int) -> None:
    """Prompts of the mirror image, in place."""
    prompts.points[..., 0] = width - 1 - prompts.points[..., 0]
    if 'boxes' in prompts:
        prompts.boxes[:, [0, 2]] = width - prompts.boxes[:, [2, 0]]


def _image(results: Mapping[str, Any]) -> str:
    return image_place(str(results.get('img_path')), results.get('img_id'))


def _inside(point: Sequence[float], size: tuple[int, int]) -> np.ndarray:
    """A click in its image; those on the right and lower border are the last pixels."""
    limits = np.array(size[::-1])
    point = np.asarray(point, dtype=np.float64)
    if not ((point >= 0) & (point <= limits)).all():
        raise ValueError(
            f'the point {point.tolist()} lies outside the image of {size[1]} x '
            f'{size[0]} pixels. tools/analysis_tools/check_dataset.py lists all such '
            'points.'
        )
    return np.minimum(point, limits - 1)


def _clipped(box: Sequence[float], size: tuple[int, int]) -> np.ndarray | None:
    """A box cut off at the border of its image; None without an area of its own."""
    limits = np.array([size[1], size[0]] * 2)
    box = np.asarray(box, dtype=np.float64)
    clipped = box.clip(0, limits)
    if (clipped[2:] > clipped[:2]).all():
        return clipped
    if (box[2:] <= box[:2]).any():
        return None  # it is filled without a network
    raise ValueError(
        f'the box {box.tolist()} (x0, y0, x1, y1) has no pixel in the image of '
        f'{size[1]} x {size[0]} pixels. Remove or correct it.'
    )
