"""Each pixel to the object, or the background, with the most similar embedding."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .tensor_checks import (
    as_integer,
    as_size,
    check_finite,
    check_shape,
    full_precision,
    to_full_precision,
)


def assign_pixels(
    maps: Tensor,
    size: tuple[int, int],
    objects: Tensor,
    background: Tensor,
    chunk: int = 64,
) -> Tensor:
    r"""Find the nearest of some embeddings for every pixel of enlarged maps.

    `WISE <https://arxiv.org/abs/1906.06392>`__, section 3.3. The order of similarities
    :math:`e^{-\lVert e - r \rVert^2 / 2d}` is that of :math:`e \cdot r - |r|^2 / 2`,
    which is linear in :math:`e` and does not underflow: it is computed at the size of
    ``maps``, and enlarged bilinearly with aligned corners, some rows at a time.

    Args:
        maps: (d, h, w) embeddings.
        size: ``(H, W)`` of the image.
        objects: (K, d) embeddings, one per object.
        background: (B, d) embeddings of the background.
        chunk: Rows that are compared at a time; bounds the memory, changes nothing.
            Defaults to 64.

    Returns:
        (H, W) int64: 0 background, ``i + 1`` object i. Of equally near ones the first
        object, background last.

    Raises:
        ValueError: Shapes do not fit, neither object nor background, or embeddings that
            are not finite.

    Example:
        >>> maps = torch.tensor([[[0.0, 1, 5, 6, 3]]])
        >>> assign_pixels(maps, (1, 5), maps[:, 0, :1].T, maps[:, 0, 3:4].T)
        tensor([[1, 1, 0, 0, 1]])
    """
    check_shape('maps', maps, ('d', 'h', 'w'))
    check_shape('objects', objects, ('K', len(maps)), like=maps)
    check_shape('background', background, ('B', len(maps)), like=maps)
    height, width = as_size('size', size)
    chunk = as_integer('chunk', chunk, 1)
    for name, tensor in dict(maps=maps, objects=objects, background=background).items():
        check_finite(name, tensor)
    maps = to_full_precision(maps)
    references = torch.cat([objects, background]).to(maps.dtype)
    if not len(references):
        raise ValueError('objects, background: expected at least one embedding.')
    labels = maps.new_zeros((height, width), dtype=torch.int64)
    if not labels.numel():
        return labels
    with full_precision(maps):
        # Distances are the same from any origin; near it products are more exact.
        maps, references = (
            maps - references[0][:, None, None],
            references - references[0],
        )
        # Equal references may differ in the last bit of their products.
        first = (references[:, None] == references).all(2).int().argmax(1)
        nearness = torch.einsum('rd,dhw->rhw', references, maps)
        nearness -= references.square().sum(1)[:, None, None] / 2
        wide = F.interpolate(
            nearness[None], (maps.shape[1], width), mode='bilinear', align_corners=True
        )[0]
        for rows in torch.arange(height, device=maps.device).split(chunk):
            # Of equal ones the first; argmax is slower.
            labels[rows] = first[_rows(wide, rows, height).max(0).indices] + 1
    return labels.masked_fill(labels > len(objects), 0)


def _rows(maps: Tensor, rows: Tensor, height: int) -> Tensor:
    """Rows of maps that are enlarged to a height."""
    place = rows.to(maps.dtype) * ((maps.shape[1] - 1) / max(height - 1, 1))
    upper = place.long()
    lower = (upper + 1).clamp(max=maps.shape[1] - 1)
    return torch.lerp(maps[:, upper], maps[:, lower], (place - upper)[:, None])
