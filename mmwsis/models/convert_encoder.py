"""Rewrites a ViT checkpoint under the names of ``LabelerViT``."""

import io
import os

import torch

from mmwsis.utils.fileio import atomic_write_bytes

from .encoder_key_maps import to_labeler_names
from .encoder_pretrained import read_checkpoint


def convert_encoder(
    source: str, target: str | os.PathLike, naming: str = 'auto'
) -> int:
    """Read a checkpoint, keep its encoder, write it with our names.

    Args:
        source: File or URL of a MAE, timm, transformers, mmseg or mmwsis checkpoint.
        target: File to write, atomically: ``dict(state_dict=..., meta=...)``.
        naming: 'auto', 'mae', 'transformers' or 'mmwsis'. Defaults to 'auto'.

    Returns:
        Number of parameters written.

    Raises:
        FileNotFoundError: ``source`` is missing or cannot be downloaded.
        ValueError: ``source`` holds no vision transformer of a known naming.
    """
    try:
        state = to_labeler_names(read_checkpoint(source), naming)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from None
    # A clone, because a slice of a large checkpoint would be saved whole.
    state = {name: value.clone() for name, value in state.items()}
    buffer = io.BytesIO()
    torch.save(dict(meta=dict(source=str(source)), state_dict=state), buffer)
    atomic_write_bytes(target, buffer.getvalue())
    return len(state)
