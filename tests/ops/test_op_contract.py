"""What holds for every public operation, loss and head, tried on the table of cases."""

import ast
import inspect
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import mmwsis
from mmwsis import ops
from mmwsis.models import heads, losses

sys.path.insert(0, str(Path(__file__).parent))
from all_cases import CASES

PACKAGE = Path(mmwsis.__file__).parent
# The one kind of answer to arguments that cannot be meant.
REFUSAL = (ValueError, TypeError)
# Results, not operations.
TUPLES = {
    name
    for module in (ops, losses, heads)
    for name in module.__all__
    if hasattr(getattr(module, name), '_fields')
}
NO_OPERATIONS = TUPLES | {'BOX_TARGETS', 'CRF_PRESETS', 'NonFiniteSimilarityError'}
# Counts: what is no integer is refused. Infinite hops are a walk of their own.
HEAD_INPUTS = ('features', 'first', 'second', 'third')
# Any dimensions may stand before the last two, or before all.
ANY_SHAPE = {
    'enlarged_at',
    'stride4_labels',
    'unary_from_labels',
    'unary_from_probabilities',
}
ALLOWED = {
    ('propagation_scores', 'hops', math.inf),
    ('retrieve_points', 'hops', math.inf),
}


def used_functions():
    """Functions of single modules of ``mmwsis.ops`` that the package uses elsewhere."""
    for path in PACKAGE.rglob('*.py'):
        if path.parent.name == 'ops':
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = node.module.split('.')
                if parts[:2] == ['mmwsis', 'ops'] and parts[-1] != 'tensor_checks':
                    yield from ((node.module, alias.name) for alias in node.names)


def test_every_public_operation_is_in_the_table():
    public = {*ops.__all__, *losses.__all__, *heads.__all__}
    for module, name in used_functions():
        value = getattr(__import__(module, fromlist=[name]), name)
        if inspect.isfunction(value) and value.__name__ != 'check_settings':
            public.add(name)
    assert public - NO_OPERATIONS - set(CASES) == set()


