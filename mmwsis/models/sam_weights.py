"""Weights of Segment Anything, as ``transformers`` stores them: found, loaded."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from torch import nn

from mmwsis.utils.hashing import hash_file

# By the model type of config.json. The published weights of SAM 2 are those of its
# video model, of which the image model is a part.
_CLASSES = dict(sam='SamModel', sam2='Sam2Model', sam2_video='Sam2Model')
_WEIGHT_FILES = ('model.safetensors', 'pytorch_model.bin')
_INSTALL = "pip install 'mmwsis[sam]', or pip install 'transformers>=5'"


class SAMFiles(NamedTuple):
    """Where the weights of a model lie, and what to call them.

    Attributes:
        folder: Holds ``config.json`` and the weights.
        weights: The file, or the parts of a large model, in order.
        name: Of the folder, or of the repository and its commit.
    """

    folder: Path
    weights: tuple[Path, ...]
    name: str

    @property
    def sha256(self) -> str:
        """Hash of the weights: of the file, or of the hashes of several."""
        hashes = [hash_file(path) for path in self.weights]
        if len(hashes) == 1:
            return hashes[0]
        return hashlib.sha256(''.join(hashes).encode()).hexdigest()


def find_sam(weights: str | os.PathLike, revision: str | None = None) -> SAMFiles:
    """Find weights on this machine; those of a repository are downloaded once.

    Args:
        weights: Folder that ``save_pretrained`` wrote, or the name of a repository on
            the Hugging Face Hub.
        revision: Branch, tag or commit of the repository. Defaults to None, its main
            branch.

    Returns:
        The files.

    Raises:
        FileNotFoundError: There are no such weights.
        ModuleNotFoundError: ``transformers`` is not installed.
    """
    config = _find(weights, revision, 'config.json')
    found: list[Path | None] = []
    for name in _WEIGHT_FILES if config else ():
        index = _find(weights, revision, f'{name}.index.json')
        parts = [name]
        if index is not None:
            parts = sorted(set(json.loads(index.read_text())['weight_map'].values()))
        found = [_find(weights, revision, part) for part in parts]
        if None not in found:
            break
    if not found or None in found:
        raise FileNotFoundError(
            f'{weights} holds no weights of SAM: expected a folder with config.json '
            f'and {_WEIGHT_FILES[0]}, as save_pretrained of transformers writes them, '
            'or the name of such a repository on the Hugging Face Hub, which needs a '
            'network the first time. Correct model.weights (and model.revision).'
        )
    name = Path(weights).name
    if not os.path.isdir(weights):
        name = f'{weights}@{config.parent.name}'  # the cache has one for each commit
    return SAMFiles(config.parent, tuple(found), name)


def load_sam(weights: str | os.PathLike, revision: str | None = None) -> nn.Module:
    """Build ``transformers.SamModel`` or ``Sam2Model`` with its weights, in float32.

    Args:
        weights: See :func:`find_sam`.
        revision: See :func:`find_sam`.

    Returns:
        The model in evaluation mode; nothing in it is trained.

    Raises:
        FileNotFoundError: There are no such weights.
        ModuleNotFoundError: ``transformers`` is not installed, or too old.
        ValueError: They are of another model, or some are missing.
    """
    transformers = _transformers()
    folder = find_sam(weights, revision).folder
    kind = json.loads((folder / 'config.json').read_text()).get('model_type')
    if kind not in _CLASSES:
        raise ValueError(
            f'{weights} holds a model of type {kind!r}; model.weights must be of SAM '
            f'or SAM 2, one of the types {sorted(_CLASSES)}.'
        )
    model_class = getattr(transformers, _CLASSES[kind], None)
    if model_class is None:
        raise ModuleNotFoundError(
            f'transformers {transformers.__version__} has no {_CLASSES[kind]}, which '
            f'{weights} needs: {_INSTALL}.'
        )
    with _quiet(transformers.utils.logging):
        model, about = model_class.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
    lacking = sorted(map(str, [*about['missing_keys'], *about['mismatched_keys']]))
    if lacking:
        raise ValueError(
            f'{weights} lacks {len(lacking)} weights of {_CLASSES[kind]}, such as '
            f'{lacking[:3]}; nothing is labelled with random ones.'
        )
    return model.requires_grad_(False).eval()


def _find(weights: str | os.PathLike, revision: str | None, name: str) -> Path | None:
    """One file of a folder or a repository; None where there is none."""
    if os.path.isdir(weights):
        path = Path(weights, name)
        return path if path.is_file() else None
    try:
        found = _transformers().utils.cached_file(
            str(weights),
            name,
            revision=revision,
            _raise_exceptions_for_missing_entries=False,
        )
    except (OSError, ValueError):  # no such repository or revision, or no network
        return None
    return None if found is None else Path(found)


@contextmanager
def _quiet(logging: ModuleType) -> Iterator[None]:
    """Without a second progress bar, and without a remark on video weights."""
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _transformers() -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise ModuleNotFoundError(
            f'SAM needs the package transformers, which is optional: {_INSTALL}.'
        ) from error
    return transformers
