"""A small valid dataset, ways to break it, and every place where it is read."""

import copy
import json
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

WIDTH, HEIGHT = 64, 48
NAN = float('nan')
# Ends the interpreter inside pycocotools, if it gets there.
OVERLONG_RLE = 'P' * 40 + '0'


def valid_coco():
    """Two images; objects 11 and 12 on image 1, object 21 on image 2."""

    def annotation(ann_id, image_id, x, y, w, h):
        corners = [x, y, x + w, y, x + w, y + h, x, y + h]
        middle_x, middle_y = x + w // 2, y + h // 2
        return dict(
            id=ann_id,
            image_id=image_id,
            category_id=3,
            iscrowd=0,
            bbox=[x, y, w, h],
            area=w * h,
            segmentation=[corners],
            extreme_points=[
                *([middle_x, y], [x, middle_y]),
                *([middle_x, y + h], [x + w, middle_y]),
            ],
        )

    return dict(
        images=[
            dict(id=i, file_name=f'{i}.png', width=WIDTH, height=HEIGHT) for i in (1, 2)
        ],
        annotations=[
            annotation(11, 1, 4, 6, 30, 24),
            annotation(12, 1, 30, 10, 26, 30),
            annotation(21, 2, 8, 8, 40, 32),
        ],
        categories=[dict(id=3, name='bolt')],
    )


class Files:
    """The dataset on disk; a fault changes ``coco`` or one of the files."""

    def __init__(self, root):
        self.root = Path(root)
        self.coco = valid_coco()
        self.truth = valid_coco()  # what quality is measured against stays valid
        rng = np.random.default_rng(0)
        for image in self.coco['images']:
            pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(self.root / image['file_name'])
        self.labels = self.root / 'labels.json'
        self.content = None

    def write(self):
        text = json.dumps(self.coco) if self.content is None else self.content
        self.labels.write_text(text)
        (self.root / 'truth.json').write_text(json.dumps(self.truth))
        return self

    def listing(self):
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob('*'))


LABELER = """
custom_imports = dict(imports=['fake_labeler'])
default_scope = 'mmdet'
model = dict(type='mmwsis.BrightnessLabeler', test_cfg=dict(mask_thr=(0.3, 0.3, 0.3)))
dataset = dict(
    type='mmwsis.ObjectCropDataset', supervision='extreme_points', data_root={root!r},
    ann_file='labels.json', data_prefix=dict(img=''), filter_cfg=dict(min_area=64),
    metainfo=dict(classes=('bolt',)),
    pipeline=[
        dict(type='mmwsis.LoadCachedImage'),
        dict(type='mmwsis.ObjectCrop', crop_size=32, train=False),
        dict(type='mmwsis.PackObjectCrop')])
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dataset,
    sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=False))
pseudo_label_dataloader = dict(
    batch_size=2, num_workers=0,
    dataset=dict(dataset, test_mode=True, filter_cfg=None))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=9)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
custom_hooks = [dict(type='mmwsis.ExactResumeHook')]
log_level = 'ERROR'
"""


def write_config(files):
    """Config of a labeler on these files, beside them."""
    path = files.root.parent / f'{files.root.name}_labeler.py'
    path.write_text(LABELER.format(root=str(files.root)))
    return path


def convert(files):
    from mmwsis.dataset_converters.coco2weak import convert_file
    from mmwsis.structures import Supervision

    levels = [level for level in Supervision if level < Supervision.MASKS]
    outputs = {level: files.root / f'{level.label}.json' for level in levels}
    convert_file(files.labels, outputs)


def image_dataset(files):
    from mmengine.registry import init_default_scope

    from mmwsis.registry import DATASETS

    init_default_scope('mmdet')
    dataset = DATASETS.build(
        dict(
            type='mmwsis.CocoWeakDataset',
            supervision='masks',
            ann_file=str(files.labels),
            data_prefix=dict(img=str(files.root)),
            metainfo=dict(classes=('bolt',)),
            pipeline=[
                dict(type='mmwsis.LoadCachedImage'),
                dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
            ],
        )
    )
    for index in range(len(dataset)):
        dataset[index]


