"""Benchmarks; each says in its first lines how to run it.

Threads of OpenMP, which PyTorch uses, wait asleep here unless the environment says otherwise: on
a machine that others use too, waiting in a loop costs both sides so much that nothing is learnt.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch is loaded
