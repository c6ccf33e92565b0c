"""Tensors that claim to lie on another device: what a GPU would refuse, seen without.

A tensor of ``moved`` reports the device 'meta' and computes on the CPU, as long as
``OtherDevice`` is entered. As on a GPU, it cannot be mixed with tensors of the CPU
(other than single numbers, copies and indices) nor become a NumPy array, and the last
bit of a quotient is CUDA's.
"""

from contextlib import contextmanager, nullcontext
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

NAME = 'meta'
aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default)
# CUDA multiplies by the reciprocal of a number, which may differ in the last bit.
QUOTIENTS = {
    aten.div.Tensor: aten.mul.Tensor,
    aten.div.Scalar: aten.mul.Scalar,
    aten.div_.Tensor: aten.mul_.Tensor,
    aten.div_.Scalar: aten.mul_.Scalar,
}
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)


class _There(torch.Tensor):
    @staticmethod
    def __new__(cls, inner):
        dense = inner.layout == torch.strided
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride() if dense else None,
            storage_offset=inner.storage_offset() if dense else None,
            dtype=inner.dtype,
            device=NAME,
        )

    def __init__(self, inner):
        self.inner = inner

    def __repr__(self):
        return f'there({self.inner})'

    def tolist(self):
        return self.inner.tolist()

    def new_tensor(self, data, dtype=None):
        return torch.tensor(data, dtype=dtype or self.dtype, device=self.device)

    def __getitem__(self, index):
        index = torch.tensor(index) if isinstance(index, list) else index
        return super().__getitem__(index)

    def numpy(self):
        raise TypeError('NumPy takes no tensor of another device')

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f'{func}: used outside OtherDevice')


class OtherDevice(TorchDispatchMode):
    """Run what names the device 'meta', or reads tensors that lie there, there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [x for x in tree_flatten((args, kwargs))[0] if torch.is_tensor(x)]
        there = [x for x in tensors if isinstance(x, _There)]
        here = [x for x in tensors if not isinstance(x, _There) and x.ndim]
        if func in INDEXING and isinstance(args[0], _There):
            here = []
        if there and here and func not in COPIES:
            raise RuntimeError(
                f'{func}: expected all tensors on one device; of the CPU: '
                f'{[tuple(x.shape) for x in here]}'
            )
        if func in QUOTIENTS and not isinstance(args[1], _There):
            func, args = QUOTIENTS[func], (args[0], 1 / args[1])
        stays = bool(there)
        if func is aten.copy_.default:
            stays = isinstance(args[0], _There)
        if kwargs.get('device') is not None:
            stays = torch.device(kwargs['device']).type == NAME
            kwargs['device'] = 'cpu' if stays else kwargs['device']
        plain = lambda tree: tree_map_only(_There, lambda x: x.inner, tree)  # noqa: E731
        found = func(*plain(args), **plain(kwargs))
        if not stays:
            return found
        known = {id(x.inner): x for x in there}
        return tree_map_only(
            torch.Tensor, lambda x: known[id(x)] if id(x) in known else _There(x), found
        )


@contextmanager
def other_device():
    """Let tensors of ``moved`` compute.

    'meta' knows no autocast, which is off here, and ``torch.tensor`` loses the numbers.
    """
    tensor = torch.tensor

    def filled(data, *, device=None, **more):
        return tensor(data, **more).to(device or 'cpu')

    with (
        OtherDevice(),
        mock.patch('torch.autocast', lambda *_, **__: nullcontext()),
        mock.patch('torch.tensor', filled),
    ):
        yield


def moved(value):
    """A copy of all tensors of a value that lies on the other device."""
    return tree_map_only(torch.Tensor, lambda x: _There(x.detach().clone()), value)


def back(value):
    """The numbers of a tensor of either device."""
    return value.inner if isinstance(value, _There) else value
