"""Looking at a dataset as the config yields it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from PIL import Image

from .coco_files import read_image, spread
from .samples import crop_tiles, detection_tile, original_tile
from .sheet import Tile, contact_sheet, save_image
from .weak_labels import EXTREME_POINT_LEGEND

MODES = ('transformed', 'original')


def browse_dataset(
    cfg: Config,
    num: int = 12,
    mode: str = 'transformed',
    loader: str = 'train_dataloader',
) -> Iterator[list[Tile]]:
    """Draw samples of a config's dataset.

    Args:
        cfg: Config with the data loader.
        num: Number of samples, spread over the dataset; 0 means all.
        mode: ``'transformed'``: what the pipeline yields; ``'original'``: the labels
            on the stored image, before any transform.
        loader: Data loader of the config.

    Yields:
        The tiles of one sample: one of a whole image, one per view of an object crop.

    Raises:
        ValueError: Unknown mode or data loader, or a dataset of an unknown kind.
    """
    if mode not in MODES:
        raise ValueError(f'mode must be one of {MODES}, got {mode!r}.')
    if not isinstance(cfg.get(loader), Mapping):
        known = [key for key in cfg if key.endswith('_dataloader')]
        raise ValueError(f'{cfg.filename}: no {loader}; the config has {known}.')
    from mmwsis.registry import DATASETS

    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = DATASETS.build(cfg[loader].dataset)
    bgr = _loads_bgr(cfg[loader].dataset)
    classes = dataset.metainfo.get('classes') or ()
    for index in spread(range(len(dataset)), num if num > 0 else len(dataset)):
        if mode == 'original':
            info = dataset.get_data_info(index)
            image = read_image(info['img_path'], info['img_id'], info)
            yield [original_tile(info, image, classes)]
        else:
            yield _transformed(dataset[index], classes, bgr)


def browse_to_files(
    cfg: Config,
    out_dir: str | Path,
    num: int = 12,
    mode: str = 'transformed',
    loader: str = 'train_dataloader',
    sheet_rows: int = 4,
    show: bool = False,
) -> list[Path]:
    """Write the samples of a config's dataset as contact sheets.

    Args:
        cfg: Config with the data loader.
        out_dir: Folder of the figures.
        num: Number of samples; 0 means all.
        mode: See :func:`browse_dataset`.
        loader: Data loader of the config.
        sheet_rows: Rows of samples a sheet.
        show: Open each sheet in the system's image viewer too.

    Returns:
        The files, ``<mode>_000.png`` and so on.
    """
    files, pending, columns = [], [], 0
    level = (cfg.get(loader) or {}).get('dataset', {}).get('supervision')
    legend = EXTREME_POINT_LEGEND if level in ('extreme_points', 'masks') else []
    for tiles in browse_dataset(cfg, num, mode, loader):
        pending.append(tiles)
        columns = max(1, 4 // len(tiles))
        if len(pending) == columns * sheet_rows:
            files.append(
                _write_sheet(pending, columns, out_dir, mode, len(files), legend)
            )
            pending = []
    if pending:
        files.append(_write_sheet(pending, columns, out_dir, mode, len(files), legend))
    if show:
        for file in files:
            Image.open(file).show(file.name)
    return files


def _write_sheet(
    samples: list[list[Tile]],
    columns: int,
    out_dir: str | Path,
    mode: str,
    number: int,
    legend: list,
) -> Path:
    tiles = [tile for sample in samples for tile in sample]
    sheet = contact_sheet(tiles, columns * len(samples[0]), f'{mode} samples', legend)
    return save_image(Path(out_dir, f'{mode}_{number:03d}.png'), sheet)


def _transformed(item: Mapping[str, Any], classes: tuple, bgr: bool) -> list[Tile]:
    """Tiles of a packed sample of either kind."""
    inputs, sample = item['inputs'], item['data_samples']
    if isinstance(inputs, Mapping):
        return crop_tiles(inputs, sample, classes)
    if 'gt_instances' in sample:
        return [detection_tile(inputs, sample, classes, bgr)]
    raise ValueError(
        'Expected samples of an object crop or detection dataset, got '
        f'{type(sample).__name__} with {sorted(sample.keys())}.'
    )


def _loads_bgr(dataset: ConfigDict) -> bool:
    """Whether images are BGR when packed, as MMDetection's loaders give them."""
    if 'dataset' in dataset:  # a wrapper
        return _loads_bgr(dataset.dataset)
    if 'datasets' in dataset:
        return _loads_bgr(dataset.datasets[0])
    loaders = [step.type for step in dataset.get('pipeline', ())]
    return 'mmwsis.LoadCachedImage' not in loaders
