"""What BESTIE learns from: pseudo labels, and refined ones at moments of training."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor

from .canvas import Canvas
from .coco_files import tagged_indices
from .displacement import draw_displacement
from .maps import draw_heat, draw_numbers
from .palette import distinct_color
from .samples import to_rgb
from .sheet import Tile, contact_sheet, save_image
from .weak_labels import draw_points

UNKNOWN = 255


@torch.no_grad()
def refined_labels(model: Any, data_batch: Mapping[str, Any]) -> tuple[list, Any]:
    """Run a network's refinement on raw crops, for drawing.

    The training is left as it was: the network is in evaluation mode meanwhile, no
    statistics change and no random numbers are drawn.

    Args:
        model: ``mmwsis.BESTIE``.
        data_batch: Batch of training crops as the data loader gives it.

    Returns:
        The samples as the network gets them, and its refined
        :class:`mmwsis.ops.CenterTargets`.

    Raises:
        TypeError: The model does not refine labels.
    """
    _check_refines(model)
    was_training = model.training
    model.eval()
    try:
        data = model.data_preprocessor(data_batch, True)
        samples = data['data_samples']
        semantic_map = torch.stack([one.gt_sem_seg.sem_seg[0] for one in samples])
        maps = model(data['inputs'], samples)
        return samples, model.refined(maps, semantic_map, samples)
    finally:
        model.train(was_training)


def _check_refines(model: Any) -> None:
    if getattr(model, 'refinement', None) is None:
        raise TypeError(
            f'{type(model).__name__} does not refine labels; BESTIE does '
            '(mmwsis.BESTIE, unless model.refinement=None).'
        )


def refinement_sheet(
    images: Sequence[np.ndarray],
    samples: Sequence[Any],
    moments: Sequence[tuple[str, Any]],
    title: str = '',
) -> np.ndarray:
    """Draw pseudo and refined labels side by side, as Fig. 5 of the paper does.

    Args:
        images: RGB ``(H, W, 3)``, uint8, of each crop.
        samples: Their samples, from :func:`refined_labels`.
        moments: Caption and refined labels of each moment of training. Without centre
            maps (the paper's point setting) their offsets alone are drawn.
        title: Heading.

    Returns:
        RGB image, uint8: a row per crop with semantic map and cues, pseudo centres and
        offsets, refined centres and offsets of each moment.
    """
    tiles = []
    for row, (image, sample) in enumerate(zip(images, samples, strict=True)):
        pseudo = sample.gt_center_targets
        columns = [('pseudo', pseudo.centers, pseudo.offsets, pseudo.weights)]
        for name, found in moments:
            centers = None if found.centers is None else found.centers[row]
            columns.append((name, centers, found.offsets[row], found.weights[row]))
        # One length for all: the same colour is the same offset in a row.
        longest = max(float(one[2].norm(dim=0).max()) for one in columns)
        tiles.append(_source_tile(image, sample))
        for column in columns:
            tiles += _target_tiles(image, *column, longest)
    return contact_sheet(tiles, len(tiles) // len(images), title)


def _source_tile(image: np.ndarray, sample: Any) -> Tile:
    """Semantic map and cues of a crop."""
    numbers = sample.gt_sem_seg.sem_seg[0].cpu().numpy()
    canvas = Canvas(draw_numbers(image, numbers, unknown=UNKNOWN))
    scale = canvas.width / image.shape[1]
    points = ((sample.gt_instances.points + 0.5) * scale - 0.5).tolist()
    labels = sample.gt_instances.labels.tolist()
    draw_points(canvas, points, [distinct_color(label + 1) for label in labels])
    caption = f'image {sample.get("img_id")}: semantic map, {len(points)} cues'
    return Tile(canvas.image, caption)


def _target_tiles(
    image: np.ndarray,
    name: str,
    centers: Tensor | None,
    offsets: Tensor,
    weights: Tensor,
    longest: float,
) -> list[Tile]:
    """Centres, if there are any, and offsets."""
    tiles = []
    if centers is not None:
        heat = centers.amax(0).cpu().numpy()
        tiles.append(Tile(draw_heat(image, heat), f'{name}: centres'))
    weight = weights[0].cpu().numpy()
    share = (weight > 0).mean()
    mean = weight[weight > 0].mean() if share else 0.0
    tiles.append(
        Tile(
            draw_displacement(image, offsets.cpu().numpy(), longest),
            f'{name}: offsets, {share:.0%} of the pixels, weight {mean:.2f}',
        )
    )
    return tiles


def draw_refinement(
    cfg: Config,
    checkpoints: Sequence[str | os.PathLike],
    out_file: str | os.PathLike,
    num: int = 4,
    seed: int = 0,
    device: str = 'cpu',
) -> Path:
    """Draw what a network made of its labels, on training crops.

    Args:
        cfg: Config of the network.
        checkpoints: One for each moment of training. A single one is drawn with earlier
            ones beside it in its folder, three in all.
        out_file: Image file to write.
        num: Number of crops, spread over the images with tags.
        seed: Seed of the random crops.
        device: Where the network runs.

    Returns:
        ``out_file``.

    Raises:
        TypeError: The config's model does not refine labels.
        ValueError: No image has a tag.
    """
    from mmwsis.pseudo_labels.labeling import load_labeler
    from mmwsis.registry import DATASETS

    init_default_scope(cfg.get('default_scope', 'mmdet'))
    if len(checkpoints) == 1:
        checkpoints = with_earlier(Path(checkpoints[0]))
    models = [load_labeler(cfg.model, file, device) for file in checkpoints]
    _check_refines(models[0])
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    chosen = tagged_indices(dataset, num)
    np.random.seed(seed)
    batch = pseudo_collate([dataset[index] for index in chosen])
    moments = []
    for checkpoint, model in zip(checkpoints, models, strict=True):
        samples, found = refined_labels(model, batch)
        moments.append((Path(checkpoint).stem, found))
    images = crop_images(models[0], batch)
    return save_image(Path(out_file), refinement_sheet(images, samples, moments))


def crop_images(model: Any, data_batch: Mapping[str, Any]) -> list[np.ndarray]:
    """RGB images, uint8, of a batch of crops as the data loader gives it."""
    bgr = getattr(model.data_preprocessor, '_channel_conversion', False)
    return [to_rgb(image, bgr) for image in data_batch['inputs']]


def with_earlier(checkpoint: Path, num: int = 3) -> list[Path]:
    """Checkpoints of the same training beside one, from an early one to itself.

    Args:
        checkpoint: Such as ``iter_800.pth``.
        num: How many at most.

    Returns:
        The first one, others at equal distances, and ``checkpoint``.
    """
    kind, _, number = checkpoint.stem.rpartition('_')
    if not number.isdigit():
        return [checkpoint]
    found = {
        int(file.stem.rpartition('_')[2]): file
        for file in checkpoint.parent.glob(f'{kind}_*.pth')
        if file.stem.rpartition('_')[2].isdigit()
    }
    found[int(number)] = checkpoint
    files = [found[key] for key in sorted(found) if key <= int(number)]
    count = min(num, len(files))
    steps = [round(i * (len(files) - 1) / max(count - 1, 1)) for i in range(count)]
    return [files[step] for step in steps[:-1]] + [checkpoint]
