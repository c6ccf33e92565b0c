"""What ``tools/train.py`` and ``tools/test.py`` do to a config before running it.

The options mean what they mean in MMDetection 3.3.0.
"""

import difflib
import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmwsis.compat import apply_compat, join_cpu_processes
from mmwsis.utils.checkpoint import CheckpointError, check_checkpoint_file
from mmwsis.utils.config_files import default_work_dir, read_config

from .requirements import name_supervision
from .training_labels import name_labels, use_labels

# So alike are two keys that one is a slip of the pen: batchsize, but not max_epochs for
# max_iters or in_channels for out_channels.
_SLIP = 0.85


def load_run_config(
    path: str | os.PathLike,
    cfg_options: Mapping[str, Any] | None = None,
    dataset: str | os.PathLike | None = None,
    work_dir: str | os.PathLike | None = None,
    launcher: str = 'none',
    labels: str | os.PathLike | None = None,
) -> Config:
    """Load a config and apply the options that every tool shares.

    Args:
        path: Config file, or ``'mmwsis::exits/solov2_r50.py'`` for a shipped one.
        cfg_options: Overrides, dotted keys; they win over everything else.
        dataset: Data specification; the config is rewritten for this dataset.
        work_dir: Output folder. Defaults to the config's own ``work_dir``, else that of
            :func:`~mmwsis.utils.config_files.default_work_dir`; with ``labels``, the
            name of that file is added to it.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        labels: COCO file with the masks that a final model is trained on.

    Returns:
        The config, ready for :func:`build_runner`.

    Raises:
        FileNotFoundError: There is no such config, or no such file of labels.
        ValueError: ``labels`` for a config that is no final model.
    """
    apply_compat()
    cfg = read_config(resolve_config_path(path))
    name = None
    if labels is not None:
        name_labels(cfg, labels)
    if dataset is not None:
        from .data_spec import apply_data_spec, load_data_spec

        spec = load_data_spec(str(dataset))
        cfg = apply_data_spec(cfg, spec)
        name = spec['name']
    if labels is not None:
        use_labels(cfg, labels)
        folder = cfg.get('work_dir') or default_work_dir(cfg, path, name)
        cfg.work_dir = f'{folder}_{Path(labels).stem}'
    cfg.launcher = launcher
    merge_options(cfg, cfg_options or {})
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = default_work_dir(cfg, path, name)
    name_supervision(cfg)
    _use_cpu_processes(cfg)
    return cfg


