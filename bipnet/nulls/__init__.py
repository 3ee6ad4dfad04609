"""The seven null models: the table, one draw, many draws, what is guaranteed, and verification."""

from bipnet.nulls._certify import IRREDUCIBLE_BY as IRREDUCIBLE_BY
from bipnet.nulls._certify import Certificate as Certificate
from bipnet.nulls._certify import certify as certify
from bipnet.nulls._diagnose import Diagnosis as Diagnosis
from bipnet.nulls._diagnose import diagnose as diagnose
from bipnet.nulls._mixing import RapidMixing as RapidMixing
from bipnet.nulls._mobility import Mobility as Mobility
from bipnet.nulls._randomize import Ensemble as Ensemble
from bipnet.nulls._randomize import ensemble as ensemble
from bipnet.nulls._randomize import randomize as randomize
from bipnet.nulls._verify import InvariantCheck as InvariantCheck
from bipnet.nulls._verify import Verification as Verification
from bipnet.nulls._verify import verify as verify
from bipnet.nulls.models import INVARIANTS as INVARIANTS
from bipnet.nulls.models import NULL_MODELS as NULL_MODELS
from bipnet.nulls.models import NullModel as NullModel
