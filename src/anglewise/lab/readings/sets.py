"""The instruments by name, and the sets of them that have a name."""

from __future__ import annotations

from anglewise.lab.look import Reading
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.radii import RadiusQuantiles
from anglewise.lab.readings.spectrum import Spectrum

READINGS: dict[str, Reading] = {
    "radii": RadiusQuantiles(),
    "energy": RadialEnergy(),
    "spectrum": Spectrum(),
}
DEFAULT = {name: READINGS[name] for name in ("radii", "energy", "spectrum")}
"""What is read when nobody says otherwise: cheap to run and to compile."""
SETS = {"default": DEFAULT, "all": READINGS, "none": {}}
