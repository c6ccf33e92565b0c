"""IRNet's steps as they are usually written: what bench_irnet_ops.py compares with."""

import numpy as np
import scipy.sparse
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from mmwsis.ops import pixel_directions, pixel_paths, source_window

EPS = 1e-5


def flat_sources(radius: int, height: int, width: int) -> Tensor:
    rows, cols, *_ = source_window(radius, height, width)
    return torch.arange(height * width).view(height, width)[rows, cols].flatten()


def loop_affinity(edge: Tensor, radius: int) -> Tensor:
    """One gather per pixel of a path, and a running maximum."""
    flat, width = edge.flatten(1), edge.shape[-1]
    sources = flat_sources(radius, *edge.shape[-2:]).to(edge.device)
    maxima = []
    for path in pixel_paths(radius):
        values = (flat.index_select(1, sources + y * width + x) for y, x in path)
        largest = next(values)
        for value in values:
            largest = torch.maximum(largest, value)
        maxima.append(largest)
    return 1 - torch.stack(maxima, 1)


def loop_loss(
    edge_logit: Tensor, displacement: Tensor, labels: Tensor, radius: int, classes: int
) -> Tensor:
    """The total loss from arrays of all pairs."""
    affinity = loop_affinity(edge_logit.sigmoid(), radius)
    height, width = labels.shape[1:]
    sources = flat_sources(radius, height, width).to(labels.device)
    steps = [dy * width + dx for dy, dx in pixel_directions(radius)]
    targets = sources + sources.new_tensor(steps)[:, None]
    flat = labels.flatten(1)
    source, target = flat[:, None, sources], flat[:, targets]
    valid = (source <= classes) & (target <= classes)
    same = valid & (source == target)
    bg, fg = (same & (source == 0)).float(), (same & (source > 0)).float()
    neg = (valid & (source != target)).float()
    field = displacement.flatten(2)
    delta = field[:, :, None, sources] - field[:, :, targets]
    offsets = delta.new_tensor(pixel_directions(radius)).t()[:, :, None]
    positive, negative = -(affinity + EPS).log(), -(1 + EPS - affinity).log()
    l_bg = (bg * positive).sum() / (bg.sum() + EPS)
    l_fg = (fg * positive).sum() / (fg.sum() + EPS)
    l_neg = (neg * negative).sum() / (neg.sum() + EPS)
    d_fg = (fg[:, None] * (delta - offsets).abs()).sum() / (2 * fg.sum() + EPS)
    d_bg = (bg[:, None] * delta.abs()).sum() / (2 * bg.sum() + EPS)
    return ((l_bg + l_fg) / 2 + l_neg) / 2 + (d_fg + d_bg) / 2


def affinity_entries(edge: Tensor, radius: int, beta: float):
    """Rows, columns and values of the symmetric affinity matrix of a full grid."""
    _, height, width = edge.shape
    reach = radius - 1
    padded = F.pad(edge, (reach, reach, 0, reach), value=1.0)
    affinity = loop_affinity(padded[None], radius)[0] ** beta
    pixel = torch.arange(height * width).view(height, width)
    rows, cols, values = [], [], []
    for (dy, dx), direction in zip(pixel_directions(radius), affinity):
        inside = direction.view(height, width)[
            : max(0, height - dy), max(0, -dx) : min(width, width - dx)
        ]
        here = pixel[: max(0, height - dy), max(0, -dx) : min(width, width - dx)]
        rows.append(here.flatten())
        cols.append(here.flatten() + dy * width + dx)
        values.append(inside.flatten())
    rows, cols, values = map(torch.cat, (rows, cols, values))
    return rows, cols, values, height * width


def dense_walk(x: Tensor, edge: Tensor, radius=5, beta=10.0, squarings=8) -> Tensor:
    """Square the dense transition matrix."""
    rows, cols, values, size = affinity_entries(edge.cpu(), radius, beta)
    matrix = torch.eye(size)
    matrix[rows, cols] = values
    matrix[cols, rows] = values
    matrix = (matrix / matrix.sum(0)).to(x.device)
    for _ in range(squarings):
        matrix = matrix @ matrix
    return ((x * (1 - edge)).flatten(1) @ matrix).view(x.shape)


def sparse_walk(x: Tensor, edge: Tensor, radius=5, beta=10.0, steps=256) -> Tensor:
    """All steps with SciPy's sparse matrix."""
    rows, cols, values, size = affinity_entries(edge, radius, beta)
    entries = (values.numpy(), (rows.numpy(), cols.numpy()))
    half = scipy.sparse.csr_matrix(entries, shape=(size, size))
    matrix = half + half.T + scipy.sparse.identity(size, dtype=np.float32)
    matrix = scipy.sparse.diags_array(1 / np.ravel(matrix.sum(1))) @ matrix
    matrix = matrix.tocsr().astype(np.float32)
    columns = (x * (1 - edge)).flatten(1).t().contiguous().numpy()
    for _ in range(steps):
        columns = matrix @ columns
    return torch.from_numpy(columns.T.copy()).view(x.shape)


def scipy_centroids(displacement: Tensor, num_updates: int = 300) -> np.ndarray:
    """Every update of every pixel with ``scipy.ndimage.map_coordinates``."""
    field = displacement.numpy().astype(np.float64)
    limits = np.array(field.shape[1:])[:, None, None] - 1
    positions = np.mgrid[: field.shape[1], : field.shape[2]].astype(np.float32)
    for _ in range(num_updates):
        exact = positions.astype(np.float64)
        step = [ndimage.map_coordinates(part, exact, order=1) for part in field]
        positions = (exact + step).astype(np.float32).clip(0, limits)
    return np.rint(positions).astype(np.int64)


def plain_synthesis(
    cams: Tensor, labels: Tensor, edge: Tensor, displacement: Tensor, size
):
    """Centroids, walk, argmax and parts, one step after the other."""
    rows, cols = scipy_centroids(displacement)
    weak = np.sqrt((displacement.numpy() ** 2).sum(0)) < 2.5
    groups = ndimage.label(weak)[0][rows, cols]
    ids = np.unique(groups, return_inverse=True)[1].reshape(groups.shape)
    count = ids.max() + 1
    masks = torch.from_numpy(ids == np.arange(count)[:, None, None])
    walked = sparse_walk((cams[:, None] * masks).flatten(0, 1), edge)
    large = F.interpolate(
        walked[None], scale_factor=4, mode='bilinear', align_corners=False
    )[0, :, : size[0], : size[1]]
    large = large / large.max()
    winner = torch.cat([torch.full((1, *size), 0.25), large]).argmax(0).numpy()
    scores, found, classes = [], [], []
    for channel in range(len(large)):
        parts, number = ndimage.label(winner == channel + 1)
        for part in range(1, number + 1):
            mask = parts == part
            small = mask.sum() < 0.01 * mask.size
            scores.append(0.0 if small else large[channel].numpy()[mask].max())
            found.append(mask)
            classes.append(int(labels[channel // count]))
    return np.array(scores), np.array(found), np.array(classes)
