"""MMDetection's tools run BESTIE unchanged: training, test, inferencer, labels."""

import json
import runpy
import sys
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.visualization import DetLocalVisualizer
from mmengine.visualization import Visualizer
from pycocotools import mask as coco_mask

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.engine.run_config import load_run_config
from mmwsis.formats.semantic_maps import encode_semantic_map
from mmwsis.visualization.refinement_figure import with_earlier

TOOLS = Path(__file__).parents[3] / 'tools'
CONFIG = 'mmwsis::bestie/bestie_r18_synthetic.py'
POINTS = 'mmwsis::bestie/bestie_r18_points_synthetic.py'
# Of the first; that of the second would have the same weights.
CHECKPOINT = 'work_dirs/bestie_r18_synthetic/iter_3.pth'
# Everything of the shipped config but its length.
SHORT = (
    '--cfg-options',
    'train_cfg.max_iters=3',
    'train_cfg.val_interval=3',
    'default_hooks.checkpoint.interval=3',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
    'pseudo_label_dataloader.num_workers=0',
)


def run(patch, tool, *arguments):
    # The hooks draw with the latest visualizer of the process, or the one of the same
    # name, whoever made it and wherever it writes.
    for kind in (Visualizer, DetLocalVisualizer):
        patch.setattr(kind, '_instance_dict', OrderedDict())
    patch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    patch.setenv('LOCAL_RANK', '0')
    runpy.run_path(str(TOOLS / tool), run_name='__main__')


