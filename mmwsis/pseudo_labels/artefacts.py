"""The kinds of artefacts that a config may ask for.

A config says what its model makes, by default masks of the weak file's own objects::

    artefact = 'class_maps'
    artefact = dict(type='instances', min_score=1e-5)
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .artefact import Artefact, LabelSource
from .class_maps import ClassMapFolder
from .found_instances import FoundInstances
from .object_masks import ObjectMasks
from .semantic_maps import SemanticMapFolder

ARTEFACTS: dict[str, type[Artefact]] = {
    artefact.kind: artefact
    for artefact in (ObjectMasks, FoundInstances, ClassMapFolder, SemanticMapFolder)
}


def artefact_settings(value: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Read a config's ``artefact``.

    Args:
        value: Name of the kind, or ``dict(type=..., **options)``; None is the default.

    Returns:
        ``type`` and the options.

    Raises:
        ValueError: An unknown kind or option.
    """
    if value is None:
        value = ObjectMasks.kind
    settings = dict(type=value) if isinstance(value, str) else dict(value)
    kind = settings.get('type')
    if kind not in ARTEFACTS:
        raise ValueError(f'artefact must be one of {sorted(ARTEFACTS)}, got {kind!r}.')
    known = set(inspect.signature(ARTEFACTS[kind]).parameters) - {'out', 'source'}
    unknown = sorted(set(settings) - known - {'type'})
    if unknown:
        raise ValueError(
            f'artefact {kind!r} has the unknown options {unknown}; it knows '
            f'{sorted(known)}.'
        )
    return settings


def build_artefact(
    settings: Mapping[str, Any], out: Path, source: LabelSource
) -> Artefact:
    """Make an artefact.

    Args:
        settings: Of :func:`artefact_settings`.
        out: File or folder to write.
        source: What is labelled.
    """
    options = {key: value for key, value in settings.items() if key != 'type'}
    return ARTEFACTS[settings['type']](out, source, **options)
