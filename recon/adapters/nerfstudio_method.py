"""`ns-train otherlane --data CLIP`: our radiance field as a method of nerfstudio."""

# pyright: reportMissingImports=false

from nerfstudio.configs.base_config import ViewerConfig
from nerfstudio.engine.optimizers import AdamOptimizerConfig
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.plugins.types import MethodSpecification

from recon.adapters.nerfstudio_pipeline import ClipPipelineConfig

otherlane_method = MethodSpecification(
    config=TrainerConfig(
        method_name="otherlane",
        max_num_iterations=0,  # as many as the recipe says
        steps_per_save=500,
        steps_per_eval_batch=100,
        steps_per_eval_image=500,
        steps_per_eval_all_images=100_000,
        mixed_precision=False,
        pipeline=ClipPipelineConfig(),
        optimizers={"host": {"optimizer": AdamOptimizerConfig(), "scheduler": None}},
        # nerfstudio's own default is to listen on every network that the machine is in
        viewer=ViewerConfig(websocket_host="127.0.0.1"),
        vis="viewer",
    ),
    description="otherlane's radiance field of a recorded drive: metric, with exposures and sky.",
)
