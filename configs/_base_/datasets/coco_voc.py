# COCO's images that show a class of VOC, with VOC's classes and background as the one class
# of stuff: what coco2voc.py writes, to pretrain networks of VOC. Beside voc_panoptic.py, which
# names the classes.
coco_root = 'data/coco/'
coco_spec = dict(
    name='coco_voc',
    data_root=coco_root,
    train=dict(
        img='train2017/',
        panoptic=dict(
            ann_file='annotations/panoptic_train2017_voc.json',
            seg='annotations/panoptic_train2017_voc/',
        ),
        weak=dict(
            image_tags='weak/image_tags_panoptic_train2017_voc.json',
            points='weak/points_panoptic_train2017_voc.json',
            boxes='weak/boxes_panoptic_train2017_voc.json',
            extreme_points='weak/extreme_points_panoptic_train2017_voc.json',
        ),
    ),
    val=dict(
        ann_file='annotations/instances_val2017_voc.json',
        img='val2017/',
        panoptic=dict(
            ann_file='annotations/panoptic_val2017_voc.json',
            seg='annotations/panoptic_val2017_voc/',
        ),
    ),
)
# The training images with boxes, the images that are measured on, and what metrics read.
coco_boxes = dict(
    data_root=coco_root,
    ann_file=coco_spec['train']['weak']['boxes'],
    data_prefix=dict(img=coco_spec['train']['img']),
)
coco_val = dict(
    data_root=coco_root,
    ann_file=coco_spec['val']['panoptic']['ann_file'],
    data_prefix=dict(
        img=coco_spec['val']['img'], seg=coco_spec['val']['panoptic']['seg']
    ),
)
coco_val_panoptic = dict(
    ann_file=coco_root + coco_spec['val']['panoptic']['ann_file'],
    seg_prefix=coco_root + coco_spec['val']['panoptic']['seg'],
)
