"""MMDetection's tools run WISE unchanged: training, test, labels, and its pictures."""

import json
import sys
from pathlib import Path

import cv2
import pytest

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic

sys.path.insert(0, str(Path(__file__).parent))
from test_bestie_tools import SHORT, TOOLS, run

CONFIG = 'mmwsis::wise/wise_r18_synthetic.py'
CHECKPOINT = 'work_dirs/wise_r18_synthetic/iter_3.pth'
PROPOSALS = 'mmwsis::proposals/built-in_coco.py'
DATA = 'data/synthetic'


def proposal_options(split):
    """The built-in generator on the scenes, as a pipeline has it."""
    labels = dict(
        train=f'{DATA}/weak/points_train.json',
        val=f'{DATA}/annotations/instances_val.json',
    )
    dataset = 'pseudo_label_dataloader.dataset'
    return (
        *('--out', f'{DATA}/proposals/built_in' + ('_val' if split == 'val' else '')),
        *('--cfg-options', f'{dataset}.data_root=.'),
        f'{dataset}.ann_file={labels[split]}',
        f'{dataset}.data_prefix.img={DATA}/{split}/',
        'pseudo_label_dataloader.num_workers=0',
        'model.test_cfg.scales=[100]',
        'model.test_cfg.color_spaces=[lab]',
    )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('wise')
    settings = SyntheticSettings(train=4, val=2, size=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_synthetic(Path(DATA), settings)
        for split in ('train', 'val'):
            arguments = PROPOSALS, *proposal_options(split)
            run(patch, 'generate_pseudo_labels.py', *arguments)
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
    )
    metrics = json.loads(Path('metrics.json').read_text())
    assert any('AP25' in name for name in metrics)
    pictures = list(Path('work_dirs').glob('wise_r18_synthetic/*/shown/*.png'))
    assert len(pictures) == 2
    assert cv2.imread(str(pictures[0])).shape[1] > 5 * 256


def test_points_of_a_classifier_that_finds_none_in_an_image(inside, monkeypatch):
    found = {}
    for split in ('train', 'val'):
        path = Path(DATA, f'annotations/instances_{split}.json')
        content = json.loads(path.read_text())
        first = content['images'][0]['id']
        cues = [
            dict(one, score=0.8, point=[one['bbox'][0], one['bbox'][1]])
            for one in content['annotations']
            if one['image_id'] != first
        ]
        keys = 'id', 'image_id', 'category_id', 'iscrowd', 'point', 'score'
        content['annotations'] = [{key: one[key] for key in keys} for one in cues]
        content['info'] = {}
        suffix = '' if split == 'train' else '_val'
        out = Path(DATA, f'pseudo_labels/wise_prm_points{suffix}.json')
        out.parent.mkdir(exist_ok=True)
        out.write_text(json.dumps(content))
        found[split] = cues
    assert found['val']
    run(monkeypatch, 'train.py', 'mmwsis::wise/wise_r18_prm_synthetic.py', *SHORT)
    checkpoint = 'work_dirs/wise_r18_prm_synthetic/iter_3.pth'
    out = f'{DATA}/pseudo_labels/wise_prm.json'
    run(
        monkeypatch,
        'generate_pseudo_labels.py',
        *('mmwsis::wise/wise_r18_prm_synthetic.py', checkpoint, '--out', out),
        *('--cfg-options', 'pseudo_label_dataloader.num_workers=0'),
    )
    labels = json.loads(Path(out).read_text())
    assert len(labels['images']) == 4
    assert len({one['image_id'] for one in labels['annotations']}) <= 3


def test_the_picture_of_the_report(inside, monkeypatch):
    run(
        *(monkeypatch, 'analysis_tools/show_wise.py', CONFIG, CHECKPOINT),
        *('--out', 'wise.png', '--num', 2, *SHORT),
    )
    height, width = cv2.imread('wise.png').shape[:2]
    assert width > 5 * 256 and height > 2 * 256


def test_pseudo_labels(inside, monkeypatch):
    run(
        *(monkeypatch, 'generate_pseudo_labels.py', CONFIG, CHECKPOINT),
        *('--out', 'labels.json', *SHORT),
    )
    made = json.loads(Path('labels.json').read_text())
    assert made['info']['mmwsis']['supervision'] == 'points'
    assert {image['id'] for image in made['images']} == {1, 2, 3, 4}
    assert made['annotations']
    for one in made['annotations']:
        assert 0 <= one['score'] <= 1


def test_the_inferencer_of_mmdetection(inside):
    """On an image of no dataset: proposals are made on the fly, labels are unknown."""
    from mmdet.apis import DetInferencer

    config = str(TOOLS.parent / 'configs/wise/wise_r18_synthetic.py')
    inferencer = DetInferencer(config, CHECKPOINT, device='cpu')
    answer = inferencer(f'{DATA}/val/500001.png', out_dir='seen')
    assert set(answer['predictions'][0]) >= {'labels', 'scores', 'masks'}
    assert Path('seen/vis/500001.png').is_file()
    inferencer.model.test_cfg['mask_source'] = 'oracle'
    with pytest.raises(ValueError, match='no ground truth.*an upper bound'):
        inferencer(f'{DATA}/val/500001.png')


def test_a_missing_folder_of_proposals_is_named_with_its_remedy(inside, monkeypatch):
    with pytest.raises(SystemExit) as caught:
        run(
            *(monkeypatch, 'train.py', CONFIG, *SHORT),
            'train_dataloader.dataset.pipeline.1.path=data/synthetic/proposals/mcg',
        )
    assert 'data/synthetic/proposals/mcg' in str(caught.value.code)
