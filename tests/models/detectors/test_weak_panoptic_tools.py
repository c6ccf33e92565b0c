"""The tools run WeakPanoptic: training, test, labels, pictures; piecewise inference."""

import json
import sys
from pathlib import Path

import cv2
import pytest
import torch

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic

sys.path.insert(0, str(Path(__file__).parent))
from test_bestie_tools import SHORT, run

pytestmark = pytest.mark.slow  # 50 seconds

CONFIG = 'mmwsis::weak_panoptic/weak_panoptic_r18_synthetic.py'
SEMANTIC = 'mmwsis::weak_panoptic/semantic_pspnet-r18_synthetic.py'
CHECKPOINT = 'work_dirs/weak_panoptic_r18_synthetic/iter_3.pth'
DATA = Path('data/synthetic')
TRUTH = DATA / 'annotations/panoptic_train.json'
OPTIONS = (
    *SHORT,
    'load_from=None',
    f'train_dataloader.dataset.pipeline.1.ann_file={TRUTH}',
)


def write_detections(split):
    """What a perfect detector finds."""
    truth = json.loads((DATA / f'annotations/panoptic_{split}.json').read_text())
    things = [one for one in truth['categories'] if one['isthing']]
    known = {one['id'] for one in things}
    rows = [
        dict(
            image_id=entry['image_id'],
            category_id=segment['category_id'],
            bbox=segment['bbox'],
            score=0.9,
        )
        for entry in truth['annotations']
        for segment in entry['segments_info']
        if segment['category_id'] in known
    ]
    annotations = [dict(row, id=number) for number, row in enumerate(rows, start=1)]
    found = dict(images=truth['images'], categories=things, annotations=annotations)
    path = DATA / f'pseudo_labels/detections_{split}.json'
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('weak_panoptic')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_synthetic(DATA, SyntheticSettings(train=4, val=2, size=64))
        run(
            *(patch, 'dataset_converters/coco2weak.py', TRUTH),
            *('--level', 'boxes', '--out', DATA / 'weak/boxes_panoptic_train.json'),
        )
        for split in ('train', 'val'):
            write_detections(split)
        run(patch, 'train.py', CONFIG, *OPTIONS)
    return folder


@pytest.fixture
def inside(trained, monkeypatch):
    monkeypatch.chdir(trained)
    return trained


def test_metrics_and_pictures(inside, monkeypatch):
    run(
        *(monkeypatch, 'test.py', CONFIG, CHECKPOINT, '--show-dir', 'shown'),
        *('--metrics-out', 'metrics.json', *OPTIONS),
    )
    metrics = json.loads(Path('metrics.json').read_text())
    assert 0 <= metrics['panoptic/PQ'] <= 1
    pictures = list(Path('work_dirs').glob('weak_panoptic*/*/shown/*.png'))
    assert len(pictures) == 2
    # Detections, semantic map, segments and the truth, in a row.
    assert all(cv2.imread(str(one)).shape[1] > 4 * 256 for one in pictures)


def test_the_picture_of_the_report(inside, monkeypatch):
    run(
        *(monkeypatch, 'analysis_tools/show_panoptic.py', CONFIG, CHECKPOINT),
        *('--out', 'panoptic.png', '--num', 2, *OPTIONS),
    )
    height, width = cv2.imread('panoptic.png').shape[:2]
    assert width > 4 * 256 and height > 2 * 256


def test_pictures_of_the_semantic_network_have_the_truth(inside, monkeypatch):
    run(
        *(monkeypatch, 'test.py', SEMANTIC, CHECKPOINT, '--show-dir', 'semantic'),
        *OPTIONS,
    )
    pictures = list(Path('work_dirs').glob('semantic*/*/semantic/*.png'))
    assert len(pictures) == 2
    # Semantic map and truth.
    widths = {cv2.imread(str(one)).shape[1] // 256 for one in pictures}
    assert widths == {2}


def test_pseudo_labels(inside, monkeypatch):
    run(
        *(monkeypatch, 'generate_pseudo_labels.py', CONFIG, CHECKPOINT),
        *('--out', 'labels.json', *OPTIONS),
    )
    made = json.loads(Path('labels.json').read_text())
    assert {image['id'] for image in made['images']} == {1, 2, 3, 4}
    segments = [one for entry in made['annotations'] for one in entry['segments_info']]
    assert segments and all(0 <= one['score'] <= 1 for one in segments)


def test_piecewise_inference_needs_no_weights_of_the_instance_network(
    inside, monkeypatch
):
    saved = torch.load(CHECKPOINT, weights_only=False)
    weights = saved['state_dict']
    for name in [name for name in weights if name.startswith('instance_head.')]:
        del weights[name]
    torch.save(saved, 'semantic.pth')
    run(
        *(monkeypatch, 'test.py', CONFIG, 'semantic.pth'),
        *('--metrics-out', 'piecewise.json', *OPTIONS),
    )
    assert 0 <= json.loads(Path('piecewise.json').read_text())['panoptic/PQ'] <= 1
