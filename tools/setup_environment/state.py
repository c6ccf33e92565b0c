"""Remembers what an environment was made from, so that the next start is quick."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

_FILE = '.mmwsis-environment.json'


def inputs_of(checkout: Path) -> dict[str, Any]:
    """Describe everything in a checkout that an environment depends on.

    Args:
        checkout: Root of the repository.

    Returns:
        The checkout's path and one hash over requirements, packaging and set-up code.
    """
    digest = hashlib.sha256()
    files = [checkout / 'setup.py', checkout / 'pyproject.toml']
    files += sorted((checkout / 'requirements').glob('*.txt'))
    files += sorted((checkout / 'tools' / 'setup_environment').glob('*.py'))
    for path in files:
        digest.update(f'{path.relative_to(checkout)}\0'.encode())
        digest.update(path.read_bytes())
    return {'checkout': str(checkout), 'inputs': digest.hexdigest()}


def save(venv: Path, checkout: Path, torch_file: str) -> None:
    """Mark an environment as complete.

    Args:
        venv: Folder of the environment.
        checkout: Root of the repository.
        torch_file: ``torch/version.py`` of the torch in use, which may lie outside
            the environment and change without its knowledge.
    """
    state = inputs_of(checkout)
    state['torch_file'] = torch_file
    state['torch'] = _hash_or_none(torch_file)
    temporary = venv / (_FILE + '.partial')
    temporary.write_text(json.dumps(state, indent=1), encoding='utf-8')
    os.replace(temporary, venv / _FILE)


def discard(venv: Path) -> None:
    """Mark an environment as unfinished.

    Args:
        venv: Folder of the environment.
    """
    (venv / _FILE).unlink(missing_ok=True)


def load(venv: Path) -> dict[str, Any] | None:
    """Return what :func:`save` wrote, ``None`` if there is nothing readable.

    Args:
        venv: Folder of the environment.
    """
    try:
        return json.loads((venv / _FILE).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None


def is_ready(venv: Path, checkout: Path) -> bool:
    """Tell whether an environment is complete and nothing it depends on changed.

    Args:
        venv: Folder of the environment.
        checkout: Root of the repository.
    """
    state = load(venv)
    if state is None or not (venv / 'bin' / 'python').exists():
        return False
    current = inputs_of(checkout)
    return (
        all(state.get(key) == value for key, value in current.items())
        and state.get('torch') is not None
        and state['torch'] == _hash_or_none(state.get('torch_file', ''))
        and (checkout / 'mmwsis' / '.mim' / 'configs').exists()
    )


def _hash_or_none(path: str) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None
