# A few hundred photographs: loaders of whole images, as the labelers read them. A family
# of stages adds its pipelines, and what else differs.
_base_ = '../../data_specs/small.py'

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        filter_cfg=None,  # an image without labels is an example, too
    ),
)
# Masks that are never trained on.
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='masks',
        metainfo=dict(classes=_base_.data_spec.classes),
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
    num_workers=1,
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        filter_cfg=None,
        test_mode=True,
    ),
)
