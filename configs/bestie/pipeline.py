# BESTIE from image tags, every stage in order:
#   python tools/run_pipeline.py configs/bestie/pipeline.py --data coco
# `--rounds 2` is the paper's iterative training, the network once more on its own labels.
_base_ = ['../_base_/pipelines/stages.py', '../_base_/pipelines/bestie_stages.py']

pipeline = dict(
    name='bestie_{data}',
    title='BESTIE on {title}',
    supervision='image_tags',
    data=dict(  # --data; the first is the default
        voc=dict(
            title='VOC 2012',
            backbone='r50',
            cue_backbone='vgg16',
            network='mmwsis::bestie/bestie_hrnet-w48_voc.py',
            refined='mmwsis::bestie/mask-rcnn_r50_voc.py',  # the method's last stage
            final_model='mask-rcnn_r50_voc.py',  # its fully-supervised baseline
            own_labels='bestie',
            semantic_maps='{data_root}/pseudo_labels/irnet_semantic',
        ),
        coco=dict(
            title='COCO',
            backbone='r50',
            cue_backbone='vgg16',
            network='mmwsis::bestie/bestie_hrnet-w48_coco.py',
            refined='mmwsis::bestie/mask-rcnn_r50.py',  # the method's last stage
            final_model='mask-rcnn_r50.py',  # its fully-supervised baseline
            own_labels='bestie',
            semantic_maps='{data_root}/pseudo_labels/irnet_semantic',
        ),
    ),
    dataset='mmwsis::data_specs/{data}.py',
    stages=_base_.stages,
)
