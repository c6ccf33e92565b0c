_base_ = ['./tagged_images.py', '../datasets/voc.py']

train_dataloader = dict(
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
    )
)
val_dataloader = dict(
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.val.ann_file,
        data_prefix=dict(img=_base_.data_spec.val.img),
    )
)
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
    )
)
val_evaluator = dict(
    ann_file=f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}'
)
test_evaluator = val_evaluator
