"""Tiny labelers and batches of object crops."""

import copy

import pytest
import torch
from mmengine.logging import MessageHub

from mmwsis.registry import MODELS
from mmwsis.structures import ObjectCropSample

SIDE, PATCH = 32, 8
ENCODER = dict(
    type='mmwsis.LabelerViT',
    img_size=SIDE,
    patch_size=PATCH,
    embed_dims=16,
    num_layers=2,
    num_heads=2,
)
NETWORK = dict(
    type='mmwsis.MaskLabelNetwork',
    encoder=ENCODER,
    mask_head=dict(type='mmwsis.ScaleAwareMaskHead', in_channels=16, feat_channels=8),
)
MAL = dict(
    type='mmwsis.MaskAutoLabeler',
    network=NETWORK,
    data_preprocessor=dict(type='mmwsis.ObjectCropPreprocessor'),
    loss_mil=dict(type='mmwsis.ProjectionMILLoss', loss_weight=4.0),
    loss_crf=dict(type='mmwsis.MeanFieldCRFLoss', loss_weight=0.5, num_iters=5),
)
EXITS = dict(
    MAL,
    type='mmwsis.ExitsLabeler',
    loss_mil=None,
    loss_point=dict(type='mmwsis.ExtremePointLoss', loss_weight=0.5, mil_weight=10.0),
    similarity_extractor=dict(
        type='mmwsis.SimilarityExtractor', encoder=ENCODER, layer=1
    ),
    retrieval=dict(delta=2, hops=3, tau_fg=1e-3, tau_bg=-1e-4, point_dropout=0.5),
)
# The variant: encoder and similarity from a backbone.
RESNET = dict(
    type='mmdet.ResNet',
    depth=18,
    num_stages=2,  # what lies behind the last level would learn nothing
    strides=(1, 2),
    dilations=(1, 1),
    out_indices=(0, 1),
    base_channels=8,
    stem_channels=8,
    norm_eval=True,
)
VARIANT = dict(
    EXITS,
    network=dict(
        NETWORK,
        encoder=dict(
            type='mmwsis.BackboneEncoder',
            backbone=RESNET,
            in_channels=(8, 16),
            embed_dims=16,
            patch_size=PATCH,
        ),
    ),
    similarity_extractor=dict(
        type='mmwsis.FeatureSimilarity', backbone=RESNET, patch_size=PATCH
    ),
)
CONFIGS = dict(variant=VARIANT, mal=MAL, exits=EXITS, warmup=dict(MAL, loss_crf=None))


@pytest.fixture
def config():
    return lambda name: copy.deepcopy(CONFIGS[name])


@pytest.fixture
def build(config):
    def build(name='exits', **kwargs):
        torch.manual_seed(0)
        model = MODELS.build({**config(name), **kwargs})
        model.init_weights()
        return model

    return build


@pytest.fixture(autouse=True)
def fresh_progress(monkeypatch):
    """No progress is left over from another test's runner."""
    hub = MessageHub('test_labelers')
    hub._runtime_info.clear()
    monkeypatch.setattr(MessageHub, 'get_current_instance', lambda: hub)
    return hub


def make_sample(index=0, area=400.0, flip=False):
    box_mask = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    box_mask[5:28, 4:27] = 1
    sample = ObjectCropSample(
        metainfo=dict(
            img_id=1,
            ann_id=100 + index,
            category_id=1,
            label=0,
            height=40,
            width=50,
            bbox=(14.0, 15.0, 37.0, 38.0),
            area=area,
            crop_box=(10, 10, 42, 42),
            crop_size=SIDE,
            flip=flip,
            iscrowd=0,
        )
    )
    sample.box_mask = box_mask
    points = [[25, 15], [14, 26], [24, 37], [36, 25]]
    sample.extreme_points = torch.tensor(points, dtype=torch.float64)
    return sample


@pytest.fixture
def batch():
    """A batch as the loader gives it: two views, or one for prediction."""

    def batch(views=('student', 'teacher'), areas=(400.0, 3000.0, 20000.0)):
        generator = torch.Generator().manual_seed(0)
        image = torch.full((3, SIDE, SIDE), 40, dtype=torch.uint8)
        image[:, 8:25, 8:25] = 200
        inputs = {
            view: [
                (image + torch.randint(0, 20, image.shape, generator=generator)).byte()
                for _ in areas
            ]
            for view in views
        }
        samples = [make_sample(i, area, i % 2 == 1) for i, area in enumerate(areas)]
        return dict(inputs=inputs, data_samples=samples)

    return batch
