"""Building a labeler from its checkpoint and running it over chunks."""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from mmengine.config import ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from torch import nn
from torch.utils.data import DataLoader

from mmwsis.registry import MODELS
from mmwsis.utils.checkpoint import load_checkpoint_file

from .artifact import Artifact
from .distributed import default_device
from .labeler import Labeler
from .loading import ChunkBatch, build_loader
from .plan import Chunk
from .views import original_record

# Normalisation constants come from the config, not from a checkpoint.
_UNUSED = ('data_preprocessor.',)


class ChunkWriter(Protocol):
    """Receives the records of finished chunks, such as a ``PartWriter``."""

    def write(self, chunk: int, records: Sequence[Mapping[str, Any]]) -> None:
        """Keep one chunk.

        Args:
            chunk: Number of the chunk.
            records: What the artifact keeps of each sample.
        """
        ...


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


def checkpoint_meta(path: str | os.PathLike | None) -> Mapping[str, Any]:
    """What a checkpoint says of its training; reads no weight.

    Args:
        path: The file; None has nothing to say.

    Returns:
        Its ``meta``, empty where there is none.
    """
    if path is None:
        return {}
    content = load_checkpoint_file(path, map_location='meta')
    meta = content.get('meta') if isinstance(content, Mapping) else None
    return meta if isinstance(meta, Mapping) else {}


def move_labeler(model: nn.Module, device: str | None = None) -> nn.Module:
    """Bring a labeler where it computes.

    Args:
        model: One that :func:`labels_in_loader` stays on the CPU.
        device: Such as 'cuda:1'. Defaults to None: CUDA where there is some.

    Returns:
        The model.
    """
    if labels_in_loader(model):
        return model
    return model.to(device or default_device())


@contextlib.contextmanager
def labeling_numerics() -> Iterator[None]:
    """Set torch's numerics to those of label generation, and back."""
    tiny = torch.tensor(1e-310, dtype=torch.float64)
    flushed = bool(tiny * 1 == 0)
    # Denormal numbers make small networks many times slower on CPUs.
    torch.set_flush_denormal(True)
    try:
        with torch.backends.cudnn.flags(benchmark=False, deterministic=True):
            yield
    finally:
        torch.set_flush_denormal(flushed)


def label_dataset(
    model: Labeler,
    dataset: BaseDataset,
    chunks: Sequence[Chunk],
    artifact: Artifact,
    writer: ChunkWriter,
    advance: Callable[[int], None],
    batch_size: int,
    settings: Mapping[str, Any],
    amp: bool = False,
) -> None:
    """Label chunks of a dataset.

    Args:
        model: Labeler in evaluation mode.
        dataset: Dataset of samples in test mode.
        chunks: What to label.
        artifact: Says what is kept of a predicted sample.
        writer: Receives the finished chunks.
        advance: Told the number of samples of every finished chunk.
        batch_size: Samples in a batch.
        settings: Of :func:`~mmwsis.pseudo_labels.loading.build_loader`.
        amp: Run the model under autocast. Defaults to False.

    Raises:
        ValueError: See :func:`label_batch`.
    """
    label = None
    if labels_in_loader(model):
        label = functools.partial(label_batch, model=model, artifact=artifact, amp=amp)
    loader = build_loader(dataset, chunks, batch_size, settings, label)
    with labeling_numerics():
        label_chunks(model, loader, artifact, writer, advance, amp)


def label_chunks(
    model: Labeler,
    loader: DataLoader,
    artifact: Artifact,
    writer: ChunkWriter,
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
    records = [artifact.record(sample) for sample in samples]
    return [original_record(record, artifact.view) for record in records]


def _place(item_ids: tuple[Any, ...], artifact: Artifact) -> str:
    kind = artifact.listed_in.removesuffix('s')
    return f'labelling {kind} ids {list(item_ids)}'
