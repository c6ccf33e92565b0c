"""Grad-CAM of crops beside the label maps that it gives."""

import json
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmwsis.apis import LabelInferencer
from mmwsis.registry import MODELS
from mmwsis.visualization import grad_cam_figure
from mmwsis.visualization.grad_cam_figure import draw_grad_cam

sys.path.insert(0, str(Path(__file__).parents[1] / 'pseudo_labels'))
from toy_scenes import draw_scenes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path):
    draw_scenes(tmp_path, count=3)
    coco = json.loads((tmp_path / 'tags.json').read_text())
    for image in coco['images']:
        image['crop_tags'] = dict(
            size=[image['height'], image['width'] - 8],
            tags=[image['tags'][:1], image['tags']],
        )
    (tmp_path / 'tags.json').write_text(json.dumps(coco))
    cfg = Config.fromfile(ROOT / 'configs/weak_panoptic/classifier_r18_synthetic.py')
    cfg.model.backbone.update(base_channels=8)
    cfg.model.head.update(num_classes=3, in_channels=32)
    cfg.pseudo_label_dataloader.dataset.update(
        data_root=f'{tmp_path}/',
        ann_file='tags.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=('berry', 'leaf', 'pool')),
    )
    return cfg


def test_a_row_has_maps_of_a_crop_and_label_maps(config, tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'w.pth')
    sheets = []

    def sheet(tiles, columns, legend, whole=grad_cam_figure.contact_sheet):
        sheets.append((columns, [tile.caption for tile in tiles], legend))
        return whole(tiles, columns, legend=legend)

    monkeypatch.setattr(grad_cam_figure, 'contact_sheet', sheet)
    labeler = LabelInferencer(config, tmp_path / 'w.pth', 'cpu')
    out = draw_grad_cam(labeler, tmp_path / 'cam.png', 2, 3)
    assert Image.open(out).width > 1000
    ((columns, captions, legend),) = sheets
    assert columns == 6 and len(captions) == 12
    for row in (captions[:6], captions[6:]):
        assert row[0].endswith(': 2 crops')
        assert row[4].startswith('labels of the crop, ')
        assert row[5].startswith('labels of the image, ')
    assert {name for name, _ in legend} <= {'berry', 'leaf', 'pool', 'unknown'}


def test_other_models_are_refused(config, tmp_path):
    config.model = dict(type='mmwsis.RelationLabeler')
    with pytest.raises(TypeError, match='RelationLabeler has no maps of crops'):
        draw_grad_cam(LabelInferencer(config), tmp_path / 'cam.png')
