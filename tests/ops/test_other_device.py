"""Every operation computes where its tensors lie: on a device that is only claimed."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves, tree_map

sys.path.insert(0, str(Path(__file__).parent))
from all_cases import CASES
from case_tools import rand
from other_device import NAME, back, moved, other_device

from mmwsis.ops import dense_crf

# Their documentation promises results on the CPU, or NumPy arrays.
RESULTS_ON_CPU = {
    'crop_mask_patches',
    'split_components',
    'synthesize_instances',
    'synthesize_semantics',
}


def tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def graded(tree):
    """The tree with gradients for every floating-point tensor, and these tensors."""
    floats = [tensor for tensor in tensors(tree) if tensor.is_floating_point()]
    return [tensor.requires_grad_() for tensor in floats]


def results(op, call):
    """Results, and gradients of what has some."""
    inputs = graded(call)
    found = op(**call)
    ends = [tensor for tensor in tensors(found) if tensor.requires_grad]
    total = sum(tensor.square().sum() for tensor in ends)
    slopes = torch.autograd.grad(total, inputs, allow_unused=True) if ends else ()
    return found, [slope for slope in slopes if slope is not None]


@pytest.mark.parametrize(
    'title', [title for title, case in CASES.items() if tensors(case.call())]
)
def test_results_are_the_same_and_lie_where_the_tensors_do(title):
    case = CASES[title]
    expected, slopes = results(case.op, case.call())
    with other_device():
        found, found_slopes = results(case.op, moved(case.call()))
        if title not in RESULTS_ON_CPU:
            assert {tensor.device.type for tensor in tensors(found)} == {NAME}
    pairs = zip(
        tree_leaves((tree_map(back, found), list(map(back, found_slopes)))),
        tree_leaves((expected, slopes)),
        strict=True,
    )
    for one, other in pairs:
        if isinstance(one, torch.Tensor):
            one, other = one.detach(), other.detach()
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        elif other is not None:
            np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_lattice_is_the_same_to_the_last_vertex():
    """One vertex more or less moves the marginals of a CRF by percents."""
    y, x = torch.meshgrid(torch.arange(94.0), torch.arange(125.0), indexing='ij')
    image = torch.stack([x, y, x + y], 2)
    unary = rand(2, 94, 125).double()
    call = dict(unary=unary, image=image, kernels='irnet', num_iters=2)
    expected = dense_crf(**call)
    with other_device():
        found = dense_crf(**moved(call))
    torch.testing.assert_close(back(found), expected, rtol=0, atol=1e-12)


def test_the_other_device_refuses_what_a_gpu_refuses():
    here, there = torch.ones(2), moved(torch.ones(2))
    with other_device():
        with pytest.raises(RuntimeError, match='one device'):
            here + there
        with pytest.raises(RuntimeError, match='one device'):
            torch.stack([torch.zeros(2), there])
        with pytest.raises(TypeError, match='NumPy'):
            there.numpy()
        assert (there + 1).device.type == NAME
        assert (there + torch.tensor(1.0)).tolist() == [2, 2]
        assert there.cpu().numpy().tolist() == [1, 1]
        assert here.to(NAME).device.type == NAME
