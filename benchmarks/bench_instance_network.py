"""Time and memory of the instance sub-network beside those of the semantic network.

Forward and backward of WeakPanoptic (``configs/_base_/models/weak_panoptic_r101.py``,
PSPNet on ResNet-101) on a crop of the paper's 521x521 pixels: the semantic network with
its loss, and the instance sub-network with its own, alternately in one process. The
crop is made up, with the colour spectrum of photographs; detections are squares of 60
to 240 pixels. The instance sub-network builds the lattice of colours in every run, as
training does; that of positions is kept between crops. Memory is the peak of the
tensors that one call allocates.

Examples:
    OMP_NUM_THREADS=1 python benchmarks/bench_instance_network.py
    python benchmarks/bench_instance_network.py --device cuda --rounds 20
    python benchmarks/bench_instance_network.py --size 65 --depth 18 --rounds 1
"""

from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from photograph_like import photograph
from side_by_side import (
    alternate,
    announce,
    argument_parser,
    peak_tensor_mib,
    table_header,
    table_row,
)
from torch import nn

from mmwsis.registry import MODELS

CONFIG = Path(__file__).parents[1] / 'configs/_base_/models/weak_panoptic_r101.py'
THINGS, STUFF = 20, 1


def build(depth: int, device: str) -> nn.Module:
    """The network of the config, with random weights."""
    model = Config.fromfile(CONFIG).model
    model.backbone.init_cfg = None
    if depth != 101:
        model.backbone.update(type='ResNet', depth=depth, contract_dilation=None)
        model.backbone.pop('contract_dilation')
        model.decode_head.in_channels = 512
        model.auxiliary_head.in_channels = 256
    init_default_scope('mmdet')
    torch.manual_seed(0)
    network = MODELS.build(model)
    return network.to(device).train()


def training_sample(size: int, detections: int, device: str) -> DetDataSample:
    """A crop of squares, all of which were detected, on background."""
    rng = np.random.default_rng(0)
    sides = rng.integers(size // 9, size // 2, detections)
    corners = rng.integers(0, size - sides[:, None], (detections, 2))
    labels = rng.integers(0, THINGS, detections)
    semantic = np.full((size, size), THINGS, np.int64)
    numbers = np.ones((size, size), np.int32)
    for number, ((x, y), side, label) in enumerate(zip(corners, sides, labels)):
        semantic[y : y + side, x : x + side] = label
        numbers[y : y + side, x : x + side] = number + 2
    sample = DetDataSample(metainfo=dict(img_id=1, img_shape=(size, size)))
    sample.gt_sem_seg = PixelData(sem_seg=torch.from_numpy(semantic[None]))
    sample.gt_panoptic_seg = PixelData(instance_map=torch.from_numpy(numbers[None]))
    boxes = np.concatenate([corners, corners + sides[:, None]], 1)
    sample.detections = InstanceData(
        bboxes=torch.from_numpy(boxes).float(),
        labels=torch.from_numpy(labels),
        scores=torch.full((detections,), 0.9),
    )
    return sample.to(device)


class Steps:
    """What is timed: forward and backward of either part, on one crop."""

    def __init__(self, model: nn.Module, size: int, device: str) -> None:
        self.model, self.size, self.device = model, size, device
        picture = photograph(np.random.default_rng(0), size, size)
        pixels = torch.from_numpy(picture).permute(2, 0, 1).float().to(device)
        own = model.data_preprocessor
        self.image = (pixels - own.mean) / own.std
        with torch.no_grad():
            self.logits = model._forward(self.image[None])

    def semantic(self) -> None:
        """The semantic network and its losses."""
        head = self.model.instance_head
        self.model.instance_head = None
        sample = training_sample(self.size, 0, self.device)
        losses = self.model.loss(self.image[None], [sample])
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        self.model.instance_head = head
        self.model.zero_grad()

    def instances(self, detections: int) -> None:
        """From the semantic network's logits to their gradient."""
        logits = self.logits.clone().requires_grad_()
        enlarged = self.model._enlarged(logits, (self.size, self.size))[0]
        sample = training_sample(self.size, detections, self.device)
        self.model._instance_loss(self.image, enlarged, sample).backward()
        self.model.zero_grad()


def main() -> None:
    """Run the command line."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument('--device', default='cpu', help='such as cpu or cuda')
    parser.add_argument('--size', type=int, default=521, help='side of the crop')
    parser.add_argument('--depth', type=int, default=101, help='of the ResNet')
    args = parser.parse_args()
    announce(args.device, args.threads, args.rounds)
    steps = Steps(build(args.depth, args.device), args.size, args.device)
    head = steps.model.instance_head
    print(table_header('detections', 'recomputed', 'semantic', 'instances', 'ratio'))
    for recompute in (True, False):
        head.recompute = recompute
        steps.instances(20)
        times = alternate(
            steps.semantic, lambda: steps.instances(20), args.rounds, args.device
        )
        cells = f'{times.first:.1f} s', f'{times.second:.1f} s', str(times)
        print(table_row('20', 'yes' if recompute else 'no', *cells), flush=True)
    print('\n' + table_header('labels', 'recomputed', 'peak of the tensors'))
    for recompute in (True, False):
        head.recompute = recompute
        peak = peak_tensor_mib(lambda: steps.instances(30 - STUFF), args.device)
        print(table_row('30', 'yes' if recompute else 'no', f'{peak:.0f} MiB'))
    peak = peak_tensor_mib(steps.semantic, args.device)
    print(table_row('semantic network', '', f'{peak:.0f} MiB'))


if __name__ == '__main__':
    main()
