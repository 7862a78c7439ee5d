"""The instruments by name, and the sets of them that have a name."""

from __future__ import annotations

from anglewise.lab.protocols.reading import ActivationReading, Reading
from anglewise.lab.readings.antagonism import Antagonism
from anglewise.lab.readings.attention import Attention
from anglewise.lab.readings.coupling import Coupling
from anglewise.lab.readings.curvature import Curvature
from anglewise.lab.readings.edge import EdgeOfStability
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.fourier import EmbeddingFourier, LogitFourier, NeuronFourier
from anglewise.lab.readings.llc import LearningCoefficient
from anglewise.lab.readings.logits import Logits
from anglewise.lab.readings.match import Match
from anglewise.lab.readings.motion import Motion, Updates
from anglewise.lab.readings.neurons import Neurons
from anglewise.lab.readings.parity import ParityProgress
from anglewise.lab.readings.progress import RestrictedLoss
from anglewise.lab.readings.radii import Radii, RadiusQuantiles
from anglewise.lab.readings.regularisation import PenaltyGradient
from anglewise.lab.readings.sharpness import FilterSharpness
from anglewise.lab.readings.spectrum import Spectrum, WeightNorms, WeightSpectrum
from anglewise.lab.readings.subnetworks import Subnetworks
from anglewise.lab.readings.theory import Theory
from anglewise.lab.readings.zhong2023_clock_pizza import ClockPizza

AT_EVALUATIONS: tuple[ActivationReading, ...] = (Radii(),)
"""What every evaluation reads, whichever readings are asked for."""
CURVATURE: dict[str, Reading] = {
    "curvature": Curvature(),
    "sharpness": FilterSharpness(),
    "edge": EdgeOfStability(),
    "llc": LearningCoefficient(),
}
"""Second derivatives and sampling: each says in its documentation what it costs."""
READINGS: dict[str, Reading] = {
    "radii": RadiusQuantiles(),
    "energy": RadialEnergy(),
    "motion": Motion(),
    "updates": Updates(),
    "coupling": Coupling(),
    "theory": Theory(),
    "regularisation": PenaltyGradient(),
    "antagonism": Antagonism(),
    "spectrum": Spectrum(),
    "norms": WeightNorms(),
    "weights": WeightSpectrum(),
    "embedding": EmbeddingFourier(),
    "neuron-fourier": NeuronFourier(),
    "logit-fourier": LogitFourier(),
    "restricted-loss": RestrictedLoss(),
    "clock-pizza": ClockPizza(),
    "logits": Logits(),
    "match": Match(),
    "neurons": Neurons(),
    "subnetworks": Subnetworks(),
    "attention": Attention(),
    "parity": ParityProgress(),
    **CURVATURE,
}
DEFAULT = {name: READINGS[name] for name in ("radii", "energy", "motion", "spectrum", "norms", "logits", "match")}
"""What is read when nobody says otherwise: cheap to run and to compile."""
SETS: dict[str, dict[str, Reading]] = {"default": DEFAULT, "all": READINGS, "none": {}}
