_base_ = [
    '../_base_/models/mal_vit-tiny.py',
    '../_base_/object_crops/synthetic.py',
    '../_base_/schedules/labeler_small.py',
    '../_base_/small_labeler_runtime.py',
]

mae = 'work_dirs/mae_vit-tiny_synthetic/iter_800.pth'
model = dict(
    network=dict(
        encoder=dict(
            init_cfg=dict(
                checkpoint=mae,
                made_by='python tools/train.py configs/exits/mae_vit-tiny_synthetic.py',
            )
        ),
        # So that masks start as the whole crop, whatever the seed.
        mask_head=dict(vector_bias=0.08),
    ),
    crf_ramp=dict(iters=400),
)
# At EXITS' 7e-4 the projection loss stays on its plateau: the whole box is predicted.
optim_wrapper = dict(optimizer=dict(lr=2e-4))

train_dataloader = dict(
    dataset=dict(supervision='boxes', ann_file=_base_.data_spec.train.weak.boxes)
)
pseudo_label_dataloader = dict(
    dataset=dict(supervision='boxes', ann_file=_base_.data_spec.train.weak.boxes)
)

# configs/exits has a file of this name.
work_dir = 'work_dirs/mal/labeler_vit-tiny_synthetic'

wsis = dict(
    method='MAL',
    stage='labeler',
    supervision='boxes',
    requires=[
        dict(
            path='data/synthetic/weak/boxes_train.json',
            command='python tools/dataset_converters/make_synthetic.py --out data/synthetic',
        ),
        dict(
            path=mae,
            command='python tools/train.py configs/exits/mae_vit-tiny_synthetic.py',
        ),
    ],
    produces='data/synthetic/pseudo_labels/mal.json',
)
