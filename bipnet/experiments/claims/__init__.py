"""The paper's claims, and whether the tables bear them out.

A claim is a row of `CLAIMS`; `evaluate_claims` measures each on every data set and hidden width.
"""

from bipnet.experiments.claims.claim import Claim as Claim
from bipnet.experiments.claims.claim import Finding as Finding
from bipnet.experiments.claims.claim import Verdict as Verdict
from bipnet.experiments.claims.evaluate import CLAIMS as CLAIMS
from bipnet.experiments.claims.evaluate import evaluate_claims as evaluate_claims