def resolve_config_path(path: str | os.PathLike) -> str:
    """Return the file of a config that may be named with a package prefix.

    Args:
        path: A path, or ``'package::path/below/configs.py'``.

    Returns:
        Path of an existing file.

    Raises:
        FileNotFoundError: There is no such file.
    """
    name = str(path)
    if '::' in name:
        try:
            return Config._get_cfg_path(name, '')[0]
        except Exception as error:  # an unknown package, or no such file in it
            raise FileNotFoundError(
                f'config {name} does not exist: {error}'.rstrip('.') + '. Write '
                'mmwsis::METHOD/FILE.py, mmdet::METHOD/FILE.py, or a path.'
            ) from error
    if not Path(name).is_file():
        raise FileNotFoundError(
            f'config {name} does not exist (looked in {Path.cwd()}); shipped configs '
            'can be named from anywhere as mmwsis::exits/solov2_r50.py'
        )
    return name


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Apply ``--cfg-options`` in place.

    Args:
        cfg: Config.
        options: Dotted key -> value.

    Raises:
        ValueError: A key that leads nowhere, or that is nearly one of the config: a
            slip of the pen, which MMEngine would add without a word.
    """
    for key, value in options.items():
        _check_option(cfg, key, value)
        try:
            cfg.merge_from_dict({key: value})
        except Exception as error:  # MMEngine's, of many types
            text = error.args[0] if error.args else error
            raise ValueError(f'--cfg-options {key}={value!r}: {text}') from error


def _check_option(cfg: Config, key: str, value: Any) -> None:
    part: Any = cfg
    names = key.split('.')
    for depth, name in enumerate(names):
        place = '.'.join(names[:depth])
        if not name:
            raise ValueError(f'--cfg-options {key}: a name is missing in the key.')
        if isinstance(part, (list, tuple)):
            if not name.isdigit() or int(name) >= len(part):
                raise ValueError(
                    f'--cfg-options {key}: {place} is a list of {len(part)}; a number '
                    f'from 0 to {len(part) - 1} is needed behind it, not {name!r}.'
                )
            part = part[int(name)]
        elif hasattr(part, 'get') and name in part:
            part = part[name]
        else:
            known = list(part) if hasattr(part, 'keys') else []
            close = difflib.get_close_matches(name, known, n=1, cutoff=_SLIP)
            if close:
                meant = '.'.join([*names[:depth], close[0], *names[depth + 1 :]])
                raise ValueError(
                    f'--cfg-options {key}: {place or "the config"} has no {name!r}; '
                    f'did you mean {meant}?'
                )
            return
    if hasattr(part, 'keys') and not (
        value is None or isinstance(value, (dict, list, tuple)) or key == 'artifact'
    ):
        raise ValueError(
            f'--cfg-options {key}={value}: {key} is a group of settings; set one of '
            f'them, such as {key}.{next(iter(part), "type")}=..., or None.'
        )


def use_amp(cfg: Config) -> None:
    """Turn on mixed precision in place.

    Args:
        cfg: Config of a training run.
    """
    current = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if current == 'AmpOptimWrapper':
        print_log('--amp: the config already uses AmpOptimWrapper.', 'current')
        return
    if current != 'OptimWrapper':
        raise ValueError(
            f'--amp replaces OptimWrapper, but the config uses {current}; set '
            'optim_wrapper.type in the config instead'
        )
    if not torch.cuda.is_available():
        print_log('--amp is of no use without a GPU; ignored.', 'current')
        return
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.loss_scale = 'dynamic'


def use_auto_scale_lr(cfg: Config) -> None:
    """Turn on scaling of the learning rate with the real batch size, in place.

    Args:
        cfg: Config of a training run.

    Raises:
        RuntimeError: The config does not say for which batch size its rate is meant.
    """
    settings = cfg.get('auto_scale_lr') or {}
    missing = [key for key in ('enable', 'base_batch_size') if key not in settings]
    if missing:
        raise RuntimeError(
            '--auto-scale-lr needs auto_scale_lr=dict(enable=..., base_batch_size=...) '
            f'in the config; {", ".join(missing)} is not there. Write the total batch '
            'size for which optim_wrapper.optimizer.lr was chosen.'
        )
    cfg.auto_scale_lr.enable = True


def set_resume(cfg: Config, resume: str | None) -> None:
    """Say from which checkpoint a run goes on, in place.

    Args:
        cfg: Config of a training run.
        resume: ``None`` leaves the config as it is; ``'auto'`` takes the newest
            checkpoint of the work directory, if there is one; else a checkpoint.

    Raises:
        FileNotFoundError: The named checkpoint does not exist.
        CheckpointError: It cannot be read.
    """
    if resume is None:
        return
    cfg.resume = True
    if resume == 'auto':
        _check_last_checkpoint(Path(cfg.get('work_dir') or '.'))
    cfg.load_from = None if resume == 'auto' else _existing_checkpoint(resume)


def set_checkpoint(cfg: Config, checkpoint: str) -> None:
    """Say which weights are tested, in place.

    Args:
        cfg: Config of a test run.
        checkpoint: File or URL.

    Raises:
        FileNotFoundError: The file does not exist.
        CheckpointError: It cannot be read.
    """
    cfg.load_from = _existing_checkpoint(checkpoint)


def use_tta(cfg: Config) -> None:
    """Turn on test-time augmentation in place, by flipping where nothing is said.

    Args:
        cfg: Config of a detector's test run.

    Raises:
        ValueError: Masks are evaluated and the config has no ``tta_model``, because
            MMDetection's default one merges boxes only.
    """
    if 'tta_model' not in cfg:
        evaluators = cfg.get('test_evaluator') or []
        evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
        if any('segm' in str(item.get('metric', '')) for item in evaluators):
            raise ValueError(
                '--tta: mmdet.DetTTAModel merges boxes only and would lose the masks; '
                'set tta_model in the config to a model that merges masks'
            )
        cfg.tta_model = dict(
            type='mmdet.DetTTAModel',
            tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
        )
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    if 'tta_pipeline' not in cfg:
        meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
        pack = dict(
            type='mmdet.PackDetInputs', meta_keys=(*meta_keys, 'flip', 'flip_direction')
        )
        flips = [dict(type='mmdet.RandomFlip', prob=prob) for prob in (1.0, 0.0)]
        cfg.tta_pipeline = deepcopy(dataset.pipeline)
        cfg.tta_pipeline[-1] = dict(
            type='TestTimeAug', transforms=[flips, [pack]], _scope_='mmdet'
        )
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    dataset.pipeline = cfg.tta_pipeline


def use_visualization(
    cfg: Config, show: bool, show_dir: str | None, wait_time: float
) -> None:
    """Turn on the drawing of predictions in place.

    Args:
        cfg: Config of a test run.
        show: Open windows.
        show_dir: Folder for images, below ``<work_dir>/<time>/``.
        wait_time: Seconds for which a window stays open.

    Raises:
        RuntimeError: The config has no visualization hook.
    """
    if not show and not show_dir:
        return
    hook = cfg.get('default_hooks', {}).get('visualization')
    if hook is None:
        raise RuntimeError(
            '--show and --show-dir need default_hooks.visualization in the config, for '
            "example dict(type='mmdet.DetVisualizationHook')"
        )
    hook.draw = True
    if show:
        hook.show = True
        hook.wait_time = wait_time
    if show_dir:
        hook.test_out_dir = show_dir


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config asks for.

    Args:
        cfg: Config from :func:`load_run_config`.

    Returns:
        The runner.
    """
    if cfg.get('launcher') == 'pytorch' and not torch.cuda.is_available():
        join_cpu_processes()
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def flush_denormals() -> None:
    """Let the CPU treat denormal floats as zero.

    Vanishing activations and optimiser moments otherwise slow CPU training down many
    times. Threads inherit the setting when they start, so call this first.
    """
    torch.set_flush_denormal(True)


