from anglewise.errors import AnglewiseError as AnglewiseError
from anglewise.errors import MissingError as MissingError
from anglewise.geometry import RadialSplit as RadialSplit
from anglewise.geometry import direction as direction
from anglewise.geometry import effective_rank as effective_rank
from anglewise.geometry import radial_energy as radial_energy
from anglewise.geometry import radius as radius
from anglewise.geometry import split as split
from anglewise.geometry import stable_rank as stable_rank
from anglewise.penalty import radial_penalty as radial_penalty

__version__: str
