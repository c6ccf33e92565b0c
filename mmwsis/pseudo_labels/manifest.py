"""What a pseudo-label file was made from, and the refusal to mix two origins."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock

from mmwsis.formats.map_index import INDEX_NAME
from mmwsis.utils.fileio import atomic_write_json
from mmwsis.utils.hashing import flatten_settings, hash_file
from mmwsis.version import __version__

MANIFEST_NAME = 'manifest.json'
# Two runs may write into one result only if they agree in these.
_IDENTITY = (
    'checkpoint_sha256',
    'source_sha256',
    'config_sha256',
    'supervision',
    'artifact',
    'maps',
    'options',
    'version',
)


def build_manifest(
    method: str,
    config: str,
    checkpoint: str | os.PathLike | Mapping[str, str] | None,
    source: str | os.PathLike,
    supervision: str,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
    artifact: Mapping[str, Any] | None = None,
    maps: Sequence[Path] = (),
    trained_on: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe a run completely enough to recognise another one that must not mix.

    Args:
        method: For example 'EXITS'.
        config: Name of the config.
        checkpoint: Checkpoint file; hashed. Of a model that brings its weights their
            ``checkpoint``, a name, and ``checkpoint_sha256``. None for a model without
            weights.
        source: Weak annotation file; hashed.
        supervision: Level that the dataset is declared with.
        options: How masks are made: weights, flip, thresholds, batch size, amp.
        settings: Model and dataset of the config, nested.
        artifact: ``type`` and options of the artifact; masks of the weak file's own
            objects, which need no further word, have None, the default.
        maps: Indices of the folders of maps that are read, and JSONs that are; hashed.
            An index holds the checksums of its files. Defaults to none.
        trained_on: Label files and folders of maps that the checkpoint says it was
            trained on. Defaults to None: it does not say.

    Returns:
        JSON-serialisable dictionary. ``date`` is the present time.
    """
    flat = flatten_settings(dict(settings))
    digest = hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()
    return dict(
        method=method,
        config=config,
        **_weights(checkpoint),
        source=Path(source).name,
        source_sha256=hash_file(Path(source)),
        supervision=supervision,
        **({} if artifact is None else dict(artifact=dict(artifact))),
        **({} if not maps else dict(maps={_name(p): hash_file(p) for p in maps})),
        **({} if not trained_on else dict(trained_on=dict(trained_on))),
        options=json.loads(json.dumps(dict(options), default=list)),
        version=__version__,
        date=_date(),
        config_sha256=digest,
        settings=flat,
    )


def _weights(
    checkpoint: str | os.PathLike | Mapping[str, str] | None,
) -> dict[str, str | None]:
    if isinstance(checkpoint, Mapping):
        return dict(checkpoint)
    if checkpoint is None:
        return dict(checkpoint=None, checkpoint_sha256=None)
    path = Path(checkpoint)
    return dict(checkpoint=path.name, checkpoint_sha256=hash_file(path))


def _name(path: Path) -> str:
    return str(path.parent if path.name == INDEX_NAME else path)


def _date() -> str:
    """Date and time of now; the environment may fix it, for equal bytes of two runs.

    A round's file names the hash of the file it was made from, the date included.
    """
    fixed = os.environ.get('SOURCE_DATE_EPOCH')  # reproducible-builds.org
    now = datetime.now(timezone.utc)
    if fixed:
        now = datetime.fromtimestamp(int(fixed), timezone.utc)
    return now.isoformat(timespec='seconds')


def result_info(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """``info.mmwsis`` of the finished file: the manifest without the long settings.

    Args:
        manifest: Of :func:`build_manifest`.
    """
    return {key: value for key, value in manifest.items() if key != 'settings'}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say in words what keeps two runs from mixing.

    Args:
        old: Manifest, or ``info.mmwsis`` of a finished file.
        new: Manifest of the present run.

    Returns:
        One line per difference; empty if the outputs may mix.
    """
    lines = []
    if 'artefact' in old:  # as files of version 0.1 spell it
        old = dict(old, artifact=old['artefact'])
    for key in _IDENTITY:
        if old.get(key) == new.get(key):
            continue
        if key == 'config_sha256' and 'settings' in old and 'settings' in new:
            lines += _setting_differences(old['settings'], new['settings'])
        elif key in ('checkpoint_sha256', 'source_sha256'):
            name = key.removesuffix('_sha256')
            lines.append(
                f'{name}: was {old.get(name)} (sha256 {_short(old.get(key))}), is now '
                f'{new.get(name)} (sha256 {_short(new.get(key))})'
            )
        elif key == 'config_sha256':
            was, now = (_short(values.get(key)) for values in (old, new))
            lines.append(f'config: was one of sha256 {was}, is now one of {now}')
        elif isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            lines += _entry_differences(key, old[key], new[key])
        else:
            lines.append(f'{key}: was {old.get(key)!r}, is now {new.get(key)!r}')
    return lines


def _entry_differences(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> list[str]:
    return [
        f'{name} {key}: was {old.get(key)!r}, is now {new.get(key)!r}'
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def _setting_differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    shown = [
        f'config {key}: was {old.get(key, "absent")}, is now {new.get(key, "absent")}'
        for key in keys[:8]
    ]
    if len(keys) > len(shown):
        shown.append(f'and {len(keys) - len(shown)} more config values')
    return shown


def _short(digest: str | None) -> str:
    return digest[:12] if digest else 'unknown'


def refuse(place: Path, lines: list[str]) -> None:
    """Raise if there are differences.

    Args:
        place: File or folder that exists already.
        lines: Of :func:`differences`.

    Raises:
        ValueError: ``lines`` is not empty.
    """
    if lines:
        listing = '\n  '.join(lines)
        raise ValueError(
            f'{place} was made by another run:\n  {listing}\nOutputs of different runs '
            'are not mixed. Choose another --out, or add --overwrite to discard the '
            'old one.'
        )


def enter_parts(parts: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Open the folder of part files: claim it, or join the run that owns it.

    Safe against several jobs starting at once: the first to take the lock writes
    its manifest, the others compare theirs with it.

    Args:
        parts: Folder beside the result; made if absent.
        manifest: Of this run.

    Returns:
        The manifest that holds, whose ``date`` is that of the first start.

    Raises:
        ValueError: The folder belongs to a run that must not be mixed with this one.
    """
    path = parts / MANIFEST_NAME
    with FileLock(f'{path}.lock'):
        if not path.exists():
            atomic_write_json(path, manifest, indent=1)
    held = read_manifest(parts)
    refuse(parts, differences(held, manifest))
    return held


def read_manifest(parts: Path) -> dict[str, Any]:
    """Read the manifest of a folder of part files.

    Args:
        parts: The folder.

    Raises:
        ValueError: It is broken.
    """
    path = parts / MANIFEST_NAME
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(
            f'{path} is not valid JSON ({error}); remove {parts} and start again.'
        ) from error
