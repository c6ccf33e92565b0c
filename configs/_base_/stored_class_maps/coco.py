_base_ = ['./stored_class_maps.py', '../datasets/coco.py']

class_maps = 'data/coco/class_maps/irnet'
pseudo_label_dataloader = dict(
    dataset=dict(
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(type='mmwsis.LoadClassMaps', folder=class_maps, names=('high_res',)),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    )
)
