"""Goal: each row of the fault table happens to three real hosts that trade, comes out as the table
says, and afterwards every acknowledged order, cancel and credit is there once, nothing else is, and
nobody saw what is gone. The rows' order is seeded; each is healed before the next begins."""
import os
import random

import pytest
from cluster import Cluster
from faults import PROVEN, Scene
from traffic import Traffic

SEED = int(os.environ.get("BOURSE_SEED", "7"))
NAMES = sorted(PROVEN)
random.Random(SEED).shuffle(NAMES)


@pytest.fixture(scope="module")
def scene(bench, tmp_path_factory):
    print(f"BOURSE_SEED={SEED} Tests/run Hosts repeats this order of faults")
    cluster = Cluster(bench)
    traffic = Traffic(cluster, tmp_path_factory.mktemp("traffic"), SEED)
    scene = Scene(cluster, traffic, bench.figures.append)
    yield scene
    traffic.close()
    bench.figures.append(f"seed {SEED}: {traffic.evidence.counts()}")
    for host in cluster.all:
        host.power_cut()


@pytest.mark.parametrize("name", NAMES)
def test_fault(scene, name):
    scene.carry_out(name)
