"""Full-size training steps and label generation, for ``gpu_check.py``."""

import copy
import statistics
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from bench_instance_ops import objects
from bench_irnet_ops import Scene, scene
from bench_labeler_step import build, training_batch, without_checkpoints
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData, PixelData
from photograph_like import CLASSES, write_photographs
from side_by_side import seconds, table_header, table_row
from torch import Tensor, nn

from mmwsis.ops import center_targets
from mmwsis.registry import DATASETS, MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
VOC_SIZE = (375, 500)
# Parts of torch's and mmcv's messages where operators for CUDA are not built in.
NO_CUDA_OPERATORS = ('not compiled with', 'implementation for device cuda')


class Timed:
    """A call of a model to time, and the number of samples of it."""

    def __init__(self, model: nn.Module, call: Callable[[], Any], size: int) -> None:
        self.model, self.call, self.size = model, call, size

    def measure(self, device: str) -> tuple[float, str]:
        """Median seconds of five calls after two, and the peak of allocated GiB."""
        if device == 'cpu':
            self.call()
            return seconds(self.call), '–'
        for _ in range(2):
            self.call()
        torch.cuda.reset_peak_memory_stats()
        times = [seconds(self.call, device) for _ in range(5)]
        peak = torch.cuda.max_memory_allocated() / 2**30
        return statistics.median(times), f'{peak:.1f}'


def config(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def built(cfg: Config, device: str) -> nn.Module:
    """The model with random weights."""
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(without_checkpoints(cfg.model.to_dict())))
    model.init_weights()
    return model.to(device)


def step(cfg: Config, data: dict, device: str, amp: bool) -> Timed:
    """A training iteration; with the mean teacher's, if the config has one."""
    size = len(data['data_samples'])
    hooks = [hook.type for hook in cfg.get('custom_hooks', ())]
    if 'mmdet.MeanTeacherHook' in hooks:
        trainee = build(cfg, data, device, amp)
        return Timed(trainee.model, trainee.step, size)
    model = built(cfg, device).train()
    wrapper_cfg = copy.deepcopy(cfg.optim_wrapper)
    wrapper_cfg.type = 'AmpOptimWrapper' if amp else 'OptimWrapper'
    wrapper = build_optim_wrapper(model, wrapper_cfg)
    return Timed(model, lambda: model.train_step(copy.deepcopy(data), wrapper), size)


def crops(cfg: Config, tiny: bool) -> dict:
    """Crops from the config's own training pipeline on made-up photographs."""
    with tempfile.TemporaryDirectory() as folder:
        size = 2 if tiny else cfg.train_dataloader.batch_size
        return training_batch(cfg, Path(folder), size)


def unlabelled(cfg: Config, tiny: bool) -> dict:
    """Crops of noise, for the masked autoencoder."""
    side = cfg.model.encoder.img_size[0]
    batch = cfg.train_dataloader.batch_size
    images = torch.randint(0, 256, (2 if tiny else batch, 3, side, side)).byte()
    return dict(inputs=dict(image=list(images)), data_samples=[None] * len(images))


def tagged_crops(cfg: Config, tiny: bool) -> dict:
    """Random crops with tags and affinity labels, for the classifier and IRNet."""
    from mmdet.structures import DetDataSample

    size = 2 if tiny else cfg.train_dataloader.batch_size
    side = 128 if tiny else 512
    classes = len(cfg.train_dataloader.dataset.metainfo.classes)
    inputs, samples = [], []
    for index in range(size):
        maps = scene(side, side, 8, 1, index)
        sample = DetDataSample(metainfo=dict(img_id=index, ori_shape=(side, side)))
        sample.gt_sem_seg = PixelData(sem_seg=torch.from_numpy(maps.objects)[None])
        sample.set_field((torch.rand(classes) > 0.8).float(), 'gt_tags')
        inputs.append(torch.randint(0, 256, (3, side, side), dtype=torch.uint8))
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def guided_crops(cfg: Config, tiny: bool) -> dict:
    """Crops with semantic maps of 14 ellipses, tags and targets, for BESTIE."""
    from mmdet.structures import DetDataSample

    size = 2 if tiny else cfg.train_dataloader.batch_size
    side = 96 if tiny else 416
    _, found = objects((side, side))
    labels, points = found.classes - 1, found.centroids.long()
    maps = F.pad(found.classes, (1, 0))[found.labels.long()]
    tags = torch.zeros(cfg.model.num_classes).index_fill_(0, labels, 1)
    targets = center_targets(maps, points, labels, tags > 0)
    sample = DetDataSample(metainfo=dict(img_id=0, img_shape=(side, side)))
    sample.gt_sem_seg = PixelData(sem_seg=maps[None])
    sample.gt_center_targets = PixelData(**targets._asdict())
    sample.set_field(tags, 'gt_tags')
    inputs = [torch.randint(0, 256, (3, side, side)).byte() for _ in range(size)]
    return dict(inputs=inputs, data_samples=[copy.deepcopy(sample) for _ in inputs])


