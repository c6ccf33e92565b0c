"""A model without its weights: names and shapes of parameters, in a second."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, init_default_scope

from .user_errors import user_text

_SHOWN = 3


@dataclass(frozen=True)
class ModelOutline:
    """What is known of a config's model before it is built.

    Attributes:
        shapes: Name -> shape of each parameter; empty where the model could not be
            outlined.
        unused: Beginnings of names that prediction does without.
        problem: Why the config's model cannot be built, if that is sure.
    """

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    problem: str | None = None

    @classmethod
    def of(cls, cfg: Config) -> 'ModelOutline':
        """Build the model on torch's meta device, where nothing takes memory.

        Some models compute while they are built, which that device cannot, or read
        files that are not there yet: then nothing is known.

        Args:
            cfg: Config with ``model``.
        """
        init_default_scope(cfg.get('default_scope') or 'mmdet')
        try:
            with _no_warnings(), torch.device('meta'):
                model = MODELS.build(cfg.model)
        except Exception as error:  # anything: the model is not ours
            registry = type(error) in (KeyError, TypeError)
            return cls(problem=user_text(error) if registry else None)
        shapes = {key: tuple(one.shape) for key, one in model.named_parameters()}
        return cls(shapes, tuple(getattr(model, 'unused_in_prediction', ())))

    @property
    def megabytes(self) -> float:
        """Size of the weights on disk, in units of 2**20 bytes."""
        return sum(map(_count, self.shapes.values())) * 4 / 2**20


@contextmanager
def _no_warnings() -> Iterator[None]:
    level = logging.root.manager.disable
    _disable_logging(logging.WARNING)
    try:
        yield
    finally:
        _disable_logging(level)


def _disable_logging(level: int) -> None:
    logging.disable(level)
    # MMLoggers remember which levels were enabled, and logging.disable does not know
    # of them: without this they would never warn again. Setting a level clears all.
    logger = MMLogger.get_current_instance()
    logger.setLevel(logger.level)


def _count(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()


def outline_problems(
    outline: ModelOutline, checkpoint: str | os.PathLike | None, whole: bool
) -> Iterator[str]:
    """Compare a model with a checkpoint.

    MMEngine loads what fits and only logs the rest, so that the checkpoint of another
    model leaves one with random weights.

    Args:
        outline: The model.
        checkpoint: A file that is there, or ``None``.
        whole: Every parameter must be in it, in the right shape; otherwise one.

    Yields:
        At most one message.
    """
    if outline.problem is not None:
        yield outline.problem
    if not outline.shapes or checkpoint is None:
        return
    found = _shapes_in(checkpoint)
    if not found:
        yield (
            f'{checkpoint} holds no weights: expected a dictionary with state_dict, as '
            'tools/train.py writes it.'
        )
        return
    names = [key for key in outline.shapes if not key.startswith(outline.unused)]
    missing = [key for key in names if key not in found]
    reshaped = [
        f'{key} {found[key]} instead of {outline.shapes[key]}'
        for key in names
        if key in found and found[key] != outline.shapes[key]
    ]
    if (whole and (missing or reshaped)) or len(missing) == len(names):
        yield (
            f'{checkpoint} is of another model than the config: of {len(names)} '
            f'weights {len(missing)} are missing {missing[:_SHOWN]} and '
            f'{len(reshaped)} have another shape {reshaped[:_SHOWN]}. Use the config '
            'that it was trained with (and the same --dataset), or another checkpoint.'
        )


def _shapes_in(checkpoint: str | os.PathLike) -> dict[str, tuple[int, ...]]:
    try:
        content: Any = torch.load(checkpoint, map_location='meta', weights_only=True)
    except Exception:  # what is wrong with the file is told elsewhere
        return {'': ()}
    state = content.get('state_dict', content) if isinstance(content, Mapping) else {}
    state = state if isinstance(state, Mapping) else {}
    return {
        key.removeprefix('module.'): tuple(value.shape)
        for key, value in state.items()
        if isinstance(value, torch.Tensor)
    }
