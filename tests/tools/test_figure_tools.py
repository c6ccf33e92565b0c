"""The figure tools as a user calls them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from forked_tools import run_forked
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]


def call(tool, *arguments, cwd):
    command = [sys.executable, str(REPOSITORY / 'tools/analysis_tools' / tool)]
    command += [str(argument) for argument in arguments]
    return run_forked(command, cwd)


@pytest.fixture
def data(tmp_path):
    """Two images with one object each, with masks and extreme points."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in (1, 2):
        pixels = rng.integers(0, 255, (64, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'{i}.png')
        images.append(dict(id=i, file_name=f'{i}.png', height=64, width=96))
        annotations.append(
            dict(
                id=i + 4,
                image_id=i,
                category_id=3,
                iscrowd=0,
                area=2240,
                bbox=[10, 5, 69, 49],
                segmentation=[[10, 5, 79, 5, 79, 54, 10, 54]],
                extreme_points=[[40, 5], [10, 30], [40, 54], [79, 30]],
            )
        )
    content = dict(images=images, annotations=annotations)
    content['categories'] = [dict(id=3, name='bolt')]
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    return tmp_path


CROPS = """
train_dataloader = dict(dataset=dict(
    type='mmwsis.ObjectCropDataset', ann_file='labels.json', data_prefix=dict(img=''),
    metainfo=dict(classes=('bolt',)), supervision='extreme_points',
    pipeline=[
        dict(type='mmwsis.LoadCachedImage'),
        dict(type='mmwsis.ObjectCrop', crop_size=64),
        dict(type='mmwsis.ObjectCropFlip'),
        dict(type='mmwsis.TeacherStudentViews'),
        dict(type='mmwsis.PackObjectCrop'),
    ]))
"""
IMAGES = """
train_dataloader = dict(dataset=dict(
    type='mmwsis.CocoWeakDataset', ann_file='labels.json', data_prefix=dict(img=''),
    metainfo=dict(classes=('bolt',)), supervision='{level}',
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask={masks}),
        dict(type='PackDetInputs'),
    ]))
"""


@pytest.mark.parametrize('mode', ['transformed', 'original'])
@pytest.mark.parametrize(
    ('body', 'views'),
    [
        (CROPS, 2),
        (IMAGES.format(level='masks', masks=True), 1),
        (IMAGES.format(level='boxes', masks=False), 1),
    ],
    ids=['crops', 'masks', 'boxes'],
)
def test_browse(data, mode, body, views, capsys):
    from mmengine.config import Config

    from mmwsis.visualization.browse import browse_to_files

    (data / 'config.py').write_text(body)
    cfg = Config.fromfile(data / 'config.py')
    cfg.train_dataloader.dataset.data_root = str(data)
    (file,) = browse_to_files(cfg, data / 'out', num=0, mode=mode)
    tiles = 2 * (views if mode == 'transformed' else 1)
    assert Image.open(file).width >= tiles * 256
    with pytest.raises(ValueError, match='mode must be one of'):
        browse_to_files(cfg, data / 'out', mode='upside-down')
    with pytest.raises(ValueError, match=r"no val_dataloader; the config has \['train"):
        browse_to_files(cfg, data / 'out', loader='val_dataloader')


def test_browse_tool(data):
    (data / 'config.py').write_text(CROPS)
    done = call(
        'browse_dataset.py', 'config.py', '--not-show', '--out-dir', 'o', cwd=data
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ['o/transformed_000.png']
    assert (data / 'o/transformed_000.png').is_file()


@pytest.mark.slow
def test_plot_curves_tool(tmp_path):
    for name in ('a', 'b'):
        folder = tmp_path / name / 'run' / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text('{"loss": 1.0, "iter": 1, "step": 1}\n')
    done = call('plot_curves.py', 'a', 'b', '--out', 'plots', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'plots/a.png').is_file() and (tmp_path / 'plots/b.png').is_file()
    assert call('plot_curves.py', 'a', cwd=tmp_path).stdout.split() == ['a/curves.png']
