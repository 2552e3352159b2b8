"""The benchmark runs, and its conventional side is the task it says it is."""

import numpy as np

import bench
import tasks


def test_bench_runs_at_tiny_size(script):
    tiny = ("--n_net", 1, 2, "--rounds", 1, "--seconds", 0.05, "--n_fit", 1)
    tiny += ("--n_net_stock", 1, "--n_start", 4, "--n_adam", 20)
    code, out, err = script("bench", *tiny)
    assert code == 0, err
    assert "matrix peak" in out and "ridge" in out and "Gauss-Newton" in out
    assert all(f"| {network} " in out for network in bench.STOCK)
    assert script("bench", "--rounds", 0)[0] == 2
    assert script("bench", "--networks", "CNN")[0] == 2


def test_the_conventional_task_is_the_same_task():
    env = bench.PlainTask(n_task=7)
    ours = tasks.LinearClassificationCentOut(n_task=7)
    for _ in range(50):
        x = env.new_trial()["x"]
        assert np.array_equal(env.gt[-1] > 0, ours.labels(tasks.torch.tensor(x[None]))[0])
        assert env.ob.shape == (22, 3) and not env.gt[:-1].any()
        assert env.ob[:21, 0].all() and not env.ob[21].any() and not env.ob[0, 1:].any()
