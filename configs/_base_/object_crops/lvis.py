_base_ = ['./object_crops.py', '../datasets/lvis.py']

train_dataloader = dict(
    dataset=dict(
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.extreme_points,
        data_prefix=dict(img=_base_.data_spec.train.img),
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.val.ann_file,
        data_prefix=dict(img=_base_.data_spec.val.img),
    )
)
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(
    dataset=dict(
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.extreme_points,
        data_prefix=dict(img=_base_.data_spec.train.img),
    )
)
