"""The environments are genuine, and the batch sampler is the same task."""

import warnings

import neurogym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import tasks
from util import UserError, generator

NAMES = list(tasks.TASKS)


@pytest.mark.parametrize("name", NAMES)
def test_is_a_gymnasium_environment(name):
    env = neurogym.make(f"{name}-v0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("name", NAMES)
def test_reset_with_a_seed_repeats_the_trial(name):
    env = neurogym.make(f"{name}-v0").unwrapped
    first = [env.reset(seed=5), env.ob.copy(), env.gt.copy()]
    again = [env.reset(seed=5), env.ob.copy(), env.gt.copy()]
    assert all(np.array_equal(a, b) for a, b in zip(first[1:], again[1:], strict=True))
    env.reset(seed=6)
    assert not np.array_equal(env.ob, first[1])


@pytest.mark.parametrize("name", NAMES)
def test_sampler_draws_the_trials_of_the_environment(name):
    env = tasks.TASKS[name](seed=3)
    inputs, targets, x = tasks.sample([tasks.TASKS[name]()], [generator(3)], 1)
    env.new_trial()
    assert np.array_equal(inputs[0, 0].numpy(), env.ob)
    assert np.array_equal(x[0, 0].numpy(), env.trial["x"])
    assert np.array_equal(targets[0, 0].numpy(), env.gt[-1])
    assert not env.gt[:-1].any()


def test_timing_of_one_trial():
    inputs, _, _ = tasks.sample([tasks.LinearClassificationCentOut()], [generator(0)], 7)
    assert inputs.shape == (1, 7, 22, 3)
    assert (inputs[..., :21, 0] == 1).all() and (inputs[..., 21, 0] == 0).all()
    assert (inputs[..., 0, 1:] == 0).all() and (inputs[..., 21, 1:] == 0).all()
    assert (inputs[..., 1:21, 1:] != 0).all()
    task = tasks.LinearClassificationCentOut(timing={"stimulus": 500, "delay": 300})
    inputs, _, _ = tasks.sample([task], [generator(0)], 2)
    assert inputs.shape[2] == 10
    assert (inputs[0, :, 6:9, 1:] == 0).all() and (inputs[0, :, 6:9, 0] == 1).all()


def test_an_episode_of_the_environment_ends_with_a_reward():
    env = tasks.LinearClassificationCentOut(n_task=4, seed=1)
    env.reset(seed=1)
    rewards = []
    for _ in range(21):
        _, reward, _, _, info = env.step(env.gt_now)
        rewards.append(reward)
    assert info["new_trial"] and rewards[-1] == 1.0 and not any(rewards[:-1])


@pytest.mark.parametrize("n_task", [1, 2, 3, 6, 24, 192])
def test_labels_follow_the_definition(n_task):
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.5, 0.5, (500, 2)).astype(np.float32)
    labels = tasks.LinearClassificationCentOut(n_task=n_task).targets(torch.tensor(x)).numpy()
    for row, (x1, x2) in zip(labels, x.astype(float), strict=True):
        for i in range(n_task):
            angle = (i + 0.5) * np.pi / n_task
            margin = x2 - np.tan(angle) * x1
            if abs(margin * np.cos(angle)) > 1e-6:  # not on the line itself
                assert row[i] == (1 if margin > 0 else -1)


def test_high_dimensional_boundaries():
    task = tasks.LinearClassificationHighDim(n_task=4000, n_dim=5, normals_seed=2)
    assert torch.allclose(task.normals.norm(dim=1), torch.ones(4000), atol=1e-6)
    assert task.normals.mean(0).abs().max() < 0.03  # uniform on the sphere
    assert (task.normals.T @ task.normals / 4000 - torch.eye(5) / 5).abs().max() < 0.02
    x = torch.randn(10, 5)
    assert torch.equal(task.targets(x) > 0, x @ task.normals.T > 0)
    other = tasks.LinearClassificationHighDim(n_task=4000, n_dim=5, normals_seed=3)
    assert not torch.equal(task.normals, other.normals)


