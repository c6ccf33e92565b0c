"""Rewriting a model's numbers of classes for another dataset."""

from collections.abc import Iterator
from typing import Any, NamedTuple

# Parts of a model that count something else than the classes of the dataset.
_OTHER_COUNTS = (
    'backbone',
    'encoder',
    'semantic_head',
    'similarity_extractor',
    'data_preprocessor',
    'init_cfg',
)


class _Counts(NamedTuple):
    """Numbers of classes of a dataset."""

    things: int
    stuff: int


def counts_classes(key: str, part: Any) -> bool:
    """Whether numbers of classes in a part of a model are those of the dataset.

    Args:
        key: Key of the part, such as ``'mask_head'``.
        part: Its config. Semantic heads count other classes, but for panoptic ones.
    """
    is_panoptic = isinstance(part, dict) and part.get('num_stuff_classes')
    return key not in _OTHER_COUNTS or bool(is_panoptic)


def fit_model(
    model: Any, things: int, stuff: int = 0, labels: tuple[int, int] | None = None
) -> None:
    """Set every number of classes, and class weights of that many entries.

    Args:
        model: Config of a model, changed in place.
        things: Number of the dataset's thing classes.
        stuff: Number of its stuff classes, which panoptic models count after the
            things; other models do without.
        labels: Numbers of things and stuff that the config's own dataset labels, for
            models that do not say themselves that they count stuff, such as
            classifiers. Defaults to None.

    Raises:
        ValueError: A panoptic model, and ``stuff`` is 0.
    """
    before = _Counts(*(labels or (0, 0)))
    panoptic = [part for part in nested_dicts(model) if part.get('num_stuff_classes')]
    if panoptic:
        before = _Counts(
            panoptic[0].get('num_things_classes', 0), panoptic[0]['num_stuff_classes']
        )
    if panoptic and not stuff:
        raise ValueError(
            f'a panoptic config (num_stuff_classes={before.stuff}) needs the '
            "dataset's stuff: data_spec.stuff_classes, or panoptic files that list it."
        )
    _fit(model, before, _Counts(things, stuff if before.stuff else 0))


def nested_dicts(node: Any) -> Iterator[dict[str, Any]]:
    """Go through all dictionaries of a config.

    Args:
        node: Nested dicts, lists and tuples.

    Yields:
        Each dictionary before those in it.
    """
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for entry in node:
            yield from nested_dicts(entry)


def _fit(node: Any, before: _Counts, after: _Counts) -> None:
    if isinstance(node, (list, tuple)):
        for entry in node:
            _fit(entry, before, after)
    if not isinstance(node, dict):
        return
    if isinstance(node.get('num_things_classes'), int):
        own = _Counts(node['num_things_classes'], node.get('num_stuff_classes') or 0)
        _fit_class_weights(node, sum(own), after.things + bool(own.stuff) * after.stuff)
        node['num_things_classes'] = after.things
        if own.stuff:
            node['num_stuff_classes'] = after.stuff
    if isinstance(node.get('num_classes'), int):
        # In a panoptic model some parts count things alone, others stuff, too.
        counts_all = before.stuff and node['num_classes'] == sum(before)
        count = sum(after) if counts_all else after.things
        _fit_class_weights(node, node['num_classes'], count)
        node['num_classes'] = count
    for key, entry in node.items():
        if counts_classes(key, entry):
            _fit(entry, before, after)


def _fit_class_weights(head: dict[str, Any], before: int, after: int) -> None:
    for loss in head.values():
        if not isinstance(loss, dict):
            continue
        weights = loss.get('class_weight')
        if isinstance(weights, (list, tuple)) and len(weights) in (before, before + 1):
            # Per-class weights of another dataset mean nothing; background's stays.
            mean = sum(weights[:before]) / before
            loss['class_weight'] = [mean] * after + list(weights[before:])
