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
    assert again.advance(60, 0) is None and shared.done == 50
    again.gather()
    alone.advance(60, 0)
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


def kill(team):
    """The second worker is killed."""
    os.kill(team.processes[1].pid, signal.SIGKILL)


@pytest.mark.parametrize("at_start", [True, False])
def test_a_killed_worker_is_noticed(at_start, crew):
    trainer = make()
    team = crew(trainer)
    if not at_start:
        team.advance(3, 3)
    kill(team)
    with pytest.raises(workers.WorkerLost, match="a worker process was killed"):
        team.advance(10**9, 0)
    assert trainer.done == (0 if at_start else 3)


COMMAND = ("--n_task", 2, 3, "--n_batch", 200, "--n_neu", 6, "--workers", 2)


@pytest.mark.parametrize("n_killed", [2, 9])
def test_a_killed_worker_is_replaced_now_and_then(n_killed, script, tmp_path, monkeypatch):
    share, left = train.share, [n_killed]

    def mortal(trainer, n_worker):
        team = share(trainer, n_worker)
        advance = team.advance

        def dying(target, *args):
            if target > 100 and left[0]:
                left[0] -= 1
                kill(team)
            return advance(target, *args)

        team.advance = dying
        return team

    monkeypatch.setattr(train, "share", mortal)
    code, _, err = script("train", *COMMAND, "--out", tmp_path / "killed")
    if n_killed > train.N_TRY:
        assert code == 2 and one_line(err) and "a worker process was killed" in err
        assert list((tmp_path / "killed").glob("*.snapshot"))
        return
    monkeypatch.setattr(train, "share", share)
    assert code == 0 and script("train", *COMMAND, "--out", tmp_path / "whole")[0] == 0
    for path in (tmp_path / "whole").glob("*.pth"):
        whole, killed = (util.load_torch(p) for p in (path, tmp_path / "killed" / path.name))
        for part in ("state_dict", "decoder"):
            assert all(torch.equal(v, killed[part][k]) for k, v in whole[part].items())
        assert torch.equal(whole["loss_hist"], killed["loss_hist"])


def test_a_worker_out_of_memory_is_one_line(script, tmp_path, monkeypatch):
    hear = Workers.hear

    def full(team, pipe):
        word, value = hear(team, pipe)
        if word == "there":
            raise MemoryError
        return word, value

    monkeypatch.setattr(Workers, "hear", full)
    code, _, err = script("train", *COMMAND, "--out", tmp_path)
    assert code == 2 and one_line(err) and "out of memory" in err


def test_a_network_may_diverge_among_workers(script, tmp_path, monkeypatch):
    share = train.share

    def poisoned(trainer, n_worker):
        if len(trainer.configs) == 4:
            trainer.model.network.rec_weight.data[2] = float("nan")
        return share(trainer, n_worker)

    monkeypatch.setattr(train, "share", poisoned)
    code, _, err = script("train", *COMMAND, "--runs", 0, 1, "--out", tmp_path)
    assert code == 2 and "RNN_nTask3_n_neu6_n_batch200_run0 diverged" in err
    assert "Traceback" not in err and len(list(tmp_path.glob("*_run?.pth"))) == 3


def test_how_many():
    assert workers.how_many(1, 10**6) == 1
    assert workers.how_many(25, 10) == 1  # not worth the start
    n_thread = torch.get_num_threads()
    assert workers.how_many(1000, 10**5) == n_thread
    assert workers.how_many(4 * n_thread - 1, 10**5) == max(1, n_thread - 1)


def test_no_workers_where_they_cannot_be(script, tmp_path, monkeypatch):
    monkeypatch.delattr(signal, "pthread_sigmask")
    code, _, err = script("train", *COMMAND, "--out", tmp_path)
    assert code == 2 and one_line(err) and workers.NO_WORKERS in err
    assert script("train", *COMMAND[:-1], 0, "--out", tmp_path)[0] == 0


def test_bad_number_of_workers(script, tmp_path):
    code, _, err = script("train", "--workers", -1, "--out", tmp_path)
    assert code == 2 and one_line(err) and "workers" in err
