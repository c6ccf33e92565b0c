"""The classifier, and the class maps that are read from it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from torch.nn import functional as F

from mmwsis.models.heads import ClassMapHead
from mmwsis.models.labelers import MultiScaleCAM
from mmwsis.registry import MODELS

GOLDEN = Path(__file__).parents[2] / 'golden' / 'irnet'
PREPROCESSOR = dict(
    type='mmwsis.WholeImagePreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
)


def small_classifier(**backbone):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mmwsis.CAMClassifier',
            backbone=dict(
                type='mmdet.ResNet',
                depth=18,
                base_channels=8,
                strides=(1, 2, 2, 1),
                out_indices=(3,),
                style='pytorch',
                **backbone,
            ),
            head=dict(type='mmwsis.ClassMapHead', num_classes=4, in_channels=64),
            data_preprocessor=PREPROCESSOR,
        )
    )


def sample(tags, size):
    found = DetDataSample(
        metainfo=dict(tags=tags, ori_shape=size, img_shape=size, img_id=1)
    )
    found.gt_tags = torch.zeros(4)
    found.gt_tags[list(tags)] = 1
    return found


def views(size, scales=(1.0, 0.5), seed=0):
    generator = torch.Generator().manual_seed(seed)
    sides = [[max(1, round(side * scale)) for side in size] for scale in scales]
    return [torch.randint(0, 256, (3, *one), generator=generator) for one in sides]


class RecordedMaps:
    """A classifier that returns the golden responses, one size after the other."""

    def __init__(self, responses):
        self.head = SimpleNamespace(class_maps=lambda features: features)
        self.responses = iter(responses)

    def features(self, batch):
        assert torch.equal(batch[1], batch[0].flip(-1))
        return next(self.responses)


def test_golden_merge():
    golden = np.load(GOLDEN / 'cam_merge_a.npz')
    count = len(golden['scales'])
    classifier = RecordedMaps(
        torch.from_numpy(golden[f'logit_scale{i}']) for i in range(count)
    )
    found = MultiScaleCAM()(
        classifier,
        views(golden['size'].tolist(), golden['scales'].tolist()),
        torch.from_numpy(golden['keys']),
        tuple(golden['size'].tolist()),
    )
    assert found.labels.tolist() == golden['keys'].tolist()
    for name in ('cam', 'high_res'):
        assert found[name].shape == golden[name].shape
        np.testing.assert_allclose(found[name], golden[name], rtol=0, atol=1e-5)


def test_maps_follow_the_spec_written_out():
    """Written out with one loop a step, on the network itself."""
    model = small_classifier().eval()
    size = (37, 50)
    images = views(size, (1.0, 0.5, 1.5))
    inputs = model.data_preprocessor(dict(inputs=[[one] for one in images]))['inputs']
    with torch.no_grad():
        (got,) = model(inputs, [sample([1, 3], size)], mode='predict')
        cam, high_res = torch.zeros(4, 10, 13), torch.zeros(4, 48, 64)
        for (image,) in inputs:
            both = 0
            for mirrored in (False, True):
                seen = image.flip(-1) if mirrored else image
                maps = F.conv2d(
                    model.backbone(seen[None])[0], model.head.classifier.weight
                )
                maps = maps.clamp(min=0)
                both = both + (maps.flip(-1) if mirrored else maps)
            assert both.shape[-2:] == tuple(-(-side // 16) for side in image.shape[1:])
            cam += F.interpolate(both, (10, 13), mode='bilinear')[0]
            high_res += F.interpolate(both, (48, 64), mode='bilinear')[0]
    found = got.pred_class_maps
    assert found.labels.tolist() == [1, 3]
    for values, name in ((cam, 'cam'), (high_res[:, :37, :50], 'high_res')):
        values = values[[1, 3]]
        values = values / (values.flatten(1).max(1).values[:, None, None] + 1e-5)
        torch.testing.assert_close(found[name], values, rtol=0, atol=1e-6)
        assert found[name].min() >= 0 and found[name].max() < 1


@pytest.mark.parametrize('size', [(1, 1), (3, 70), (33, 16)])
def test_any_size_and_image_without_tags(size):
    model = small_classifier().eval()
    images = views(size, (1.0, 0.5))
    inputs = model.data_preprocessor(dict(inputs=[[one] for one in images]))['inputs']
    for tags in ([], [2]):
        with torch.no_grad():
            (got,) = model(inputs, [sample(tags, size)], mode='predict')
        found = got.pred_class_maps
        strided = [(side - 1) // 4 + 1 for side in size]
        assert found.labels.dtype == torch.int64 and found.labels.tolist() == tags
        assert found.cam.shape == (len(tags), *strided)
        assert found.high_res.shape == (len(tags), *size)
        assert found.cam.isfinite().all() and found.high_res.isfinite().all()


def test_tag_without_activation_stays_zero():
    model = small_classifier().eval()
    torch.nn.init.zeros_(model.head.classifier.weight)
    inputs = [torch.randn(1, 3, 20, 20)]
    with torch.no_grad():
        (got,) = model([list(inputs[0])[:1]], [sample([0], (20, 20))], mode='predict')
    assert (got.pred_class_maps.cam == 0).all()
    assert (got.pred_class_maps.high_res == 0).all()


def test_a_batch_gives_the_maps_of_its_images():
    model = small_classifier().eval()
    sizes = [(24, 40), (35, 18)]
    inputs = list(zip(*(views(size, seed=i) for i, size in enumerate(sizes))))
    data = dict(inputs=inputs, data_samples=[sample([1], size) for size in sizes])
    with torch.no_grad():
        together = model.test_step(data)
        for index, size in enumerate(sizes):
            alone = dict(
                inputs=[[images[index]] for images in inputs],
                data_samples=[sample([1], size)],
            )
            (single,) = model.test_step(alone)
            assert torch.equal(
                single.pred_class_maps.cam, together[index].pred_class_maps.cam
            )
    stacked = model.data_preprocessor(dict(inputs=list(inputs[0])))['inputs']
    with torch.no_grad():
        padded = model(stacked, [sample([1], size) for size in sizes], mode='predict')
        unpadded = model(
            [model.data_preprocessor(dict(inputs=[list(inputs[0])]))['inputs'][0]],
            [sample([1], size) for size in sizes],
            mode='predict',
        )
    for one, other in zip(padded, unpadded):
        assert torch.allclose(one.pred_class_maps.cam, other.pred_class_maps.cam)


def test_loss_is_the_multi_label_soft_margin():
    model = small_classifier().train()
    images = torch.randn(3, 3, 64, 64)
    samples = [sample(tags, (64, 64)) for tags in ([0, 2], [], [3])]
    losses = model(images, samples, mode='loss')
    logits = model(images, mode='tensor')
    tags = torch.stack([one.gt_tags for one in samples])
    expected = -(tags * F.logsigmoid(logits) + (1 - tags) * F.logsigmoid(-logits))
    assert losses['loss_tags'].item() == pytest.approx(expected.mean().item())
    losses['loss_tags'].backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    with pytest.raises(ValueError, match=r'gt_tags: expected shape \(3, 4\)'):
        model.head.loss(logits, tags[:, :2])
    with pytest.raises(ValueError, match="'loss', 'tensor' or 'predict'; got 'x'"):
        model(images, samples, mode='x')


def test_logits_are_the_mean_of_the_class_maps():
    head = ClassMapHead(num_classes=4, in_channels=6)
    features = torch.randn(2, 6, 5, 7)
    maps = head.class_maps(features)
    torch.testing.assert_close(head(features), maps.mean((2, 3)), rtol=0, atol=1e-6)
    assert sum(p.numel() for p in head.parameters()) == 24


def test_first_groups_stay_and_batch_norms_use_stored_statistics():
    """Spec section 1: stem, group 1 and 2 get no gradient; BN affine of 3, 4 trains."""
    model = small_classifier(frozen_stages=2, norm_eval=True).train()
    state = {k: v.clone() for k, v in model.state_dict().items() if 'running' in k}
    samples = [sample([1], (64, 64))] * 2
    model(torch.randn(2, 3, 64, 64), samples, mode='loss')['loss_tags'].backward()
    frozen = ('conv1', 'bn1', 'layer1', 'layer2')
    for name, value in model.backbone.named_parameters():
        assert value.requires_grad == (not name.startswith(frozen)), name
        assert (value.grad is not None) == value.requires_grad, name
    assert any('bn' in n and p.requires_grad for n, p in model.named_parameters())
    for key, value in state.items():
        assert torch.equal(model.state_dict()[key], value)
    features = model.features(torch.zeros(1, 3, 65, 100))
    assert features.shape == (1, 64, 5, 7)  # ceil of a sixteenth