def detection(cfg: Config, tiny: bool) -> dict:
    """Images of 1333x800 with seven objects."""
    from mmdet.testing import demo_mm_inputs

    size = 1 if tiny else cfg.train_dataloader.batch_size
    shape = (3, 128, 160) if tiny else (3, 800, 1333)
    return demo_mm_inputs(
        size,
        image_shapes=[shape] * size,
        num_items=[7] * size,
        num_classes=6,
        with_mask=True,
    )


def mae_config(tiny: bool) -> Config:
    """The small pretrainer, or MAE's own sizes: the encoder of EXITS' labeler."""
    cfg = config('exits/mae_vit-tiny_synthetic.py')
    if not tiny:
        large = config('exits/similarity-extractor_vit-b_coco.py').model
        cfg.model = dict(
            type='mmwsis.MAEPretrainer',
            data_preprocessor=large.data_preprocessor,
            encoder=large.network.encoder,
        )
    return cfg


def trained(tiny: bool) -> Iterator[tuple[str, Config, Callable[[Config, bool], dict]]]:
    """Name, config and batch of everything that trains."""
    vit, data = ('vit-tiny', 'synthetic') if tiny else ('vit-b', 'coco')
    name = 'ViT-tiny' if tiny else 'ViT-B'
    for method in ('exits', 'mal'):
        cfg = config(f'{method}/labeler_{vit}_{data}.py')
        yield f'{method.upper()}, {name}', cfg, crops
    small = 'exits/labeler_efficientnet-lite0_small.py'
    if (CONFIGS / small).exists():
        yield 'EXITS, EfficientNet-Lite0', config(small), crops
    cfg = config(f'exits/similarity-extractor_{vit}_{data}.py')
    yield f'similarity extractor, {name}', cfg, crops
    yield f'MAE pretrainer, {name}', mae_config(tiny), unlabelled
    yield 'IRNet classifier, R-50', config('irnet/cam_r50_voc.py'), tagged_crops
    yield 'IRNet, R-50', config('irnet/irnet_r50_voc.py'), tagged_crops
    cfg = config('bestie/pam_vgg16_voc.py')
    yield 'BESTIE classifier, VGG16', cfg, tagged_crops
    network, name = ('r18_synthetic', 'R-18') if tiny else ('hrnet-w48_voc', 'HRNet-48')
    yield f'BESTIE, {name}', config(f'bestie/bestie_{network}.py'), guided_crops
    depth, name = ('r18_synthetic', 'R-18') if tiny else ('r50', 'R-50')
    yield f'SOLOv2, {name}', config(f'final_models/solov2_{depth}.py'), detection
    yield f'Mask R-CNN, {name}', config(f'final_models/mask-rcnn_{depth}.py'), detection


def training_steps(device: str, tiny: bool) -> Iterator[str]:
    """Rows: seconds and memory of a training step."""
    if device != 'cpu' and replace_missing_focal_loss():
        yield "(mmcv has no CUDA operators: SOLOv2 with MMDetection's plain loss)\n"
    yield table_header('training step', 'batch', 'precision', 's', 'peak, GiB')
    failed = []
    for name, cfg, make in trained(tiny):
        data = None
        for amp in (False,) if device == 'cpu' else (False, True):
            kind = 'mixed' if amp else 'float32'
            try:
                data = data or make(cfg, tiny)
                timed = step(cfg, data, device, amp)
                spent, peak = timed.measure(device)
                if not all(p.isfinite().all() for p in timed.model.parameters()):
                    raise FloatingPointError('weights are no longer finite')
                yield table_row(name, str(timed.size), kind, f'{spent:.3f}', peak)
            except Exception as error:
                missing = name.startswith('Mask R-CNN') and any(
                    part in str(error) for part in NO_CUDA_OPERATORS
                )
                reason = 'skipped: mmcv has no CUDA operators' if missing else 'failed'
                if not missing:
                    traceback.print_exc()
                    failed.append(f'{name}, {kind}: {error}')
                yield table_row(name, '', kind, reason, '')
            timed = None
            release(device)
    if failed:
        raise AssertionError('; '.join(failed))


def release(device: str) -> None:
    if device != 'cpu':
        torch.cuda.empty_cache()


