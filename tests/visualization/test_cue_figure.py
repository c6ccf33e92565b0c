"""Cues of a classifier without and with its peak attention, side by side."""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmwsis.apis import LabelInferencer
from mmwsis.models.layers import PeakAttention
from mmwsis.registry import MODELS
from mmwsis.visualization import cue_figure
from mmwsis.visualization.cue_figure import draw_cues, without_peak_attention

sys.path.insert(0, str(Path(__file__).parents[1] / 'pseudo_labels'))
from toy_scenes import draw_scenes

ROOT = Path(__file__).parents[2]
HEAD = dict(num_classes=3, in_channels=32)


@pytest.fixture
def config(tmp_path):
    draw_scenes(tmp_path, count=3)
    cfg = Config.fromfile(ROOT / 'configs/bestie/pam_r18_synthetic.py')
    cfg.model.backbone.update(base_channels=8, init_cfg=None)
    cfg.model.head.update(HEAD, feat_channels=8)
    dataset = cfg.pseudo_label_dataloader.dataset
    dataset.update(
        data_root=f'{tmp_path}/',
        ann_file='tags.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=('berry', 'leaf', 'pool')),
    )
    return cfg


def labeler_of(cfg, path):
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), path)
    return LabelInferencer(cfg, path, 'cpu')


def captions(monkeypatch):
    rows = []

    def sheet(tiles, columns, *rest):
        rows.append((columns, [tile.caption for tile in tiles]))
        return tiles[0].image

    monkeypatch.setattr(cue_figure, 'contact_sheet', sheet)
    return rows


def test_both_classifiers_stand_in_a_row(config, tmp_path, monkeypatch):
    labeler = labeler_of(config, tmp_path / 'pam.pth')
    out = draw_cues(labeler, tmp_path / 'cues.png', num=2)
    assert Image.open(out).width > 500
    rows = captions(monkeypatch)
    draw_cues(labeler, tmp_path / 'cues.png', num=2)
    ((columns, names),) = rows
    assert columns == 2 and len(names) == 4
    assert ': without peak attention, ' in names[0] and names[0].startswith('image ')
    assert names[1].startswith('with it, same weights, ')


def test_another_classifier_to_compare_with(config, tmp_path, monkeypatch):
    labeler = labeler_of(config, tmp_path / 'pam.pth')
    plain = Config(config.to_dict())
    plain.model.head = dict(type='mmwsis.ClassMapHead', **HEAD)
    other = labeler_of(plain, tmp_path / 'cam.pth')
    rows = captions(monkeypatch)
    draw_cues(labeler, tmp_path / 'cues.png', other, num=1)
    draw_cues(other, tmp_path / 'cues.png', num=1)
    assert [columns for columns, _ in rows] == [2, 1]
    assert ': plain CAM, ' in rows[0][1][0]
    assert rows[0][1][1].startswith('peak attention, ')
    assert ': classifier, ' in rows[1][1][0]


def test_without_peak_attention_is_a_copy(config):
    model = MODELS.build(config.model).eval()
    plain = without_peak_attention(model)
    alphas = [
        [m.alpha for m in one.modules() if isinstance(m, PeakAttention)]
        for one in (model, plain)
    ]
    assert alphas == [[0.7] * 3, [0.0] * 3]
    images = torch.rand(2, 3, 64, 64)
    assert not torch.equal(model(images), plain(images))
    assert without_peak_attention(model.backbone) is None


def test_models_without_cues_are_refused(config, tmp_path):
    config.model = dict(type='mmwsis.RelationLabeler')
    with pytest.raises(TypeError, match='RelationLabeler finds no cues'):
        draw_cues(LabelInferencer(config), tmp_path / 'cues.png')
