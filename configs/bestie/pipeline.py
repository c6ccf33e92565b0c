# BESTIE from image tags, every stage in order:
#   python tools/run_pipeline.py configs/bestie/pipeline.py --data coco
# `--rounds 2` is the paper's iterative training, the network once more on its own labels.
_base_ = '../_base_/pipelines/stages.py'

pipeline = dict(
    name='bestie_{data}',
    title='BESTIE on {title}',
    supervision='image_tags',
    data=dict(  # --data; the first is the default
        voc=dict(
            title='VOC 2012',
            network='mmwsis::bestie/bestie_hrnet-w48_voc.py',
            refined='mmwsis::bestie/mask-rcnn_r50_voc.py',  # the method's last stage
            final_model='mask-rcnn_r50_voc.py',  # its fully-supervised baseline
            own_labels='bestie',
            semantic_maps='{data_root}/pseudo_labels/irnet_semantic',
        ),
        coco=dict(
            title='COCO',
            network='mmwsis::bestie/bestie_hrnet-w48_coco.py',
            refined='mmwsis::bestie/mask-rcnn_r50.py',  # the method's last stage
            final_model='mask-rcnn_r50.py',  # its fully-supervised baseline
            own_labels='bestie',
            semantic_maps='{data_root}/pseudo_labels/irnet_semantic',
        ),
    ),
    dataset='mmwsis::data_specs/{data}.py',
    stages=[
        dict(name='weak_labels'),
        dict(
            name='irnet_classifier',
            type='train',
            config='mmwsis::irnet/cam_r50_{data}.py',
        ),
        dict(
            name='class_maps',
            type='generate',
            config='mmwsis::irnet/cam_r50_{data}.py',
            out='{data_root}/class_maps/irnet',
        ),
        dict(
            name='relation_labels',
            type='generate',
            config='mmwsis::irnet/relation-labels_{data}.py',
            has_weights=False,
            out='{data_root}/relation_labels/irnet',
        ),
        dict(
            name='irnet',
            type='train',
            config='mmwsis::irnet/irnet_r50_{data}.py',
        ),
        dict(
            name='semantic_maps',
            type='generate',
            config='mmwsis::irnet/irnet_r50_{data}.py',
            artifact='semantic_maps',
            out='{data_root}/pseudo_labels/irnet_semantic',
        ),
        dict(name='map_quality'),
        dict(
            name='classifier', type='train', config='mmwsis::bestie/pam_vgg16_{data}.py'
        ),
        dict(
            name='cues',
            type='generate',
            config='mmwsis::bestie/pam_vgg16_{data}.py',
            out='{data_root}/pseudo_labels/bestie_cues.json',
        ),
        dict(name='cue_quality'),
        dict(name='training'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='{network}',
            out='{data_root}/pseudo_labels/{own_labels}.json',
        ),
        dict(name='quality'),
        dict(name='final_model', config='{refined}'),
        dict(name='final_test', config='{refined}'),
        dict(name='full_supervision'),
        dict(name='full_test'),
        dict(name='report'),
    ],
)