def test_moments_of_evidence():
    inputs, _, x = tasks.sample([tasks.LinearClassificationCentOut()], [generator(0)], 20_000)
    noise = inputs[0, :, 1:21, 1:] - x[0][:, None]
    assert abs(noise.mean()) < 1e-3 and abs(noise.std() - 0.2) < 1e-3
    steps = noise[..., 0].T
    assert (torch.corrcoef(steps) - torch.eye(20)).abs().max() < 0.04  # fresh each step
    assert (
        abs(torch.corrcoef(torch.stack([noise[..., 0].flatten(), noise[..., 1].flatten()]))[0, 1])
        < 0.01
    )
    assert x.abs().max() <= 0.5 and abs(x.var() - 1 / 12) < 1e-3 and abs(x.mean()) < 5e-3


@pytest.mark.parametrize("n_dim", [2, 5])
def test_quadrants_of_regression_tasks(n_dim):
    signs = {0: (-1, -1), 1: (-1, 1), 2: (1, -1), 3: (1, 1)}
    for quadrant, sign in signs.items():
        task = tasks.DenoiseQuadsHighDim(quad_num=quadrant, n_dim=n_dim)
        _, targets, x = tasks.sample([task], [generator(0)], 3000)
        assert torch.equal(targets, x)
        assert (torch.sign(x[0, :, -2:]) == torch.tensor(sign)).all()
        assert (x[0, :, -2:].abs().mean(0) - 0.25).abs().max() < 0.01
        if n_dim > 2:
            assert x[0, :, :-2].mean(0).abs().max() < 0.03
    task = tasks.DenoiseQuads(quad_num=(0, 2))
    _, _, x = tasks.sample([task], [generator(0)], 3000)
    assert (x[..., 1] < 0).all() and abs((x[..., 0] > 0).float().mean() - 0.5) < 0.04


def test_a_network_sees_the_same_trials_alone_and_among_others():
    both = [tasks.LinearClassificationCentOut(n_task=n) for n in (2, 6)]
    among = tasks.Batches(both, [generator(1), generator(2)], 4)
    alone = tasks.Batches(both[1:], [generator(2)], 4)
    for _ in range(tasks.Batches.BLOCK + 3):
        (inputs, targets), (own_inputs, own_targets) = next(among), next(alone)
        assert torch.equal(inputs[1], own_inputs[0])
        assert torch.equal(targets[1], own_targets[0])
        assert (targets[0, :, 2:] == 0).all()


@pytest.mark.parametrize("n_before", [0, 1, 7, tasks.Batches.BLOCK, tasks.Batches.BLOCK + 1])
def test_a_stream_of_batches_resumes(n_before):
    def stream():
        return tasks.Batches([tasks.LinearClassificationCentOut()], [generator(1)], 4)

    first, second = stream(), stream()
    for _ in range(n_before):
        next(first)
    second.load_state_dict(first.state_dict())
    for _ in range(tasks.Batches.BLOCK + 2):
        assert torch.equal(next(first)[0], next(second)[0])


@pytest.mark.parametrize(
    "settings",
    [
        {"n_task": 0},
        {"n_dim": 3},
        {"n_sd_in": -1.0},
        {"n_sd_in": float("nan")},
        {"timing": {"stimulus": 250}},
        {"timing": {"stimulus": 0}},
        {"timing": {"delay": -100}},
        {"timing": {"delya": 100}},
        {"dt": 0},
    ],
)
def test_settings_out_of_range(settings):
    with pytest.raises(UserError):
        tasks.LinearClassificationCentOut(**settings)


@pytest.mark.parametrize("quad_num", [4, (), (0, 7), -1])
def test_unknown_quadrants(quad_num):
    with pytest.raises(UserError):
        tasks.DenoiseQuads(quad_num=quad_num)


@pytest.mark.parametrize("name", NAMES)
def test_picture_of_a_trial(name, script, tmp_path):
    picture = tmp_path / "trial.png"
    code, out, _ = script("tasks", "--task", name, "--plot", picture)
    assert code == 0 and str(picture) in out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    code, _, err = script("tasks", "--task", "NoSuchTask", "--plot", picture)
    assert code == 2 and "NoSuchTask" in err