def leaves(value):
    """Tensors, arrays and numbers of a result, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for entry in value for leaf in leaves(entry)]
    return [value]


def as_array(leaf):
    return leaf.detach().double().numpy() if isinstance(leaf, torch.Tensor) else leaf


def assert_same(found, expected, tolerance=1e-5):
    found, expected = leaves(found), leaves(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        if isinstance(one, (torch.Tensor, np.ndarray)):
            one, other = as_array(one), as_array(other)
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
        elif isinstance(one, float):
            assert one == pytest.approx(other, abs=tolerance)
        else:
            assert one == other


def is_finite(value):
    numbers = [
        leaf for leaf in leaves(value) if not isinstance(leaf, (str, type(None)))
    ]
    return all(np.isfinite(as_array(leaf)).all() for leaf in numbers if is_number(leaf))


def is_number(leaf):
    return isinstance(leaf, (torch.Tensor, np.ndarray, float, int))


def run(case, **changes):
    return case.op(**{**case.call(), **changes})


def arguments(kind):
    """``(case, argument)`` for every argument that ``kind`` accepts."""
    return [
        pytest.param(case, name, id=f'{title}-{name}')
        for title, case in CASES.items()
        for name, value in case.call().items()
        if kind(value)
    ]


def is_array(value):
    return isinstance(value, (torch.Tensor, np.ndarray))


def is_float(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def layouts(value):
    """The same numbers laid out in memory in other ways."""
    if isinstance(value, np.ndarray):
        yield np.asfortranarray(value)
        yield np.repeat(value, 2, -1)[..., ::2]
        return
    yield value.transpose(0, -1).contiguous().transpose(0, -1)
    yield torch.stack([value, value], -1)[..., 0]
    if value.is_floating_point():
        yield value.clone().requires_grad_()
    if value.ndim == 4:
        yield value.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('case, name', arguments(is_array))
def test_any_layout_gives_the_same(case, name):
    value, expected = case.call()[name], run(case)
    for other in layouts(value):
        assert_same(run(case, **{name: other}), expected)
        np.testing.assert_array_equal(as_array(other), as_array(value))


@pytest.mark.parametrize('case, name', arguments(is_array))
def test_expanded_tensors_are_taken(case, name):
    value = case.call()[name]
    if isinstance(value, np.ndarray):
        pytest.skip('NumPy arrays')
    expanded = value[:1].expand_as(value) if value.ndim else value
    assert_same(run(case, **{name: expanded}), run(case, **{name: expanded.clone()}))


@pytest.mark.parametrize('case, name', arguments(is_array))
def test_other_types_are_computed_in_full_precision_or_refused(case, name):
    value = case.call()[name]
    if name in HEAD_INPUTS and is_float(value):
        with pytest.raises(TypeError, match=r'expected floating-point numbers'):
            run(case, **{name: value.long()})
        return  # the weights, or autocast, say which precision
    if isinstance(value, np.ndarray):
        changed = [value.astype(t) for t in (bool, np.uint8, np.int32, np.float32)]
    elif value.is_floating_point():
        changed = [value.to(t) for t in (torch.float16, torch.bfloat16, torch.uint8)]
    else:
        changed = [value.to(t) for t in (torch.uint8, torch.int16, torch.int32)]
    for other in changed:
        plain = other.to(value.dtype) if is_float(value) else other
        try:
            found = run(case, **{name: other})
        except REFUSAL as error:
            assert name.split('_')[-1] in str(error) or 'label' in str(error)
            continue
        assert_same(
            found, run(case, **{name: plain}), 1e-2 if is_float(value) else 1e-5
        )


def test_double_precision_is_taken_everywhere():
    for title, case in CASES.items():
        call = case.call()
        if title in ('ScaleAwareMaskHead', 'ClassMapHead') or 'Head' in title:
            continue  # the weights say which precision
        double = {k: v.double() if is_float(v) else v for k, v in call.items()}
        assert is_finite(case.op(**double)), title


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('where', ['one', 'all'])
@pytest.mark.parametrize('case, name', arguments(is_array))
def test_nan_and_infinity_are_refused_or_seen_in_the_result(case, name, where, bad):
    value = case.call()[name]
    floating = (
        value.dtype.kind == 'f' if isinstance(value, np.ndarray) else is_float(value)
    )
    if not floating or name in case.mute:
        pytest.skip('cannot hold it, or not read')
    if math.isinf(bad) and name in ('features', 'first', 'second', 'third', 'values'):
        pytest.skip('networks cut off infinity, maxima take it')
    if bad == -math.inf and any(
        part in name for part in ('prob', 'target', 'box_mask')
    ):
        pytest.skip('the loss takes maxima, and no sigmoid gives it')
    if bad == -math.inf and 'ratio' in case.call() and name == 'logits':
        pytest.skip('a class of probability 0 in the cross-entropy')
    broken = value.clone() if isinstance(value, torch.Tensor) else value.copy()
    middle = (broken.numel() if is_float(broken) else broken.size) // 2
    broken.reshape(-1)[... if where == 'all' else middle] = bad
    try:
        found = run(case, **{name: broken})
    except REFUSAL:
        return
    assert not is_finite(found)


@pytest.mark.parametrize('title', [name for name, case in CASES.items() if case.empty])
def test_nothing_gives_an_empty_result(title):
    case = CASES[title]
    full, found = leaves(run(case)), leaves(run(case, **case.empty()))
    assert is_finite(found)
    if case.shapes is None:
        return
    tensors = [leaf if is_array(leaf) else None for leaf in found]
    assert [None if t is None else tuple(t.shape) for t in tensors] == case.shapes
    for one, other in zip(tensors, full):
        if one is not None and is_array(other):
            assert one.dtype == other.dtype


def scalars():
    for title, case in CASES.items():
        for name, value in case.parameters().items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield pytest.param(title, name, value, id=f'{title}-{name}')


@pytest.mark.parametrize('bad', [0, -1, 0.5, math.nan, math.inf, -math.inf, True, '1'])
@pytest.mark.parametrize('title, name, value', scalars())
def test_settings_out_of_range_are_named_or_mean_something(title, name, value, bad):
    case = CASES[title]
    if (title, name, bad) in ALLOWED:
        return
    integer = isinstance(value, int)
    try:
        found = run(case, **{name: bad})
    except REFUSAL as error:
        words = {name, 'bbox', 'row', 'background_threshold', 'instances.count', 'grid'}
        assert any(word in str(error) for word in words)
        assert str(bad) in str(error) or 'got' in str(error)
        return
    assert bad is not True and not isinstance(bad, str), 'neither a number'
    assert math.isfinite(bad), 'no finite number'
    assert not (integer and bad == 0.5), 'no integer'
    assert is_finite(found)


@pytest.mark.parametrize('title, name, value', scalars())
def test_numbers_of_numpy_and_tensors_are_numbers(title, name, value):
    case = CASES[title]
    expected = run(case)
    kind = np.int64 if isinstance(value, int) else np.float64
    for number in (
        kind(value),
        np.array(value),
        torch.tensor(value, dtype=torch.float64),
    ):
        if isinstance(value, int) and isinstance(number, torch.Tensor):
            number = number.long()
        found = run(case, **{name: number})
        if not title.endswith('Kernel'):
            assert_same(found, expected)


@pytest.mark.parametrize(
    'title, name',
    [
        (title, name)
        for title, case in CASES.items()
        for name, value in case.call().items()
        if isinstance(value, torch.Tensor)
        and (name not in case.mute or not name.startswith(('score', 'init')))
    ],
)
def test_what_is_no_tensor_or_of_another_shape_is_refused(title, name):
    case = CASES[title]
    value = case.call()[name]
    for other in (None, 'x', value[None, None], value.to(torch.complex64)):
        is_optional = name in (
            'target',
            'box_target',
            'mask',
            'amplitudes',
            'weight',
            'tags',
        )
        if (other is None and is_optional) or (
            title in ANY_SHAPE and other is not None and len(other) == 1
        ):
            continue
        with pytest.raises(REFUSAL):
            run(case, **{name: other})


# Whose tensors may be on two devices: what is small or for the CPU is moved, what is
# built first has no other to compare with.
MOVED = {
    'DenseCRF': ('image',),
    'PermutohedralLattice': ('lattice_features',),
    'crf_refine_labels': ('image', 'labels'),
    'crop_mask_patches': ('areas', 'crop_boxes'),
    'dense_crf': ('image', 'unary'),
    'extreme_points_to_cells': ('points', 'crop_boxes', 'flips'),
    'keep_allowed_labels': ('boxes',),
    'merge_crop_labels': ('crops', 'boxes'),
    'relation_labels': ('image',),
    'ScaleAwareMaskHead': ('features', 'areas'),
    'split_components': ('index', 'score', 'labels'),
    'synthesize_instances': ('labels',),
    'synthesize_semantics': ('labels',),
}


@pytest.mark.parametrize(
    'title, name',
    [
        (title, name)
        for title, case in CASES.items()
        for name, value in case.call().items()
        if sum(isinstance(entry, torch.Tensor) for entry in case.call().values()) > 1
        and isinstance(value, torch.Tensor)
        and name not in case.mute
        and name not in MOVED.get(title, ())
    ],
)
def test_tensors_on_two_devices_are_refused(title, name):
    case = CASES[title]
    with pytest.raises(REFUSAL, match='device'):
        run(case, **{name: case.call()[name].to('meta')})
