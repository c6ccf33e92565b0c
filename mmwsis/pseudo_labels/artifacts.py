"""The kinds of artifacts that a config may ask for.

A config says what its model makes, by default masks of the weak file's own objects::

    artifact = 'class_maps'
    artifact = dict(type='instances', min_score=1e-5)
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmwsis.registry import MODELS

from .artifact import Artifact, LabelSource
from .class_maps import ClassMapFolder
from .detections import Detections
from .found_instances import FoundInstances
from .found_points import FoundPoints
from .object_masks import ObjectMasks
from .panoptic_maps import PanopticMaps
from .proposals import ProposalFolder
from .semantic_maps import SemanticMapFolder

ARTIFACTS: dict[str, type[Artifact]] = {
    artifact.kind: artifact
    for artifact in (
        ObjectMasks,
        FoundInstances,
        Detections,
        FoundPoints,
        ClassMapFolder,
        SemanticMapFolder,
        PanopticMaps,
        ProposalFolder,
    )
}


def artifact_settings(value: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Read a config's ``artifact``.

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
    if kind not in ARTIFACTS:
        raise ValueError(f'artifact must be one of {sorted(ARTIFACTS)}, got {kind!r}.')
    known = set(inspect.signature(ARTIFACTS[kind]).parameters) - {'out', 'source'}
    unknown = sorted(set(settings) - known - {'type'})
    if unknown:
        raise ValueError(
            f'artifact {kind!r} has the unknown options {unknown}; it knows '
            f'{sorted(known)}.'
        )
    return settings


def check_model_makes(model: Mapping[str, Any], kind: str) -> None:
    """Refuse an artifact that a model says it cannot make.

    Args:
        model: The config's ``model``; one that names no artifacts may make any.
        kind: Kind of the artifact.

    Raises:
        ValueError: The model makes others.
    """
    check = getattr(MODELS.get(str(model.get('type'))), 'check_artifact', None)
    if check is not None:
        check(kind)


def build_artifact(
    settings: Mapping[str, Any], out: Path, source: LabelSource
) -> Artifact:
    """Make an artifact.

    Args:
        settings: Of :func:`artifact_settings`.
        out: File or folder to write.
        source: What is labelled.
    """
    options = {key: value for key, value in settings.items() if key != 'type'}
    return ARTIFACTS[settings['type']](out, source, **options)
