"""Weak panoptic's options as its page writes them, on the configs that they are for."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import DictAction
from mmengine.registry import DATASETS, init_default_scope
from mmengine.structures import InstanceData

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.models.detectors import true_segments
from mmwsis.models.heads import AssignedPixels
from mmwsis.registry import MODELS
from mmwsis.utils.config_files import read_config

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / 'configs/weak_panoptic'
PAGE = (ROOT / 'docs/methods/weak_panoptic.md').read_text()
LABELS = 'data/cityscapes/annotations/panoptic_{}.json'


def option(name):
    """The options in a row of the page's table, as --cfg-options reads them."""
    (row,) = re.findall(rf'^\| {re.escape(name)} \| `([^`]+)`', PAGE, re.M)
    pairs = (one.split('=', 1) for one in row.split() if not one.endswith('CHECKPOINT'))
    return {key: DictAction._parse_iterable(value) for key, value in pairs}


def changed(stem, name):
    cfg = read_config(FOLDER / f'{stem}.py')
    cfg.merge_from_dict(option(name))
    return cfg


def label_files(loader):
    inner = loader.dataset.get('datasets') or [loader.dataset]
    for dataset in inner:
        steps = [
            one for one in dataset.pipeline if one.type == 'mmwsis.LoadPanopticMap'
        ]
        assert len(steps) == 1
        yield steps[0].ann_file


def test_full_labels_take_the_place_of_weak_ones():
    stem = 'semantic_pspnet-r101_cityscapes'
    cfg = changed(stem, f'the same, Cityscapes, of `{stem}.py`')
    expected = [LABELS.format(one) for one in ('gtFine_train', 'gtCoarse_train_extra')]
    assert list(label_files(cfg.train_dataloader)) == expected
    stem = 'weak_panoptic_r101_cityscapes'
    cfg = changed(stem, f'the same, Cityscapes, of `{stem}.py`')
    assert list(label_files(cfg.train_dataloader)) == expected[:1]
    for stem in ('semantic_pspnet-r101_voc', 'weak_panoptic_r101_voc'):
        cfg = changed(stem, 'full labels, all images, VOC')
        (file,) = label_files(cfg.train_dataloader)
        assert file == 'data/voc/annotations/panoptic_train_aug.json'


@pytest.mark.parametrize('file', sorted(FOLDER.glob('box-labels_*.py')), ids=str)
def test_no_proposal_is_left_out(file):
    dataset = read_config(file).pseudo_label_dataloader.dataset
    (step,) = (one for one in dataset.pipeline if one.type == 'mmwsis.LoadProposals')
    assert step.max_num is None


def test_weights_of_pspnet_get_the_order_of_the_classes(tmp_path, monkeypatch):
    (code,) = re.findall(r'```python\n(import torch\n.*?)```', PAGE, re.S)
    monkeypatch.chdir(tmp_path)
    rows = torch.arange(19.0)
    state = {
        'backbone.conv1.weight': rows,
        'decode_head.conv_seg.weight': rows[:, None, None, None],
        'auxiliary_head.conv_seg.bias': rows,
    }
    torch.save(dict(state_dict=state, meta={}), 'pspnet_r101-d8_cityscapes.pth')
    exec(code, {})
    found = torch.load('pspnet_things_first.pth')['state_dict']
    assert torch.equal(found['backbone.conv1.weight'], rows)
    spec = read_config(ROOT / 'configs/data_specs/cityscapes.py').data_spec
    ordered = [*spec.classes, *spec.stuff_classes]
    names = [
        ordered[found['auxiliary_head.conv_seg.bias'].tolist().index(i)] for i in rows
    ]
    assert names[:11] == list(spec.stuff_classes)  # trainIds 0 to 10
    assert names[11:] == list(spec.classes)
    kernel = found['decode_head.conv_seg.weight']
    assert torch.equal(kernel.flatten(), found['auxiliary_head.conv_seg.bias'])


def test_tags_of_images_are_an_option_of_all_steps_with_tags():
    classifier = read_config(FOLDER / 'classifier_r50_cityscapes.py')
    place = 'pipeline.1.{}'
    for loader in ('train_dataloader', 'pseudo_label_dataloader'):
        assert classifier[loader].dataset.pipeline[1].type == 'mmwsis.CropTags'
        size = f'{loader}.dataset.{place.format("crop_size")}'
        classifier.merge_from_dict(
            {
                f'{loader}.dataset.{place.format("image_level")}': True,
                size: DictAction._parse_iterable('(400,500)'),
            }
        )
        assert classifier[loader].dataset.pipeline[1].crop_size == (400, 500)
    merged = read_config(FOLDER / 'merged-labels_cityscapes.py')
    merged.merge_from_dict({'model.test_cfg.image_level': True})
    assert MODELS.build(merged.model).refinement.image_level


@pytest.mark.parametrize('oracle', [False, True])
def test_the_oracle_ranking_reads_the_truth(oracle, tmp_path):
    make_synthetic(tmp_path, SyntheticSettings(train=1, val=1, size=64, seed=1))
    stem = 'weak_panoptic_r18_synthetic'
    cfg = read_config(FOLDER / f'{stem}.py')
    if oracle:
        cfg.merge_from_dict(option('oracle ranking'))
    dataset = cfg.test_dataloader.dataset
    dataset.data_root = str(tmp_path)
    dataset.pipeline = [
        one for one in dataset.pipeline if one.type != 'mmwsis.LoadDetections'
    ]
    init_default_scope('mmdet')
    sample = DATASETS.build(dataset)[0]['data_samples']
    assert ('gt_sem_seg' in sample) == oracle
    if not oracle:
        return
    sample.detections = InstanceData(bboxes=torch.zeros(0, 4))
    model = MODELS.build(cfg.model)
    truth = true_segments(sample, 6, 9, sample.ori_shape)
    assert (truth.labels < 6).any() and (truth.labels >= 6).any()
    # The truth itself, but for half of the first segment.
    segments = truth.segments.clone()
    own = (segments == 0).nonzero()
    half = own[: len(own) // 2]
    segments[half[:, 0], half[:, 1]] = 1
    segments[segments < 0] = 1
    probs = torch.eye(len(truth.labels))[segments].permute(2, 0, 1)
    scores = torch.full((len(truth.labels),), 0.5)
    sample.set_metainfo(dict(img_shape=sample.ori_shape))
    model._fill(AssignedPixels(probs, truth.labels, scores), sample)
    found = sample.pred_segments.scores
    assert found[0] == pytest.approx(1 - len(half) / len(own))
    assert (found[2:] == 1).all() and found[1] < 1
