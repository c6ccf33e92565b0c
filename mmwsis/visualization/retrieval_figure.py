"""From a labeler and a batch of crops to retrieval figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from .coco_files import spread
from .retrieval import RetrievalFigure, points_on_crop, retrieval_sheet
from .samples import crop_caption, to_rgb
from .sheet import save_image


@torch.no_grad()
def retrieval_figures(
    model: Any, data_batch: Mapping[str, Any], num: int = 4, classes: Sequence[str] = ()
) -> list[RetrievalFigure]:
    """Run a labeler's point retrieval on raw crops, for drawing.

    The training is left as it was: random numbers that the retrieval may draw do not
    count, and no gradients are made.

    Args:
        model: ``mmwsis.ExitsLabeler``: ``data_preprocessor`` and ``retrieve``.
        data_batch: Batch as the data loader gives it, not yet normalised.
        num: Draw at most this many samples.
        classes: Class names.

    Returns:
        One figure per sample.

    Raises:
        TypeError: The model has no point retrieval.
        ValueError: The samples carry no extreme points.
    """
    if not hasattr(model, 'retrieve'):
        raise TypeError(
            f'{type(model).__name__} has no point retrieval; EXITS has (mmwsis.'
            'ExitsLabeler).'
        )
    inputs = {name: list(views)[:num] for name, views in data_batch['inputs'].items()}
    samples = list(data_batch['data_samples'])[:num]
    if any('extreme_points' not in sample for sample in samples):
        raise ValueError(
            'Point retrieval needs extreme points, but the samples have none; the '
            "dataset's supervision must be 'extreme_points'."
        )
    devices = _cuda_devices(model)
    with torch.random.fork_rng(devices=devices):
        batch = model.data_preprocessor(dict(inputs=inputs, data_samples=samples))
        retrieval, similarity = model.retrieve(batch['inputs'], batch['data_samples'])
    views = inputs.get('teacher', inputs.get('image'))
    return [
        _figure(index, views[index], sample, retrieval, similarity, classes)
        for index, sample in enumerate(samples)
    ]


def _figure(
    index: int,
    view: torch.Tensor,
    sample: Any,
    retrieval: Any,
    similarity: torch.Tensor,
    classes: Sequence[str],
) -> RetrievalFigure:
    """Pick one sample out of the batch."""
    fields = {
        name: value[index].float().cpu().numpy()
        for name, value in retrieval._asdict().items()
        if name in RetrievalFigure.__dataclass_fields__
    }
    for name in ('init_fg', 'init_bg', 'pseudo_fg', 'pseudo_bg'):
        fields[name] = fields[name] > 0
    return RetrievalFigure(
        crop=to_rgb(view),
        box_mask=sample.box_mask.cpu().numpy(),
        extreme_points=points_on_crop(
            sample.extreme_points.cpu().numpy(),
            sample.crop_box,
            sample.flip,
            sample.crop_size,
        ),
        similarity=similarity[index].float().cpu().numpy(),
        name=crop_caption(sample, classes),
        **fields,
    )


def _cuda_devices(model: Any) -> list[int]:
    parameter = next(iter(model.parameters()), None)
    if parameter is None or parameter.device.type != 'cuda':
        return []
    return [parameter.device.index or 0]


def draw_retrieval(
    labeler: Any,
    out_file: str | Path,
    num: int = 4,
    seed: int = 0,
) -> Path:
    """Draw the point retrieval of a trained EXITS labeler on training crops.

    Args:
        labeler: ``mmwsis.apis.LabelInferencer`` of the labeler.
        out_file: Image file to write.
        num: Number of crops, spread over the dataset.
        seed: Seed of the random crops.

    Returns:
        ``out_file``.

    Raises:
        TypeError: The config's model has no point retrieval.
    """
    model, dataset = labeler.model, labeler.dataset('train_dataloader')
    np.random.seed(seed)
    torch.manual_seed(seed)
    chosen = spread(range(len(dataset)), num)
    batch = pseudo_collate([dataset[index] for index in chosen])
    classes = dataset.metainfo.get('classes') or ()
    figures = retrieval_figures(model, batch, num, classes)
    return save_image(Path(out_file), retrieval_sheet(figures))
