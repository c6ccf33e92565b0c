"""Paths of a pipeline file in the options of a dataset."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

_JOINED = re.compile(r'(.+)\.(ann_file|data_prefix\.\w+)')


def fit_to_data_root(
    options: Mapping[str, Any], cfg: Any, root: Path, made: Collection[str]
) -> dict[str, Any]:
    """Let datasets find the files that a pipeline file names.

    All paths of a pipeline file start from the pipeline's root, but a dataset looks for
    ``ann_file`` and ``data_prefix`` below its ``data_root``.

    Args:
        options: Dotted key -> value, as ``--cfg-options``.
        cfg: Config that they change.
        root: Directory that relative paths start from.
        made: Files and folders that stages make.

    Returns:
        The options. A file below ``data_root`` is named from there; another one that a
        stage makes by its absolute path. What is neither stays as it is.
    """
    fitted = dict(options)
    for key, value in options.items():
        match = _JOINED.fullmatch(key)
        if match is None or not isinstance(value, str):
            continue
        data_root = options.get(f'{match[1]}.data_root')
        data_root = data_root or _entry(cfg, f'{match[1]}.data_root')
        if data_root and Path(data_root) in Path(value).parents:
            fitted[key] = os.path.relpath(value, data_root)
        elif data_root and value in made:
            # Not by way of '..': a data root is often a link.
            fitted[key] = os.path.abspath(root / value)
    return fitted


def _entry(cfg: Any, key: str) -> Any:
    """Entry of a config under a dotted key; None where there is none."""
    for part in key.split('.'):
        if isinstance(cfg, (list, tuple)) and part.isdigit() and int(part) < len(cfg):
            cfg = cfg[int(part)]
        else:
            cfg = cfg.get(part) if isinstance(cfg, Mapping) else None
    return cfg