def replace_missing_focal_loss() -> bool:
    """Without mmcv's CUDA operators take MMDetection's plain focal loss."""
    from mmdet.models.losses import focal_loss as module

    def plain(pred: Tensor, target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        classes = pred.size(1)
        hot = nn.functional.one_hot(target, classes + 1)[:, :classes]
        return module.py_sigmoid_focal_loss(pred, hot, *args, **kwargs)

    try:
        probe = torch.zeros(1, 2, device='cuda')
        module.sigmoid_focal_loss(probe, torch.zeros(1, dtype=torch.long).cuda())
    except RuntimeError:
        module.sigmoid_focal_loss = plain
        return True
    return False


def object_masks(device: str, tiny: bool) -> Timed:
    """EXITS' labeler on a batch of crops: network, pasted masks, run-length codes."""
    name = 'vit-tiny_synthetic' if tiny else 'vit-b_coco'
    cfg = config(f'exits/labeler_{name}.py')
    loader = cfg.pseudo_label_dataloader
    with tempfile.TemporaryDirectory() as folder:
        ann_file = write_photographs(Path(folder), loader.batch_size)
        dataset_cfg = copy.deepcopy(loader.dataset)
        dataset_cfg.update(
            data_root=f'{folder}/', ann_file=ann_file.name, data_prefix=dict(img='')
        )
        dataset_cfg.metainfo = dict(classes=CLASSES)
        dataset = DATASETS.build(dataset_cfg)
        places = range(0, len(dataset), len(dataset) // loader.batch_size)
        data = pseudo_collate([dataset[index] for index in places])
    model = built(cfg, device).eval()
    size = len(data['data_samples'])
    return Timed(model, lambda: model.test_step(copy.deepcopy(data)), size)


def photograph_sample(maps: Scene, size: tuple[int, int]) -> Any:
    """What IRNet's stages know of an image with two classes."""
    from mmdet.structures import DetDataSample

    info = dict(img_id=1, img_shape=size, ori_shape=size, tags=[3, 7])
    sample = DetDataSample(metainfo=info)
    labels = torch.tensor(info['tags'])
    sample.class_maps = InstanceData(labels=labels, cam=maps.cams)
    return sample


def class_maps(device: str, tiny: bool) -> Timed:
    """IRNet's classifier on one photograph: four scales, mirrored, two classes."""
    cfg = config('irnet/cam_r50_voc.py')
    height, width = (64, 96) if tiny else VOC_SIZE
    scales = cfg.pseudo_label_dataloader.dataset.pipeline[1].scales
    sides = [(round(height * scale), round(width * scale)) for scale in scales]
    views = [[torch.randint(0, 256, (3, *side)).byte()] for side in sides]
    sample = photograph_sample(scene(4, 4, 1, 2, 0), (height, width))
    model = built(cfg, device).eval()
    data = dict(inputs=views, data_samples=[sample])
    return Timed(model, lambda: model.test_step(copy.deepcopy(data)), 1)


def instances(device: str, tiny: bool) -> Timed:
    """IRNet on one photograph: network, instances of a made-up scene, masks."""
    cfg = config('irnet/irnet_r50_voc.py')
    size = (64, 96) if tiny else VOC_SIZE
    if tiny:
        cfg.model.test_cfg.min_size = 64
    maps = scene(-(-size[0] // 4), -(-size[1] // 4), 6, 2, 0)
    model = built(cfg, device).eval()
    network = model.relations
    edge, displacement = maps.edge.to(device), maps.displacement.to(device)

    def relations(image: Tensor) -> tuple[Tensor, Tensor]:
        network(image)  # of random weights: its maps would be noise
        return edge, displacement

    model.relations = relations
    image = torch.randint(0, 256, (3, *size)).byte()
    data = dict(inputs=[image], data_samples=[photograph_sample(maps, size)])
    return Timed(model, lambda: model.test_step(copy.deepcopy(data)), 1)


GENERATED = {
    'EXITS: object masks': object_masks,
    'IRNet classifier: class maps': class_maps,
    'IRNet: instances': instances,
}


def generation(device: str, tiny: bool) -> Iterator[str]:
    """Rows: objects or images per second, without reading of files."""
    yield table_header(
        'label generation', 'batch', 'precision', 'per second', 'peak, GiB'
    )
    failed = []
    for name, make in GENERATED.items():
        for amp in (False,) if device == 'cpu' else (False, True):
            kind = 'mixed' if amp else 'float32'
            try:
                timed = make(device, tiny)
                with torch.no_grad(), torch.autocast(device, enabled=amp):
                    spent, peak = timed.measure(device)
                rate = timed.size / spent
                yield table_row(name, str(timed.size), kind, f'{rate:.1f}', peak)
            except Exception as error:
                traceback.print_exc()
                failed.append(f'{name}, {kind}: {error}')
                yield table_row(name, '', kind, 'failed', '')
            timed = None
            release(device)
    if failed:
        raise AssertionError('; '.join(failed))
