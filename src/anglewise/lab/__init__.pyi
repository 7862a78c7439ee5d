from collections.abc import Iterable

from anglewise.errors import SpecError as SpecError
from anglewise.errors import StoreError as StoreError
from anglewise.lab.catalogue import *  # noqa: F403
from anglewise.lab.catalogue import METHODS as METHODS
from anglewise.lab.catalogue import MODELS as MODELS
from anglewise.lab.catalogue import SCHEDULES as SCHEDULES
from anglewise.lab.catalogue import TASKS as TASKS
from anglewise.lab.execution.places import Place as Place
from anglewise.lab.experiments import EXPERIMENTS as EXPERIMENTS
from anglewise.lab.experiments.run import run as run
from anglewise.lab.experiments.text import on_text as on_text
from anglewise.lab.outcome import Outcome as Outcome
from anglewise.lab.protocols.dataclass import method as method
from anglewise.lab.protocols.fields import COUNT as COUNT
from anglewise.lab.protocols.fields import DECAY as DECAY
from anglewise.lab.protocols.fields import INSIDE as INSIDE
from anglewise.lab.protocols.fields import NOT_NEGATIVE as NOT_NEGATIVE
from anglewise.lab.protocols.fields import POSITIVE as POSITIVE
from anglewise.lab.protocols.fields import SHARE as SHARE
from anglewise.lab.protocols.fields import Bound as Bound
from anglewise.lab.protocols.fields import Names as Names
from anglewise.lab.protocols.method import Method as Method
from anglewise.lab.protocols.model import LinearMap as LinearMap
from anglewise.lab.protocols.model import Model as Model
from anglewise.lab.protocols.model import Network as Network
from anglewise.lab.protocols.reading import Reading as Reading
from anglewise.lab.protocols.reading import Snapshot as Snapshot
from anglewise.lab.protocols.schedule import Number as Number
from anglewise.lab.protocols.schedule import Schedule as Schedule
from anglewise.lab.protocols.schedule import schedule as schedule
from anglewise.lab.protocols.task import Data as Data
from anglewise.lab.protocols.task import Task as Task
from anglewise.lab.readings.sets import READINGS as READINGS
from anglewise.lab.report.opened import ExperimentResults as ExperimentResults
from anglewise.lab.report.opened import open_results as open_results
from anglewise.lab.report.progress import progress_for as progress_for
from anglewise.lab.runner import Interrupted as Interrupted
from anglewise.lab.runner import Progress as Progress
from anglewise.lab.runner import train as train
from anglewise.lab.spec import Arm as Arm
from anglewise.lab.spec import Contrast as Contrast
from anglewise.lab.spec import Experiment as Experiment
from anglewise.lab.spec import Manifest as Manifest
from anglewise.lab.spec import Run as Run
from anglewise.lab.spec import Training as Training
from anglewise.lab.store import Reader as Reader
from anglewise.lab.store import Store as Store
from anglewise.lab.tuning.search import Search as Search
from anglewise.lab.tuning.search import Trial as Trial
from anglewise.lab.tuning.search import search as search
from anglewise.lab.tuning.space import Axis as Axis
from anglewise.lab.tuning.space import Candidate as Candidate

READING: tuple[str, ...]
TRAINING: tuple[str, ...]

def require(libraries: Iterable[str]) -> None: ...
