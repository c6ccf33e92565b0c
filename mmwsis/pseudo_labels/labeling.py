"""Building a labeler from its checkpoint and running it over chunks."""

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.logging import print_log
from torch import nn
from torch.utils.data import DataLoader

from mmwsis.registry import MODELS
from mmwsis.utils.checkpoint import load_checkpoint_file

from .artifact import Artifact
from .labeler import Labeler
from .loading import ChunkBatch
from .parts import PartWriter

# Normalisation constants come from the config, not from a checkpoint.
_UNUSED = ('data_preprocessor.',)


def load_labeler(
    model_cfg: ConfigDict, checkpoint: str | os.PathLike | None, device: str
) -> nn.Module:
    """Build a labeler and load its weights; refuses to label with random ones.

    Args:
        model_cfg: The config's ``model``.
        checkpoint: Checkpoint of ``tools/train.py``; None for a model that has no
            weights, or brings them with it.
        device: Such as 'cuda' or 'cpu'.

    Returns:
        The model in evaluation mode.

    Raises:
        ValueError: The file is no checkpoint, or it does not hold every weight that
            prediction needs, in the right shape; there is none, but the model has
            weights.
    """
    model = MODELS.build(model_cfg)
    if checkpoint is None:
        needed = _needed_weights(model)
        if needed and not hasattr(model, 'find_weights'):
            raise ValueError(
                f'{model_cfg.type} has {len(needed)} weights, such as {needed[:3]}: '
                'give the checkpoint that tools/train.py wrote.'
            )
        return model.to(device).eval()
    loaded = load_checkpoint_file(checkpoint)
    weights = loaded.get('state_dict', loaded) if isinstance(loaded, Mapping) else None
    if not isinstance(weights, Mapping):
        raise ValueError(
            f'{checkpoint} is no checkpoint of tools/train.py: expected a dictionary '
            f'with state_dict, got a {type(loaded).__name__}.'
        )
    weights = {key.removeprefix('module.'): value for key, value in weights.items()}
    _check_weights(model, weights, checkpoint)
    model.load_state_dict(weights, strict=False)
    return model.to(device).eval()


def find_own_weights(model_cfg: Mapping[str, Any]) -> dict[str, str] | None:
    """Weights that a model brings with it: its config names them, nobody trained them.

    Args:
        model_cfg: The config's ``model``. Its class finds them by ``find_weights``,
            which is called with the rest of the config.

    Returns:
        ``checkpoint``, a name, and ``checkpoint_sha256``; None for other models.
    """
    settings = dict(model_cfg)
    find = getattr(MODELS.get(str(settings.pop('type'))), 'find_weights', None)
    return None if find is None else find(**settings)


def _needed_weights(model: nn.Module) -> list[str]:
    """Names of the weights that prediction runs."""
    unused = _UNUSED + tuple(getattr(model, 'unused_in_prediction', ()))
    return [key for key in model.state_dict() if not key.startswith(unused)]


def _check_weights(model: nn.Module, weights: Mapping[str, Any], path: Any) -> None:
    own, needed = model.state_dict(), _needed_weights(model)
    missing = [key for key in needed if key not in weights]
    reshaped = [
        f'{key} {tuple(weights[key].shape)} instead of {tuple(own[key].shape)}'
        for key in own
        if key in weights and weights[key].shape != own[key].shape
    ]
    if missing or reshaped:
        raise ValueError(
            f'{path} does not fit the model of the config: {len(missing)} of '
            f'{len(needed)} weights are missing {missing[:4]}, {len(reshaped)} have '
            f'another shape {reshaped[:4]}. Use the config that the checkpoint was '
            'trained with.'
        )
    extra = [key for key in weights if key not in own]
    if extra:
        print_log(
            f'{path} holds {len(extra)} weights that the model does not have, such as '
            f'{extra[:4]}; they are left out.',
            logger='current',
            level=logging.WARNING,
        )


def label_chunks(
    model: Labeler,
    loader: DataLoader,
    artifact: Artifact,
    writer: PartWriter,
    advance: Callable[[int], None],
    amp: bool = False,
) -> None:
    """Label all batches of a loader and write every chunk as soon as it is whole.

    Args:
        model: Labeler in evaluation mode.
        loader: Of ``build_loader``; of a labeler that :func:`labels_in_loader`, with
            :func:`label_batch`.
        artifact: Says what is kept of a predicted sample.
        writer: Receives the finished chunks.
        advance: Told the number of samples of every finished chunk.
        amp: Run the model under autocast. Defaults to False.

    Raises:
        ValueError: See :func:`label_batch`.
    """
    open_chunks: dict[int, dict[int, list[dict]]] = {}
    for batch in loader:
        done = open_chunks.setdefault(batch.chunk, {})
        done[batch.batch] = (
            batch.data
            if labels_in_loader(model)
            else label_batch(batch, model, artifact, amp)
        )
        if len(done) == batch.batches:
            open_chunks.pop(batch.chunk)
            records = [record for index in sorted(done) for record in done[index]]
            writer.write(batch.chunk, records)
            advance(len(records))


def labels_in_loader(model: Labeler) -> bool:
    """Whether a model labels in the processes that load its images.

    One that computes on the CPU alone is done sooner with several of them.

    Args:
        model: Says so by its attribute ``cpu_only``.
    """
    return bool(getattr(model, 'cpu_only', False))


def label_batch(
    batch: ChunkBatch, model: Labeler, artifact: Artifact, amp: bool = False
) -> list[dict[str, Any]]:
    """Predict a batch.

    Args:
        batch: As loaded.
        model: Labeler in evaluation mode.
        artifact: Says what is kept of a predicted sample.
        amp: Run the model under autocast. Defaults to False.

    Returns:
        The artifact's record of every sample.

    Raises:
        ValueError: The model failed on it, or returned something else than what
            the artifact needs of every sample; the message names the ids.
    """
    model.artifact = artifact.kind
    parameter = next(model.parameters(), None)  # some models have none
    device = 'cpu' if parameter is None else parameter.device.type
    autocast = torch.autocast(device) if amp else contextlib.nullcontext()
    try:
        with torch.no_grad(), autocast:
            samples = model.test_step(batch.data)
    except ValueError as error:
        place = _place(batch.item_ids, artifact)
        raise ValueError(f'{place}: {error}') from error
    return _records(samples, batch.item_ids, artifact)


def _records(
    samples: list, item_ids: tuple[Any, ...], artifact: Artifact
) -> list[dict[str, Any]]:
    returned = [sample.get(artifact.key) for sample in samples]
    if returned != list(item_ids):
        raise ValueError(
            f'{_place(item_ids, artifact)}: the model returned predictions for '
            f'{returned}; expected one for each, in order. The data pipeline must pack '
            f'{artifact.key!r} as metainfo, and predict() must keep it.'
        )
    return [artifact.record(sample) for sample in samples]


def _place(item_ids: tuple[Any, ...], artifact: Artifact) -> str:
    kind = artifact.listed_in.removesuffix('s')
    return f'labelling {kind} ids {list(item_ids)}'
