# Mask proposals from colours and edges. The model has no weights, and reads no label:
# every image of the training file gets its proposals.
_base_ = ['../data_specs/coco.py', '../_base_/default_runtime.py']

model = dict(
    type='mmwsis.ProposalGenerator',
    test_cfg=dict(
        # Segmentations: one for each scale and colour space.
        scales=(50, 100, 200, 400),
        color_spaces=('lab', 'hsv'),
        sigma=0.8,
        min_size=50,  # pixels of a region
        # Proposals: unions of regions.
        min_area=50,  # pixels
        min_area_share=0.0005,  # of the image
        max_area_share=0.9,
        max_overlap=0.9,  # IoU of two
        max_num=1000,
    ),
)
artifact = 'proposals'

pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(
        type='mmwsis.UnlabelledImageDataset',
        data_root=_base_.data_spec.data_root,
        # Only the list of its images is read.
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        test_mode=True,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path')),
        ],
    ),
)
train_dataloader = None
val_dataloader = None
test_dataloader = None

wsis = dict(
    method='Proposals',
    stage='proposals',
    supervision='image_tags',
    produces='data/coco/proposals/built_in',
)