def train(files):
    from mmwsis.engine.preflight import PreflightError, class_problems
    from mmwsis.engine.run_config import build_runner, load_run_config

    cfg = load_run_config(write_config(files), work_dir=files.root.parent / 'work')
    cfg.experiment_name = str(files.root)
    # The label check of tools/train.py is left out: this is about the loaders.
    for problem in class_problems(cfg):
        raise PreflightError(problem.message)
    build_runner(cfg).train()


def generate(files):
    import fake_labeler

    from mmwsis.pseudo_labels import generate_pseudo_labels

    checkpoint = files.root.parent / f'{files.root.name}.pth'
    model = fake_labeler.BrightnessLabeler()
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    cfg = Config.fromfile(write_config(files))
    generate_pseudo_labels(cfg, checkpoint, files.root / 'pseudo.json')


def measure(files):
    from mmwsis.evaluation.compare_files import compare_files
    from mmwsis.evaluation.quality_report import write_quality_report

    comparison = compare_files(files.labels, files.root / 'truth.json')
    write_quality_report(comparison, files.root / 'report', str(files.root))


def browse(files, mode='transformed', supervision='extreme_points'):
    from mmwsis.visualization.browse import browse_to_files

    cfg = Config.fromfile(write_config(files))
    cfg.train_dataloader.dataset.supervision = supervision
    browse_to_files(cfg, files.root / 'browse', num=0, mode=mode)


def browse_original(files):
    browse(files, 'original', 'masks')


PLACES = dict(
    convert=convert,
    image_dataset=image_dataset,
    train=train,
    generate=generate,
    measure=measure,
    browse=browse,
    browse_original=browse_original,
)


def _annotation(**values):
    def apply(files):
        files.coco['annotations'][0].update(copy.deepcopy(values))

    return apply


def _image_file(content):
    def apply(files):
        path = files.root / '1.png'
        if content is None:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:content])

    return apply


def _text(content):
    def apply(files):
        files.content = content

    return apply


def _twice(key):
    def apply(files):
        files.coco[key].append(copy.deepcopy(files.coco[key][0]))

    return apply


def _no_annotations(files):
    files.coco['annotations'] = []


def _no_images(files):
    files.coco.update(images=[], annotations=[])


def _crowds_only(files):
    for annotation in files.coco['annotations']:
        annotation['iscrowd'] = 1


POINTS = valid_coco()['annotations'][0]['extreme_points']
FAULTS = dict(
    missing_image=_image_file(None),
    truncated_image=_image_file(700),
    empty_image=_image_file(0),
    empty_file=_text(''),
    cut_json=_text('{"images": [{"id": 1'),
    list_json=_text('[]'),
    nan_box=_annotation(bbox=[NAN, 6, 30, 24], extreme_points=[[NAN, 6], *POINTS[1:]]),
    point_outside=_annotation(
        extreme_points=[*POINTS[:3], [WIDTH + 5, 18]], bbox=[4, 6, 900, 24]
    ),
    unknown_category=_annotation(category_id=8),
    duplicate_annotation=_twice('annotations'),
    duplicate_image=_twice('images'),
    unknown_image=_annotation(image_id=9),
    rle_malformed=_annotation(
        segmentation=dict(size=[HEIGHT, WIDTH], counts=OVERLONG_RLE)
    ),
    rle_size=_annotation(segmentation=dict(size=[5, 5], counts='0i0')),
    rle_runs=_annotation(segmentation=dict(size=[HEIGHT, WIDTH], counts=[3, -1, 9])),
    nan_polygon=_annotation(segmentation=[[1.0, 2.0, NAN, 3.0, 4.0, 5.0]]),
    flat_box=_annotation(
        bbox=[4, 6, 0, 24], extreme_points=[[4, 6], [4, 9], [4, 30], [4, 9]]
    ),
    no_annotations=_no_annotations,
    no_images=_no_images,
    crowds_only=_crowds_only,
)
