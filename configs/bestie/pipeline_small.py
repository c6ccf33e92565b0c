# BESTIE from image tags on a few hundred photographs, without a GPU, every stage in order:
#   python tools/run_pipeline.py configs/bestie/pipeline_small.py --dataset FILE
_base_ = ['../_base_/pipelines/small.py', '../_base_/pipelines/bestie_stages.py']

pipeline = dict(
    name='bestie_{data}',
    title='BESTIE on {title}',
    supervision='image_tags',
    data=dict(
        small=dict(
            title='a few hundred photographs',
            backbone='efficientnet-lite0',
            cue_backbone='efficientnet-lite0',
            network='mmwsis::bestie/bestie_efficientnet-lite0_small.py',
            refined='mmwsis::bestie/mask-rcnn_efficientnet-lite0_small.py',  # the method's last stage
            final_model='mask-rcnn_efficientnet-lite0_small.py',  # its fully-supervised baseline
            own_labels='bestie',
            semantic_maps='{data_root}/pseudo_labels/irnet_semantic',
        ),
    ),
    stages=_base_.stages,
    fast=dict(
        # Classifiers of two iterations are at chance.
        class_maps=dict(args=['--force']),
        cues=dict(args=['--force']),
        # At the full rate two iterations make everything background, and no labels.
        network={'optim_wrapper.optimizer.lr': 1e-9},
    ),
)
