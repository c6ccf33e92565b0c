"""What BESTIE learns from: pseudo labels, and refined ones at moments of training."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from torch import Tensor

from mmwsis.formats.refinement_records import (
    FOLDER,
    RefinementRecord,
    read_record,
    recorded_iterations,
)
from mmwsis.ops import CenterTargets
from mmwsis.utils.seed import kept_random_state, seed_random_state

from .canvas import Canvas
from .coco_files import tagged_indices
from .displacement import draw_displacement
from .maps import draw_heat, draw_numbers
from .palette import distinct_color
from .samples import to_rgb
from .sheet import Tile, contact_sheet, save_image
from .weak_labels import draw_points

UNKNOWN = 255
RECORD = '.npz'


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
    count = f'{len(points)} {"cue" if len(points) == 1 else "cues"}'
    caption = f'image {sample.get("img_id")}: semantic map, {count}'
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
            moments of its training, three in all: those that
            ``mmwsis.RefinementVisualizationHook`` recorded, on its crops, and other
            checkpoints in the folder.
        out_file: Image file to write.
        num: Number of crops, spread over the images with tags, unless the hook chose.
        seed: Seed of the random crops, likewise.
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
    files = [Path(file) for file in checkpoints]
    model = load_labeler(cfg.model, files[-1], device)
    _check_refines(model)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    crops = None
    if len(files) == 1:
        files = with_earlier(files[0])
        crops = _recorded_crops(dataset, files)
        if crops is None:
            files = with_earlier(files[-1], records=False)
    if crops is None:
        crops = training_crops(dataset, tagged_indices(dataset, num), seed)
    moments = []
    for file in files[:-1]:
        if file.suffix == RECORD:
            found = _recorded_labels(read_record(file))
        else:
            _, found = refined_labels(load_labeler(cfg.model, file, device), crops)
        moments.append((file.stem, found))
    samples, found = refined_labels(model, crops)
    moments.append((files[-1].stem, found))
    images = crop_images(model, crops)
    return save_image(Path(out_file), refinement_sheet(images, samples, moments))


def training_crops(
    dataset: BaseDataset, indices: Sequence[int], seed: int
) -> dict[str, Any]:
    """Load random training crops, the same ones every time.

    The global random states are left as they were.

    Args:
        dataset: Of the training.
        indices: Of its images.
        seed: Of the random transforms.

    Returns:
        A batch as the data loader gives it.
    """
    with kept_random_state():
        seed_random_state(seed)
        return pseudo_collate([dataset[index] for index in indices])


def record_of(
    data_batch: Mapping[str, Any], found: Any, indices: Sequence[int], seed: int
) -> RefinementRecord:
    """What a later figure needs of refined labels.

    Args:
        data_batch: Crops of :func:`training_crops`.
        found: Their labels, from :func:`refined_labels`.
        indices: As given to :func:`training_crops`.
        seed: Likewise.

    Returns:
        The record.
    """
    centers = None if found.centers is None else found.centers.amax(1, keepdim=True)
    maps = (
        None if one is None else one.cpu().numpy()
        for one in (centers, found.offsets, found.weights)
    )
    return RefinementRecord(np.array(indices), seed, _checksum(data_batch), *maps)


def _recorded_labels(record: RefinementRecord) -> CenterTargets:
    centers = None if record.centers is None else torch.from_numpy(record.centers)
    maps = (torch.from_numpy(one) for one in (record.offsets, record.weights))
    return CenterTargets(centers, *maps)


def _recorded_crops(
    dataset: BaseDataset, files: Sequence[Path]
) -> dict[str, Any] | None:
    """The crops of records; None without records, or if the dataset has others now."""
    records = [read_record(file) for file in files if file.suffix == RECORD]
    if not records:
        return None
    first = records[0]
    if first.indices.max() < len(dataset):
        crops = training_crops(dataset, first.indices.tolist(), first.seed)
        if {one.checksum for one in records} == {_checksum(crops)}:
            return crops
    print_log(
        f'The crops in {files[0].parent} are not those of this config; checkpoints '
        'are drawn instead.',
        'current',
        logging.WARNING,
    )
    return None


def _checksum(data_batch: Mapping[str, Any]) -> int:
    """Of the pixels of crops."""
    number = 0
    for image in data_batch['inputs']:
        number = crc32(np.ascontiguousarray(image.cpu().numpy()), number)
    return number


def crop_images(model: Any, data_batch: Mapping[str, Any]) -> list[np.ndarray]:
    """RGB images, uint8, of a batch of crops as the data loader gives it."""
    bgr = getattr(model.data_preprocessor, '_channel_conversion', False)
    return [to_rgb(image, bgr) for image in data_batch['inputs']]


def with_earlier(checkpoint: Path, num: int = 3, records: bool = True) -> list[Path]:
    """Moments of the same training, from an early one to a checkpoint.

    Args:
        checkpoint: Such as ``iter_800.pth``.
        num: How many at most.
        records: Whether to take what ``mmwsis.RefinementVisualizationHook`` recorded,
            too; it keeps early moments whose checkpoints have gone.

    Returns:
        Records or checkpoints of the first moment, of others at nearly equal distances,
        and ``checkpoint``. The first iteration, before which nothing was learned, is
        left out where there are enough others.
    """
    kind, _, number = checkpoint.stem.rpartition('_')
    if not number.isdigit():
        return [checkpoint]
    found = {
        int(file.stem.rpartition('_')[2]): file
        for file in checkpoint.parent.glob(f'{kind}_*.pth')
        if file.stem.rpartition('_')[2].isdigit()
    }
    if records and kind.endswith('iter'):
        found.update(recorded_iterations(checkpoint.parent / FOLDER))
    last = int(number)
    earlier = sorted(key for key in found if key < last)
    if len(earlier) >= num and earlier[0] == 1:
        earlier = earlier[1:]
    chosen = []
    for wanted in np.linspace(earlier[0] if earlier else last, last, num)[:-1]:
        left = [key for key in earlier if key not in chosen]
        if left:
            chosen.append(min(left, key=lambda key: (abs(key - wanted), -key)))
    return [found[key] for key in sorted(chosen)] + [checkpoint]
