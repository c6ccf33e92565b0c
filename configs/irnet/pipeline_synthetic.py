# IRNet on synthetic scenes, every stage in order:
#   python tools/run_pipeline.py configs/irnet/pipeline_synthetic.py
_base_ = '../_base_/pipelines/synthetic.py'

pipeline = dict(
    name='irnet_{data}',
    title='IRNet on {title}',
    supervision='image_tags',
    data=dict(
        synthetic=dict(
            title='synthetic scenes', final_model='mask-rcnn_r18_synthetic.py'
        ),
    ),
    stages=[
        dict(name='scenes'),
        dict(name='weak_labels'),
        dict(name='classifier', type='train', config='cam_r18_{data}.py'),
        dict(
            name='class_maps',
            type='generate',
            config='cam_r18_{data}.py',
            out='{data_root}/class_maps/irnet',
        ),
        dict(
            name='relation_labels',
            type='generate',
            config='relation-labels_{data}.py',
            has_weights=False,
            out='{data_root}/relation_labels/irnet',
        ),
        dict(
            name='labeler',
            type='train',
            config='irnet_r18_{data}.py',
            cfg_options={
                'model.backbone.init_cfg.checkpoint': '{checkpoint:classifier}',
            },
        ),
        dict(
            name='pseudo_labels',
            type='generate',
            config='irnet_r18_{data}.py',
            out='{data_root}/pseudo_labels/irnet.json',
        ),
        dict(
            name='semantic_maps',
            type='generate',
            config='irnet_r18_{data}.py',
            artifact='semantic_maps',
            out='{data_root}/pseudo_labels/irnet_semantic',
        ),
        # What the CAMs are worth alone.
        dict(
            name='cam_components',
            type='generate',
            config='cam-components_{data}.py',
            has_weights=False,
            out='{data_root}/pseudo_labels/cam_components.json',
        ),
        dict(
            name='cam_quality',
            type='quality',
            only_with=['train.ann_file'],
            pseudo='{out:cam_components}',
            gt='{data_root}/{train.ann_file}',
            img_dir='{data_root}/{train.img}',
        ),
        dict(name='quality'),
        dict(name='final_model'),
        dict(name='final_test'),
        dict(name='full_supervision'),
        dict(name='full_test'),
        dict(name='report'),
    ],
    # A classifier of two iterations is at chance.
    fast=dict(class_maps=dict(args=['--force'])),
)
