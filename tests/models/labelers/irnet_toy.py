"""A whole IRNet in small: class maps from colours, and the configs of every stage."""

import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmwsis.models.labelers import WeightFreeLabeler
from mmwsis.registry import MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / 'pseudo_labels'))
from toy_scenes import COLORS, draw_scenes

CROP = 48


@MODELS.register_module(force=True)
class ColorMaps(WeightFreeLabeler):
    """Class maps that say how near a pixel's colour is to that of the class."""

    artifacts = ('class_maps',)

    def label(self, image, sample):
        colors = torch.tensor([list(COLORS.values())[tag] for tag in sample.tags])
        colors = colors.reshape(-1, 3, 1, 1).float()
        far = (image.float()[None] - colors).abs().mean(1)
        maps = (1 - far / 60).clamp(0, 1)
        sample.pred_class_maps = InstanceData(
            labels=torch.tensor(sample.tags, dtype=torch.int64),
            cam=maps[:, ::4, ::4],
            high_res=maps,
        )


def data_set(folder, *steps, **changes):
    return dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        data_root=f'{folder}/',
        ann_file='tags.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=tuple(COLORS)),
        filter_cfg=None,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            *steps,
            dict(type='mmwsis.PackWeakInputs'),
        ],
        **changes,
    )


def stage_config(folder, model, artifact, *steps):
    """Config of a stage without weights."""
    return Config(
        dict(
            default_scope='mmdet',
            model=model,
            artifact=artifact,
            pseudo_label_dataloader=dict(
                batch_size=2,
                num_workers=0,
                dataset=data_set(folder, *steps, test_mode=True),
            ),
            wsis=dict(method='IRNet', stage='toy', supervision='image_tags'),
        )
    )


def class_map_config(folder):
    return stage_config(folder, dict(type='mmwsis.ColorMaps'), 'class_maps')


def load_maps(folder, name):
    return dict(type='mmwsis.LoadClassMaps', folder=f'{folder}/maps', names=(name,))


def relation_config(folder):
    model = dict(type='mmwsis.RelationLabeler')
    return stage_config(folder, model, 'semantic_maps', load_maps(folder, 'high_res'))


def components_config(folder):
    model = dict(type='mmwsis.ClassMapComponents')
    return stage_config(folder, model, 'instances', load_maps(folder, 'high_res'))


def irnet_model(**changes):
    """IRNet of 8 channels and stride 8, for images of about 48 pixels."""
    channels, strides = (8, 8, 16, 32, 64), (4, 4, 8, 8, 8)
    return dict(
        type='mmwsis.IRNet',
        data_preprocessor=dict(
            type='mmwsis.WholeImagePreprocessor', mean=[90.0] * 3, std=[60.0] * 3
        ),
        backbone=dict(
            type='mmwsis.StemLevelResNet',
            depth=18,
            base_channels=8,
            strides=(1, 2, 1, 1),
            frozen_stages=4,
            norm_eval=True,
        ),
        boundary_head=dict(
            type='mmwsis.BoundaryHead',
            in_channels=channels,
            strides=strides,
            feat_channels=8,
            num_groups=2,
        ),
        displacement_head=dict(
            type='mmwsis.DisplacementHead',
            in_channels=channels,
            strides=strides,
            feat_channels=(8, 8, 16, 16, 16),
            num_groups=(2, 2, 4, 4, 4),
        ),
        loss=dict(type='mmwsis.InterPixelRelationLoss', num_classes=3, radius=4),
        test_cfg=dict(min_size=CROP, num_steps=8),
        **changes,
    )


def irnet_config(folder, iterations=4):
    train = data_set(
        folder,
        dict(type='mmwsis.LoadSemanticMap', folder=f'{folder}/relations'),
        dict(type='mmwsis.RandomRescale', scale=(0.8, 1.2)),
        dict(type='mmdet.RandomFlip', prob=0.5),
        dict(type='mmwsis.RandomCropOrPad', crop_size=CROP),
    )
    label = data_set(folder, load_maps(folder, 'cam'), test_mode=True)
    return Config(
        dict(
            default_scope='mmdet',
            model=irnet_model(),
            artifact='instances',
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=True),
                dataset=train,
            ),
            pseudo_label_dataloader=dict(batch_size=2, num_workers=0, dataset=label),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=iterations),
            optim_wrapper=dict(
                optimizer=dict(type='SGD', lr=0.1, momentum=1e-4),
                paramwise_cfg=dict(
                    custom_keys=dict(displacement_head=dict(lr_mult=10))
                ),
            ),
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)
            ),
            custom_hooks=[
                dict(type='mmwsis.ExactResumeHook'),
                dict(
                    type='mmwsis.DisplacementMeanHook',
                    crop_size=CROP,
                    whole_batches=8,
                    batch_size=3,
                ),
            ],
            randomness=dict(seed=0),
            log_level='ERROR',
            wsis=dict(method='IRNet', stage='labeler', supervision='image_tags'),
        )
    )


def prepare(folder):
    """Scenes, their class maps and relation labels."""
    from mmwsis.pseudo_labels import generate_pseudo_labels

    draw_scenes(folder)
    generate_pseudo_labels(class_map_config(folder), None, folder / 'maps')
    generate_pseudo_labels(relation_config(folder), None, folder / 'relations')
    return folder


def random_sample(size=(48, 40), labels=(0, 2), seed=0):
    """An image and its data sample with class maps."""
    from mmdet.structures import DetDataSample

    rng = np.random.default_rng(seed)
    height, width = size
    grid = (height - 1) // 4 + 1, (width - 1) // 4 + 1
    sample = DetDataSample(metainfo=dict(img_id=7, img_shape=size, ori_shape=size))
    cams = rng.random((len(labels), *grid), dtype=np.float32)
    sample.class_maps = InstanceData(
        labels=torch.tensor(labels, dtype=torch.int64), cam=torch.from_numpy(cams)
    )
    return torch.from_numpy(rng.standard_normal((3, *size), dtype=np.float32)), sample