def _use_cpu_processes(cfg: Config) -> None:
    """Let several processes train together where there is no GPU."""
    if cfg.get('launcher', 'none') == 'none' or torch.cuda.is_available():
        return
    settings = cfg.get('env_cfg', {}).get('dist_cfg', {})
    if settings.get('backend', 'nccl') == 'nccl':
        cfg.merge_from_dict({'env_cfg.dist_cfg.backend': 'gloo'})
    # MMEngine's own defaults, except for the device, which it takes for a GPU.
    defaults = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
        device_ids=None,
    )
    cfg.model_wrapper_cfg = {**defaults, **(cfg.get('model_wrapper_cfg') or {})}


def _check_last_checkpoint(work_dir: Path) -> None:
    """Say what to resume from where the newest checkpoint is gone or broken."""
    note = work_dir / 'last_checkpoint'
    if not note.is_file():
        return
    name = note.read_text().strip()
    try:
        if not Path(name).is_file():
            raise FileNotFoundError(f'checkpoint {name or "(none)"} does not exist.')
        check_checkpoint_file(name)
    except (FileNotFoundError, CheckpointError) as error:
        others = sorted(work_dir.glob('*.pth'), key=os.path.getmtime, reverse=True)
        listed = ', '.join(str(path) for path in others if path != Path(name))
        raise type(error)(
            f'{note} says where to go on, but {error} Give another one to --resume; '
            f'there are: {listed or "none"}.'
        ) from error


def _existing_checkpoint(checkpoint: str) -> str:
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(
            f'checkpoint {checkpoint} does not exist (looked in {Path.cwd()}); '
            'training writes work_dirs/<config name>/epoch_<n>.pth'
        )
    if '://' not in checkpoint:
        check_checkpoint_file(checkpoint)
    return checkpoint
