"""Networks shared among processes: the same networks, and no process left behind."""

import os
import signal

import pytest
import torch
from conftest import make, one_line

import train
import util
import workers
from workers import Workers

SETTINGS = [
    {"n_task": (2, 5), "runs": (0, 1), "n_sd_net": 1.0},
    {"n_task": (7, 2), "network": "gpt-2"},  # shares of different width, with dropout
    {"n_task": (3,), "runs": (0, 1, 2), "network": "LSTM", "rand_pen": True},
]


@pytest.fixture
def crew():
    """A function that shares a Trainer among processes, which end with the test."""
    every = []

    def share(trainer, n_worker=2):
        every.append(Workers(trainer, n_worker))
        return every[-1]

    yield share
    for one in every:
        one.close()
        assert all(process.poll() is not None for process in one.processes)


def close(first, second):
    """Do two Trainers stand at the same place, but for the last bits?"""
    assert first.done == second.done
    pairs = zip(first.model.parameters(), second.model.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)
    assert torch.allclose(first.loss_sum, second.loss_sum, atol=1e-4)
    return True


@pytest.mark.parametrize("settings", SETTINGS)
def test_workers_train_the_same_networks(settings, crew):
    alone, shared = make(**settings), make(**settings)
    before = [p.clone() for p in shared.model.parameters()]
    team = crew(shared)
    for target in (20, 40):  # once from a fresh Adam, once from a used one
        expected, found = (engine.advance(target, 20) for engine in (alone, team))
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(expected, found, strict=True))
        assert close(alone, shared)
    after = shared.model.parameters()
    assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    team.close()
    for trainer in (alone, shared):  # what was gathered goes on where the workers were
        trainer.advance(50, 0)
    assert close(alone, shared)
    again = crew(shared)
    assert again.advance(60, 0) is None and shared.done == 60
    alone.advance(60, 0)
    again.gather()
    assert close(alone, shared)


def test_stopped_on_the_way_all_networks_are_at_the_same_batch(crew):
    alone, shared = make(runs=(0, 1)), make(runs=(0, 1))
    team, seen = crew(shared, 3), []
    log = team.advance(10**9, 10**9, seen.append, lambda: seen[-1] > 0)
    assert log is None and 0 < shared.done < 10**9 and seen == sorted(seen)
    alone.advance(shared.done, 0)
    assert close(alone, shared)


def test_a_stop_at_the_log_line_keeps_it(crew):
    alone, shared = make(), make()
    loss, _ = crew(shared).advance(5, 5, stop_asked=lambda: True) or (None, None)
    if loss is None:  # stopped on the way
        alone.advance(shared.done, 0)
    else:
        assert torch.allclose(loss, alone.advance(5, 5)[0], atol=1e-5)
    assert close(alone, shared)


@pytest.mark.parametrize("at_start", [True, False])
def test_a_killed_worker_is_one_clear_error(at_start, crew):
    team = crew(make())
    if not at_start:
        team.advance(3, 0)
    os.kill(team.processes[1].pid, signal.SIGKILL)
    with pytest.raises(util.UserError, match="a worker process ended"):
        team.advance(10**9, 0)


def test_a_network_may_diverge_among_workers(script, tmp_path, monkeypatch):
    share = train.share

    def poisoned(trainer, n_worker):
        if len(trainer.configs) == 4:
            trainer.model.network.rec_weight.data[2] = float("nan")
        return share(trainer, n_worker)

    monkeypatch.setattr(train, "share", poisoned)
    command = ("--n_task", 2, 3, "--runs", 0, 1, "--n_batch", 200, "--n_neu", 6, "--workers", 2)
    code, _, err = script("train", *command, "--out", tmp_path)
    assert code == 2 and "RNN_nTask3_n_neu6_n_batch200_run0 diverged" in err
    assert "Traceback" not in err and len(list(tmp_path.glob("*_run?.pth"))) == 3


def test_how_many():
    assert workers.how_many(1, 10**6) == 1
    assert workers.how_many(25, 10) == 1  # not worth the start
    n_thread = torch.get_num_threads()
    assert workers.how_many(1000, 10**5) == n_thread
    assert workers.how_many(2 * n_thread - 1, 10**5) == max(1, n_thread - 1)


def test_bad_number_of_workers(script, tmp_path):
    code, _, err = script("train", "--workers", -1, "--out", tmp_path)
    assert code == 2 and one_line(err) and "workers" in err
