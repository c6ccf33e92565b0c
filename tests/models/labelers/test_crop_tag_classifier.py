"""Grad-CAM, and the label maps of crops with tags."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from torch import nn
from torch.nn import functional as F

from mmwsis.models.labelers import CAMClassifier, GradCAM
from mmwsis.ops import crop_grid, gradcam_label_map, merge_crop_labels
from mmwsis.registry import MODELS


def classifier(**changes):
    torch.manual_seed(0)
    config = dict(
        type='mmwsis.CropTagClassifier',
        backbone=dict(
            type='mmdet.ResNet',
            depth=18,
            base_channels=8,
            stem_channels=8,
            strides=(1, 2, 2, 1),
            out_indices=(3,),
        ),
        head=dict(type='mmwsis.ClassMapHead', num_classes=4, in_channels=64, bias=True),
    )
    return MODELS.build({**config, **changes})


def sample(size=(64, 96), shape=None, crop=(64, 64), tags=((0, 2), (1,))):
    tags = dict(size=crop, tags=[list(own) for own in tags])
    return DetDataSample(
        metainfo=dict(
            img_id=3, ori_shape=size, img_shape=shape or size, crop_tags=tags, tags=[0]
        )
    )


def test_grad_cam_of_mean_pooling_is_the_rectified_class_map():
    model = classifier().eval()
    view, labels = torch.randn(3, 64, 80), torch.tensor([0, 1, 3])
    with torch.no_grad():
        found = GradCAM()(model, [view], labels, (100, 120))
        features = model.features(view[None])
        maps = (
            model.head.class_maps(features)[0]
            - model.head.classifier.bias[:, None, None]
        )
        heat = F.interpolate(
            maps[None, labels].relu(), (100, 120), mode='bilinear', align_corners=False
        )[0]
        heat = heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-30)
        np.testing.assert_allclose(found.high_res, heat, rtol=0, atol=1e-5)
        np.testing.assert_allclose(found.tag_logits, model.head(features)[0], atol=1e-6)
    assert not found.high_res.requires_grad and not found.tag_logits.requires_grad
    assert all(weight.grad is None for weight in model.parameters())


def test_grad_cam_needs_logits_alone():
    """Of a head with a hidden layer, by numerical differences."""
    torch.manual_seed(0)
    hidden, last = nn.Linear(2, 5).double(), nn.Linear(5, 3).double()
    head = lambda x: last(torch.tanh(hidden(x.square().mean((2, 3)))))  # noqa: E731
    features = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    model = SimpleNamespace(features=lambda image: features, head=head)
    found = GradCAM()(model, [torch.zeros(3, 3, 4)], torch.tensor([2]), (3, 4))
    gradient = torch.zeros_like(features[0])
    for index in np.ndindex(2, 3, 4):
        moved = features.clone()
        moved[0][index] += 1e-6
        gradient[index] = (head(moved) - head(features))[0, 2] / 1e-6
    heat = (gradient.mean((1, 2))[:, None, None] * features[0]).sum(0).relu()
    np.testing.assert_allclose(
        found.high_res[0], (heat / heat.max()).detach(), rtol=0, atol=1e-4
    )


def test_grad_cam_takes_one_view_and_no_class():
    model = classifier().eval()
    found = GradCAM()(model, [torch.rand(3, 64, 64)], torch.tensor([]).long(), (32, 40))
    assert found.high_res.shape == (0, 32, 40) and found.tag_logits.shape == (4,)
    with pytest.raises(ValueError, match='takes an image at one size, got 2 views'):
        GradCAM()(model, [torch.rand(3, 64, 64)] * 2, torch.tensor([0]), (64, 64))


def test_grad_cam_in_the_classifier_of_whole_images():
    model = classifier(
        type='mmwsis.CAMClassifier', map_extractor=dict(type='mmwsis.GradCAM')
    ).eval()
    assert isinstance(model, CAMClassifier)
    whole = sample()
    with torch.no_grad():
        model([[torch.rand(3, 64, 96)]], [whole], mode='predict')
    assert whole.pred_class_maps.high_res.shape == (1, 64, 96)


@pytest.mark.parametrize('shape', [(64, 96), (128, 192)])
def test_crops_join_to_a_label_map(shape):
    model = classifier(test_cfg=dict(threshold=0.3)).eval()
    image, labelled = torch.randn(1, 3, *shape), sample(shape=shape)
    with torch.no_grad():
        model(image, [labelled], mode='predict')
    factor, expected, logits = shape[0] // 64, [], []
    boxes = crop_grid((64, 96), (64, 64))
    for (x1, _, x2, _), tags in zip((boxes * factor).tolist(), ([0, 2], [1])):
        with torch.no_grad():
            found = model.map_extractor(
                model, [image[0, :, :, x1:x2]], torch.tensor(tags), (64, 64)
            )
        expected.append(gradcam_label_map(found.high_res, found.labels, 0.3))
        logits.append(found.tag_logits)
    merged = merge_crop_labels(torch.stack(expected), boxes, (64, 96))
    assert labelled.pred_sem_seg.sem_seg.dtype == torch.uint8
    np.testing.assert_array_equal(labelled.pred_sem_seg.sem_seg[0], merged)
    # Nothing is agreed on where the tags have nothing in common.
    assert (merged[:, 32:64] == 255).all()
    assert set(merged[:, :32].unique().tolist()) <= {0, 2, 255}
    np.testing.assert_allclose(
        labelled.pred_tag_logits, torch.stack(logits).amax(0), atol=1e-6
    )


def test_training_reaches_every_parameter():
    model = classifier()
    crops = [sample(), sample()]
    for crop in crops:
        crop.gt_tags = torch.tensor([1.0, 0, 1, 0])
    model(torch.rand(2, 3, 64, 64), crops, mode='loss')['loss_tags'].backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_what_is_missing_is_refused():
    model, lacking = classifier().eval(), sample()
    lacking.set_metainfo(dict(crop_tags=None))
    with pytest.raises(
        ValueError, match=r'image id 3 has no crop_tags; mmwsis.CropTags'
    ):
        model(torch.rand(1, 3, 64, 96), [lacking], mode='predict')
    with pytest.raises(ValueError, match="cannot make the artifact 'class_maps'"):
        model.artifact = 'class_maps'


@pytest.mark.parametrize(
    'crop_tags, message',
    [
        (
            dict(size=(65, 64), tags=[[0], [1]]),
            'image id 3: crop_tags: crop_size: expected at most the size of the image, '
            '(64, 96), got (65, 64).',
        ),
        (
            dict(size=(64, 64), tags=[[0]]),
            'image id 3: crop_tags: expected 2 lists of labels, one for each crop of '
            '(64, 64) (height, width), got 1.',
        ),
    ],
)
def test_crops_that_do_not_fit_name_the_image(crop_tags, message):
    model, odd = classifier().eval(), sample()
    odd.set_metainfo(dict(crop_tags=crop_tags))
    with pytest.raises(ValueError) as caught:
        model(torch.rand(1, 3, 64, 96), [odd], mode='predict')
    assert str(caught.value) == message
