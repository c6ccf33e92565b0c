"""Whether a config trains on what its ``wsis`` says."""

from collections.abc import Iterator

from mmengine.config import Config

from mmwsis.models.detectors import EndToEndDetector
from mmwsis.registry import MODELS
from mmwsis.structures.supervision import Supervision

from .preflight import datasets_of

END_TO_END = 'end_to_end'


def stage_problems(cfg: Config, split: str) -> Iterator[str]:
    """Find labels that are stronger than declared, and final models that hide theirs.

    A model that learns from weak labels and is itself the final model has the stage
    'end_to_end', so that it is not taken for a fully-supervised baseline.

    Args:
        cfg: Config.
        split: Data loader whose labels are read: 'train' or 'pseudo_label'.

    Yields:
        Messages, each of one problem.
    """
    wsis = cfg.get('wsis') or {}
    stage, own = wsis.get('stage', 'final_model'), wsis.get('supervision')
    name = cfg.filename or 'this config'
    read = _levels(cfg, split)
    weak = [(level, place) for place, level in read if level < Supervision.MASKS]
    # A config that says nothing may be a labeler of one's own, or a detector of boxes.
    is_final = wsis.get('stage') == 'final_model' or _is_end_to_end(cfg)
    if weak and split == 'train' and is_final and stage != END_TO_END:
        level, place = max(weak)
        yield (
            f'{name} trains the final model itself on weak labels: {place} has '
            f"supervision={level.label!r}. Set wsis = dict(stage='{END_TO_END}', "
            f"supervision={level.label!r}, method=...); stage='final_model' is trained "
            'on masks, or on pseudo labels.'
        )
    elif stage == END_TO_END and not (own and wsis.get('method')):
        yield (
            f"{name}: a stage '{END_TO_END}' says in wsis its method and the "
            f'supervision that it is trained with; wsis is {dict(wsis)}.'
        )
    elif stage != 'final_model' and own:
        declared = Supervision.parse(own)
        for place, level in read:
            if level > declared:
                yield (
                    f'{place} reads {level.label}, but {name} declares '
                    f'wsis.supervision={declared.label!r}. Give the dataset '
                    f'supervision={declared.label!r}, or declare what it reads.'
                )


def _levels(cfg: Config, split: str) -> list[tuple[str, Supervision]]:
    """Place and level of every dataset that reads labels."""
    found = []
    for dataset in datasets_of(cfg, (split,)):
        panoptic = str(dataset.config.get('type')).endswith('CocoPanopticDataset')
        level = Supervision.MASKS.label if panoptic else dataset.supervision
        if level is not None:
            found.append((dataset.where, Supervision.parse(level)))
    return found


def _is_end_to_end(cfg: Config) -> bool:
    kind = MODELS.get(str(cfg.model.get('type')))
    return isinstance(kind, type) and issubclass(kind, EndToEndDetector)
