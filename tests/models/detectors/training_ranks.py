"""Trains every end-to-end detector for two steps on one rank's share of two images.

Called as ``python training_ranks.py FOLDER RANK WORLD_SIZE``; rank 0 writes the weights
to ``FOLDER/WORLD_SIZE.pth``. One rank alone adds up the gradients of its images.

What this does not show: synchronised batch norms, which the full-size BESTIE trains
with. The toys' backbones keep the statistics they start with (``norm_eval`` of
``mmdet.ResNet``): one rank that sees an image at a time has other statistics of the
batch than two ranks have together, and torch's SyncBatchNorm runs on GPUs alone. N of
BESTIE's losses is counted for each rank, as in the released code, here for each image.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel

sys.path.insert(0, str(Path(__file__).parent))
import bestie_toy
import weak_panoptic_toy
import wise_toy

STEPS = 2
NOTHING = torch.zeros(0, 2, dtype=torch.int64)


def noise(size, seed):
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(seed))


def wise_data():
    """An image with three objects, and one without any."""
    size = wise_toy.SIZE
    samples = [wise_toy.training_sample(), wise_toy.training_sample((), img_id=2)]
    return wise_toy.toy(), [noise(size, 0), noise(size, 1)], samples


def bestie_data():
    """A crop with a cue on each object, and one where nothing is labelled."""
    empty = bestie_toy.training_sample(
        *(torch.zeros(48, 64, dtype=torch.int64), NOTHING, NOTHING[:, 0]),
        *(torch.tensor([False, False]), False, 2),
    )
    images = [noise((48, 64), 0), noise((48, 64), 1)]
    return bestie_toy.toy(), images, [bestie_toy.two_squares(), empty]


def weak_panoptic_data():
    """Three objects all of which are detected, and one of them alone."""
    objects = weak_panoptic_toy.OBJECTS
    samples = [
        weak_panoptic_toy.training_sample(),
        weak_panoptic_toy.training_sample(objects[:1], img_id=2),
    ]
    images = [weak_panoptic_toy.image_of(seed=seed) for seed in (0, 1)]
    return weak_panoptic_toy.toy(), images, samples


DETECTORS = dict(WISE=wise_data, BESTIE=bestie_data, WeakPanoptic=weak_panoptic_data)


def train(detector, rank, world_size):
    """Weights after STEPS; the module is wrapped as MMEngine's runner does."""
    model, images, samples = DETECTORS[detector]()
    model.train()
    optimizer = torch.optim.SGD(
        [weight for weight in model.parameters() if weight.requires_grad], lr=0.01
    )
    wrapped = model
    if world_size > 1:
        wrapped = MMDistributedDataParallel(model, broadcast_buffers=False)
    share = range(len(images))[rank::world_size]
    for _ in range(STEPS):
        optimizer.zero_grad()
        for index in share:
            losses = wrapped(images[index][None], [samples[index]], mode='loss')
            loss, _ = model.parse_losses(losses)
            (loss / len(share)).backward()
        optimizer.step()
    return {name: weight.detach() for name, weight in model.named_parameters()}


def main(folder, rank, world_size):
    torch.set_num_threads(1)
    if world_size > 1:
        store = f'file://{folder}/store'
        dist.init_process_group('gloo', store, rank=rank, world_size=world_size)
    weights = {name: train(name, rank, world_size) for name in DETECTORS}
    if rank == 0:
        torch.save(weights, folder / f'{world_size}.pth')


if __name__ == '__main__':
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
