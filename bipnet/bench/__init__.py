"""The benchmark: null models against every peer, in one run (``bipnet bench``).

Each peer is one small file in ``peers/`` behind the interface of ``peer.py``. A peer is measured
in a process of its own (``worker.py``), which the run (``run.py``) ends where it would not.
"""

from __future__ import annotations

from bipnet.bench.cases import Case as Case
from bipnet.bench.cases import make_matrix as make_matrix
from bipnet.bench.run import Report as Report
from bipnet.bench.run import Settings as Settings
from bipnet.bench.run import quick_settings as quick_settings
from bipnet.bench.run import run_bench as run_bench
