"""Points from tags: peaks of class maps, and what of the image they depend on."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from torch import nn
from torch.nn import functional as F

from mmwsis.models.labelers import PeakResponseClassifier
from mmwsis.models.labelers.peak_response_classifier import one_per_pixel
from mmwsis.ops import stimulation_peaks
from mmwsis.pseudo_labels import generate_pseudo_labels
from mmwsis.registry import DATASETS, MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / 'pseudo_labels'))
from toy_scenes import draw_scenes

ROOT = Path(__file__).parents[3]
CAM_PEAKS = dict(
    back_propagate=False,
    min_value=None,
    min_share=0.5,
    min_distance=16.0,
    keep_best=True,
)


def network(**test_cfg):
    torch.manual_seed(0)
    model = PeakResponseClassifier(
        backbone=dict(
            type='mmdet.ResNet',
            depth=18,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(1,),
            base_channels=8,
            stem_channels=8,
        ),
        head=dict(
            type='mmwsis.PeakStimulationHead',
            num_classes=4,
            in_channels=16,
            scale_factor=2,
        ),
        map_extractor=dict(type='mmwsis.FlippedCAM'),
        test_cfg=test_cfg,
    )
    nn.init.constant_(model.head.classifier.bias, 1.0)
    return model.eval()


def sample_of(tags, size, original=None):
    return DetDataSample(
        metainfo=dict(
            tags=tags, img_shape=size, ori_shape=original or size, img_id='an image'
        )
    )


def predicted(model, images, *samples):
    model.artifact = 'points'
    with torch.no_grad():
        return model(images, samples, mode='predict')


def rows(sample):
    found = sample.pred_points
    return list(zip(found.labels.tolist(), map(tuple, found.points.tolist())))


def test_points_are_where_the_gradient_of_a_peak_is_largest():
    """Written out: one plain backward pass for each peak, later peaks overwrite."""
    model = network(min_value=1.0)
    image = torch.rand(1, 3, 40, 56)
    (found,) = predicted(model, image, sample_of([0, 1, 3], (40, 56)))
    labels_of = {}
    peaks = stimulation_peaks(model.head.class_maps(model.features(image)))[0]
    for label, row, column in peaks.nonzero().tolist():
        leaf = image.clone().requires_grad_()
        maps = model.head.class_maps(model.features(leaf))
        if label == 2 or maps[0, label, row, column] <= 1:
            continue
        model.zero_grad()
        maps[0, label, row, column].backward()
        response = leaf.grad[0].sum(0).clamp(min=0)
        y, x = divmod(int(response.argmax()), 56)
        labels_of[x, y] = label
    assert len(labels_of) > 5
    assert sorted(rows(found)) == sorted((n, at) for at, n in labels_of.items())
    scores = found.pred_points.scores
    assert scores.min() > 0 and scores.max() == 1
    logits = model(image, mode='tensor')[0]
    torch.testing.assert_close(found.pred_tag_logits, logits)
    assert 'pred_class_maps' not in found
    model.artifact = None
    with torch.no_grad():
        (found,) = model(image, [sample_of([0, 3], (40, 56))], mode='predict')
    assert found.pred_class_maps.labels.tolist() == [0, 3]
    torch.testing.assert_close(found.pred_tag_logits, logits)


def test_a_resized_image_has_its_points_on_pixels_of_the_original():
    model, image = network(min_value=1.0), torch.rand(1, 3, 40, 56)
    (same,) = predicted(model, image, sample_of([1], (40, 56)))
    (small,) = predicted(model, image, sample_of([1], (40, 56), (20, 14)))
    points = small.pred_points.points
    assert points.dtype == torch.int64
    assert (points.amax(0) < torch.tensor([14, 20])).all() and points.amin() >= 0
    moved = {((x + 0.5) / 4 - 0.5, (y + 0.5) / 2 - 0.5) for _, (x, y) in rows(same)}
    for _, (x, y) in rows(small):
        assert any(abs(x - a) <= 0.5 and abs(y - b) <= 0.5 for a, b in moved)
    assert len(points.unique(dim=0)) == len(points)


@pytest.mark.parametrize('settings', [dict(min_value=1.0), CAM_PEAKS])
def test_a_batch_gives_the_points_of_its_images(settings):
    model = network(**settings)
    first, second = torch.rand(3, 40, 56), torch.rand(3, 33, 17)
    batch = torch.zeros(2, 3, 40, 56)
    batch[0], batch[1, :, :33, :17] = first, second
    samples = sample_of([1, 2], (40, 56)), sample_of([0], (33, 17))
    together = [rows(one) for one in predicted(model, batch, *samples)]
    apart = [
        rows(predicted(model, image[None], one)[0])
        for image, one in zip((first, second), samples)
    ]
    assert together == apart and all(apart)


class Recorded(nn.Module):
    """A head whose maps and logits were recorded."""

    def __init__(self, maps, logits):
        super().__init__()
        self.maps, self.logits = maps, logits

    def forward(self, features):
        return self.logits

    def class_maps(self, features):
        return self.maps


def cam_peaks(maps, tags, logits=None, size=None, **settings):
    any_part = dict(type='ReLU')
    model = PeakResponseClassifier(
        any_part, any_part, test_cfg=dict(CAM_PEAKS, **settings)
    )
    model.features = lambda images: images
    logits = torch.zeros(maps.shape[:2]) if logits is None else logits
    model.head = Recorded(maps, logits)
    size = size or tuple(maps.shape[2:])
    return predicted(model, torch.rand(1, 3, 8, 8), sample_of(tags, (8, 8), size))[0]


def test_cam_peaks_are_the_best_of_their_class_and_what_comes_near():
    maps = torch.zeros(1, 3, 40, 60)
    # Class 0: the second is too near to the first, the third just far enough, the
    # fourth too low.
    for (x, y), value in {(5, 5): 4, (20, 5): 3, (21, 15): 2, (50, 30): 1.9}.items():
        maps[0, 0, y, x] = value
    maps[0, 1] = -2.0  # a class that responds nowhere keeps its maximum
    maps[0, 1, 7, 9] = -1.0
    maps[0, 2, 3, 3] = 9.0
    found = cam_peaks(maps, [0, 1])
    assert rows(found) == [(0, (5, 5)), (0, (21, 15)), (1, (9, 7))]
    assert found.pred_points.scores.tolist() == [1, 0.5, 1]
    by_logit = cam_peaks(
        maps, [0, 1], torch.tensor([[0.0, -1, 2]]), classes='predicted'
    )
    assert {label for label, _ in rows(by_logit)} == {0, 2}
    flat = cam_peaks(torch.ones(1, 1, 5, 4), [0])
    assert rows(flat) == [(0, (0, 0))]
    assert not rows(cam_peaks(maps, []))


def test_one_point_stays_on_a_pixel():
    points = torch.tensor([[1, 1], [2, 2], [1, 1], [1, 1], [3, 3]])
    kept = one_per_pixel(torch.tensor([0, 0, 1, 1, 2]), points)
    assert kept.tolist() == [1, 2, 4]


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match=r"classes must be one of .*, got 'all'"):
        network(classes='all')
    with pytest.raises(ValueError, match='takes an image at one size, got 2 views'):
        network().find_points([torch.rand(3, 8, 8)] * 2, SimpleNamespace())
    model = network()
    nn.init.constant_(model.head.classifier.weight, torch.nan)
    with pytest.raises(ValueError, match=r"image id 'an image': class maps: expected"):
        predicted(model, torch.rand(1, 3, 32, 32), sample_of([0], (32, 32)))


def test_training_learns_at_peaks():
    model = network().train()
    image, sample = torch.rand(1, 3, 40, 56), sample_of([1], (40, 56))
    sample.gt_tags = F.one_hot(torch.tensor(1), 4).float()
    model(image, [sample], mode='loss')['loss_tags'].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


CONFIG = """
_base_ = {base!r}
model = dict(
    backbone=dict(base_channels=8, init_cfg=None),
    head=dict(num_classes=3, in_channels=32),
)
pseudo_label_dataloader = dict(
    batch_size=2, num_workers=0,
    dataset=dict(
        data_root={root!r}, ann_file='tags.json', data_prefix=dict(img='images/'),
        metainfo=dict(classes=('berry', 'leaf', 'pool')),
    ),
)
"""


def test_file_of_points_is_read_like_clicks(tmp_path):
    draw_scenes(tmp_path, count=4)
    base = str(ROOT / 'configs/wise/prm_r18_synthetic.py')
    path = tmp_path / 'prm.py'
    path.write_text(CONFIG.format(base=base, root=f'{tmp_path}/'))
    cfg = Config.fromfile(path)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    out = generate_pseudo_labels(
        cfg, tmp_path / 'epoch_1.pth', tmp_path / 'points.json'
    )
    content = json.loads(out.read_text())
    assert content['info']['mmwsis']['method'] == 'WISE'
    found = {(one['image_id'], one['category_id']) for one in content['annotations']}
    # keep_best: every class of every image has a point at least.
    assert found == {
        (one['id'], tag) for one in content['images'] for tag in one['tags']
    }
    dataset = DATASETS.build(
        dict(
            type='mmwsis.CocoWeakDataset',
            supervision='points',
            ann_file=str(out),
            data_prefix=dict(img=f'{tmp_path}/images/'),
            metainfo=dict(classes=('berry', 'leaf', 'pool')),
            filter_cfg=None,
            pipeline=[
                dict(type='mmwsis.LoadCachedImage'),
                dict(type='mmwsis.LoadWeakAnnotations'),
                dict(type='mmwsis.PackWeakInputs'),
            ],
        )
    )
    loaded = [one['data_samples'].gt_instances for one in dataset]
    assert sum(len(one.points) for one in loaded) == len(content['annotations'])
