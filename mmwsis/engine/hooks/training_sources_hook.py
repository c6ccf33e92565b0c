"""Lets checkpoints say which labels and maps they were trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmwsis.formats.categories import values_of_key
from mmwsis.formats.map_index import INDEX_NAME
from mmwsis.registry import HOOKS
from mmwsis.utils.config_files import files_named_in
from mmwsis.utils.hashing import hash_file

# What is kept of the `info.mmwsis` of a file.
_KEPT = ('method', 'tool', 'config', 'checkpoint', 'source', 'supervision')


@HOOKS.register_module()
class TrainingSourcesHook(Hook):
    """Write into every checkpoint what its training read, ``meta['trained_on']``.

    Label generation copies it into ``info.mmwsis``, so that pseudo labels say which
    semantic maps, cues or labels the network behind them has learned from, whatever the
    config says by then.
    """

    def __init__(self) -> None:
        self.sources: dict[str, dict[str, str]] = {}

    def before_train(self, runner: Runner) -> None:
        """Look at the files, as they are at the beginning.

        Args:
            runner: The runner.
        """
        if is_main_process():  # which alone writes checkpoints
            settings = runner.cfg.get('train_dataloader') or {}
            self.sources = training_sources(settings)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add them to a checkpoint.

        Args:
            runner: Not used.
            checkpoint: What will be written.
        """
        checkpoint.setdefault('meta', {})['trained_on'] = self.sources


def training_sources(settings: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Label files and folders of maps that a data loader reads.

    Args:
        settings: Config of the loader.

    Returns:
        Path of each COCO JSON, or folder with an index, to its ``sha256`` (of a folder
        that of its index) and, where it says so, the method or tool that made it, with
        which config, checkpoint, supervision and from which source.
    """
    plain = settings.to_dict() if hasattr(settings, 'to_dict') else dict(settings)
    found = {}
    for path in files_named_in(plain, Path(), INDEX_NAME):
        is_folder = path.name == INDEX_NAME
        if is_folder or path.suffix == '.json':
            entries = values_of_key(path, 'mmwsis')
            made = next((one for one in entries if isinstance(one, dict)), {})
            kept = {key: str(made[key]) for key in _KEPT if made.get(key) is not None}
            name = str(path.parent if is_folder else path)
            found[name] = dict(sha256=hash_file(path), **kept)
    return found