def write_semantic_maps_and_cues(root):
    """What earlier stages would have made, from the truth."""
    truth = json.loads((root / 'annotations/instances_train.json').read_text())
    names = [category['name'] for category in truth['categories']]
    numbers = {one['id']: i + 1 for i, one in enumerate(truth['categories'])}
    folder = root / 'pseudo_labels/irnet_semantic'
    folder.mkdir(parents=True)
    entries = []
    for image in truth['images']:
        values = np.zeros((image['height'], image['width']), np.uint8)
        for one in truth['annotations']:
            if one['image_id'] == image['id']:
                mask = coco_mask.decode(one['segmentation']) > 0
                values[mask] = numbers[one['category_id']]
        file = f'{image["id"]}.png'
        (folder / file).write_bytes(encode_semantic_map(values, ('background', *names)))
        entries.append(dict(id=image['id'], file=file))
    index = dict(type='semantic_maps', classes=['background', *names], images=entries)
    (folder / 'index.json').write_text(json.dumps(index))
    cues = json.loads((root / 'weak/points_train.json').read_text())
    cues['info'] = {}
    for one in cues['annotations']:
        one['score'] = 0.9
    (root / 'pseudo_labels/bestie_cues.json').write_text(json.dumps(cues))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bestie')
    root = folder / 'data/synthetic'
    make_synthetic(root, SyntheticSettings(train=4, val=2, size=64))
    write_semantic_maps_and_cues(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(patch, 'train.py', CONFIG, *SHORT)
    return folder


@pytest.fixture
def inside(trained, monkeypatch):
    monkeypatch.chdir(trained)
    return trained


def test_metrics_and_pictures(inside, monkeypatch):
    run(
        *(monkeypatch, 'test.py', CONFIG, CHECKPOINT, '--show-dir', 'shown'),
        *('--metrics-out', 'metrics.json', *SHORT),
        'default_hooks.visualization.score_thr=2',  # of predictions nothing is drawn
    )
    assert 'coco/segm_mAP_50' in json.loads(Path('metrics.json').read_text())
    pictures = list(Path('work_dirs').glob('bestie_r18_synthetic/*/shown/*.png'))
    assert len(pictures) == 2
    for picture in pictures:
        truth, predicted = np.split(cv2.imread(str(picture)), 2, axis=1)
        assert truth.shape == predicted.shape == (64, 64, 3)
        assert (truth != predicted).any(-1).mean() > 0.05


def test_the_inferencer_of_mmdetection(inside):
    from mmdet.apis import DetInferencer

    config = str(TOOLS.parent / 'configs/bestie/bestie_r18_synthetic.py')
    inferencer = DetInferencer(config, CHECKPOINT, device='cpu')
    answer = inferencer('data/synthetic/val/500001.png', out_dir='seen')
    assert set(answer['predictions'][0]) >= {'labels', 'scores', 'masks'}
    assert Path('seen/vis/500001.png').is_file()


def generate(patch, config, kind, suffix='.json'):
    out = Path('labels', config.rpartition('/')[2], f'{kind}{suffix}')
    run(
        *(patch, 'generate_pseudo_labels.py', config, CHECKPOINT),
        *('--artifact', kind, '--out', out, *SHORT),
    )
    return out


def test_the_picture_of_the_report(inside, monkeypatch):
    run(
        *(monkeypatch, 'analysis_tools/show_bestie.py', CONFIG, CHECKPOINT),
        *('--out', 'refined.png', '--num', 2, *SHORT),
    )
    assert cv2.imread('refined.png').shape[1] > 5 * 256
    (drawn,) = Path('work_dirs').glob('bestie_r18_synthetic/*/vis_data/*/refine*_1.png')
    assert cv2.imread(str(drawn)).shape[1] > 5 * 256


def test_figures_of_a_resumed_training_show_the_same_crops(inside, monkeypatch):
    hook = load_run_config(CONFIG).custom_hooks
    at = [one['type'] for one in hook].index('mmwsis.RefinementVisualizationHook')
    run(
        *(monkeypatch, 'train.py', CONFIG, '--resume', *SHORT),
        *('train_cfg.max_iters=5', f'custom_hooks.{at}.interval=1'),
        'default_hooks.checkpoint.interval=5',
    )
    work_dir = Path('work_dirs/bestie_r18_synthetic')
    sheets = {
        int(file.stem.rpartition('_')[2]): cv2.imread(str(file))
        for file in work_dir.glob('*/vis_data/*/refine*.png')
    }
    assert sorted(sheets) == [1, 4, 5]
    first, *later = (sheets[step][:256, :800] for step in sorted(sheets))
    assert all((one == first).all() for one in later)  # of the pseudo labels, too
    # The report takes the fourth iteration, whose checkpoint was never written.
    assert [file.name for file in with_earlier(work_dir / 'iter_5.pth')] == [
        *('iter_3.pth', 'iter_4.npz', 'iter_5.pth')
    ]
    run(
        *(monkeypatch, 'analysis_tools/show_bestie.py', CONFIG),
        *(work_dir / 'iter_5.pth', '--out', 'moments.png', *SHORT),
    )
    assert cv2.imread('moments.png').shape[1] > 9 * 256


@pytest.mark.parametrize(
    ('config', 'level'), [(CONFIG, 'image_tags'), (POINTS, 'points')]
)
def test_pseudo_labels(inside, monkeypatch, config, level):
    made = json.loads(generate(monkeypatch, config, 'instances').read_text())
    assert made['info']['mmwsis']['supervision'] == level
    assert {image['id'] for image in made['images']} == {1, 2, 3, 4}
    for one in made['annotations']:
        assert min(one['bbox'][2:]) >= 2 and 0 <= one['score'] <= 1


@pytest.mark.slow
def test_semantic_maps_and_cues_of_another_round(inside, monkeypatch):
    """What it makes is what it reads."""
    maps = generate(monkeypatch, CONFIG, 'semantic_maps', '')
    cues = generate(monkeypatch, CONFIG, 'points')
    step = 'train_dataloader.dataset.pipeline'
    run(
        *(monkeypatch, 'train.py', CONFIG, '--work-dir', 'round2', *SHORT),
        *(f'{step}.1.folder={maps}', f'{step}.2.ann_file={cues}'),
    )
    assert Path('round2/iter_3.pth').is_file()
