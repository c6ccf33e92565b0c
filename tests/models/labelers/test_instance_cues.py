"""Instance cues: peaks of a classifier's maps, up to the file that is trained on."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config

from mmwsis.formats.class_maps import ClassMapStore
from mmwsis.models.labelers import CAMClassifier
from mmwsis.pseudo_labels import GenerationOptions, generate_pseudo_labels
from mmwsis.registry import DATASETS, MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / 'pseudo_labels'))
from toy_scenes import draw_scenes

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / 'tests' / 'golden' / 'bestie'


class Recorded(torch.nn.Module):
    """What was recorded of an image and its mirror image."""

    def __init__(self, responses):
        super().__init__()
        self.responses = responses

    def forward(self, images):
        assert torch.equal(images[1], images[0].flip(-1))
        return (images,)

    def class_maps(self, features):
        return self.responses


def found_in(responses, tags, size, artifact=None, **test_cfg):
    any_part, extractor = dict(type='ReLU'), dict(type='mmwsis.FlippedCAM')
    model = CAMClassifier(any_part, any_part, extractor, test_cfg)
    model.backbone = model.head = Recorded(responses)
    model.artifact = artifact
    sample = DetDataSample(
        metainfo=dict(tags=tags, ori_shape=size, img_shape=(9, 9), img_id=1)
    )
    return model([[torch.rand(3, 9, 9)]], [sample], mode='predict')[0]


def rows(points):
    return [
        (*xy, label, score)
        for label, xy, score in zip(
            points.labels.tolist(), points.points.tolist(), points.scores.tolist()
        )
    ]


def one_per_plateau(cues):
    """One of the rows of a class with equal confidence within 7 pixels."""
    kept = []
    for x, y, label, score in sorted(cues):
        if not any(
            other[2] == label
            and np.hypot(other[0] - x, other[1] - y) < 7
            and abs(other[3] - score) <= 1e-3
            for other in kept
        ):
            kept.append((x, y, label, score))
    return kept


@pytest.mark.parametrize('name', ['cam_peaks_0', 'cam_peaks_1'])
def test_golden_cues_of_the_classifier(name):
    data = np.load(GOLDEN / f'{name}.npz')
    tags = np.flatnonzero(data['label']).tolist()
    found = found_in(
        torch.from_numpy(np.concatenate([data['raw'], data['raw_flip']])),
        tags,
        tuple(data['size_hw'].tolist()),
        kernel_size=int(data['kernel']),
        min_score=float(data['conf_thresh']),
        max_per_class=int(data['topk']),
    )
    maps = found.pred_class_maps
    assert maps.labels.tolist() == tags
    np.testing.assert_allclose(
        maps.high_res, data['cam_final'][0][tags], rtol=0, atol=1e-5
    )
    cues = one_per_plateau(rows(found.pred_points))
    expected = one_per_plateau(data['rows'].tolist())
    assert [cue[:3] for cue in cues] == [tuple(row[:3]) for row in expected]
    np.testing.assert_allclose(
        [cue[3] for cue in cues], [row[3] for row in expected], rtol=0, atol=1e-3
    )


def test_a_corner_is_a_plateau_of_several_cues_or_one():
    """The half cell at a border is constant, and so are the peaks in it."""
    responses = torch.zeros(2, 2, 8, 8)
    responses[0, 1, 0, 0] = responses[1, 1, 0, 7] = 4.0
    responses[0, 1, 4, 4] = responses[1, 1, 4, 3] = 3.0
    every = rows(found_in(responses, [1], (96, 96)).pred_points)
    one = rows(found_in(responses, [1], (96, 96), merge_plateaus=True).pred_points)
    assert len(every) > len(one) == 2
    assert {cue[2:] for cue in every} == {cue[2:] for cue in one}
    assert set(one) < set(every)
    # By class, decreasing score, and rows before columns.
    assert every == sorted(every, key=lambda cue: (-cue[3], cue[1], cue[0]))
    assert all(cue[3] == round(cue[3], 3) for cue in every)


def test_only_tags_have_cues_and_maps_alone_have_none():
    responses = torch.ones(2, 2, 8, 8)
    assert not len(found_in(responses, [], (20, 30)).pred_points.labels)
    assert not len(found_in(-responses, [0, 1], (20, 30)).pred_points.labels)
    assert set(found_in(responses, [1], (20, 30)).pred_points.labels.tolist()) == {1}
    assert len(found_in(responses, [1], (40, 60)).pred_points.labels) == 25
    assert 'pred_points' not in found_in(responses, [1], (20, 30), 'class_maps')
    with pytest.raises(ValueError, match='cannot make the artifact .instances'):
        found_in(responses, [1], (20, 30), 'instances')
    with pytest.raises(ValueError, match='one size, got 2 views'):
        view = torch.zeros(3, 8, 8)
        MODELS.build(dict(type='mmwsis.FlippedCAM'))(None, [view] * 2, None, (8, 8))


CONFIG = """
_base_ = {base!r}
model = dict(
    backbone=dict(base_channels=8, init_cfg=None),
    head=dict(num_classes=3, in_channels=32, feat_channels=8),
)
pseudo_label_dataloader = dict(
    batch_size=2, num_workers=0,
    dataset=dict(
        data_root={root!r}, ann_file='tags.json', data_prefix=dict(img='images/'),
        metainfo=dict(classes=('berry', 'leaf', 'pool')),
    ),
)
"""


def test_file_of_cues_is_read_like_clicks(tmp_path):
    draw_scenes(tmp_path, count=4)
    base = str(ROOT / 'configs/bestie/pam_r18_synthetic.py')
    path = tmp_path / 'pam.py'
    path.write_text(CONFIG.format(base=base, root=f'{tmp_path}/'))
    cfg = Config.fromfile(path)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    out = generate_pseudo_labels(cfg, tmp_path / 'epoch_1.pth', tmp_path / 'cues.json')
    content = json.loads(out.read_text())
    tags = {image['id']: image['tags'] for image in content['images']}
    assert content['info']['mmwsis']['method'] == 'BESTIE'
    assert content['annotations']
    for one in content['annotations']:
        assert one['category_id'] in tags[one['image_id']]
        assert 0.1 <= one['score'] == round(one['score'], 3)
    # The maps that they are the peaks of, by the same checkpoint.
    folder = generate_pseudo_labels(
        cfg,
        tmp_path / 'epoch_1.pth',
        tmp_path / 'maps',
        GenerationOptions(artifact='class_maps'),
    )
    store, label_of = ClassMapStore(folder), {11: 0, 30: 1, 4: 2}
    for one in content['annotations']:
        found, (x, y) = store.read(one['image_id']), map(int, one['point'])
        row = found.labels.tolist().index(label_of[one['category_id']])
        assert abs(found.maps['high_res'][row, y, x] - one['score']) < 2e-3
    bound = sorted(one['score'] for one in content['annotations'])[len(tags)]
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
                dict(type='mmwsis.LoadWeakAnnotations', score_thr=bound),
                dict(type='mmwsis.PackWeakInputs'),
            ],
        )
    )
    loaded = [one['data_samples'].gt_instances for one in dataset]
    above = [one for one in content['annotations'] if one['score'] > bound]
    assert sum(len(found.points) for found in loaded) == len(above)
    assert len(loaded) == len(tags)
