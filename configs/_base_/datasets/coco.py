# COCO 2017: loaders of whole images, as the labelers read them. A family of
# stages adds its pipelines, and what else differs.
_base_ = '../../data_specs/coco.py'

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='mmwsis.SeededEpochSampler', shuffle=True),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        filter_cfg=None,  # an image without labels is an example, too
    ),
)
# Masks that are never trained on.
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='masks',
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.val.ann_file,
        data_prefix=dict(img=_base_.data_spec.val.img),
        filter_cfg=None,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
# What tools/generate_pseudo_labels.py labels: every training image.
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=4,
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        filter_cfg=None,
        test_mode=True,
    ),
)
