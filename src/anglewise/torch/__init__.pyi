from anglewise.errors import AttachError as AttachError
from anglewise.penalty import radial_penalty as radial_penalty
from anglewise.torch.huggingface import RadialTrainerMixin as RadialTrainerMixin
from anglewise.torch.huggingface import add_readings_callback as add_readings_callback
from anglewise.torch.lightning import RadialLightningMixin as RadialLightningMixin
from anglewise.torch.lightning import readings_callback as readings_callback
from anglewise.torch.methods import *  # noqa: F403
from anglewise.torch.probe import RadialProbe as RadialProbe
from anglewise.torch.suppression import RadialSuppression as RadialSuppression
