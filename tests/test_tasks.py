"""The environments are genuine, and the batch sampler is the same task."""

import math
import warnings

import neurogym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import tasks
import train
from util import UserError, generator

NAMES = list(tasks.TASKS)
VARIANTS = [  # every task, and settings that change what is drawn
    *((name, {}) for name in NAMES),
    ("LinearClassificationCentOut", {"dist": "gumbel", "n_task": 5}),
    ("LinearClassificationCentOut", {"timing": {"delay": 300, "decision": 200}}),
    ("LinearClassificationHighDim", {"n_dim": 5, "n_task": 3}),
    ("LinearClassificationCorr", {"corr": -0.7}),
    ("MultiplyClassificationFull", {"n_task": 12}),
    ("LinearClassificationBound", {"n_task": 3, "bound": 2.0}),
    ("TwoAlternativeForcedChoiceCent", {"rule_input": True}),
    ("AttributeIntegrationCent", {"rule_input": True}),
    ("DenoiseQuadsFreeRT", {"n_dim": 3, "factors": (0, 2), "quad_num": (1, 2)}),
]
LINES = [name for name in NAMES if issubclass(tasks.TASKS[name], tasks.LinearClassification)]


def draw(task, n_trial, seed=0):
    """Trials of one task: inputs (trial, time, channel), targets (trial, time, k), x (trial, D)."""
    return [values[0] for values in tasks.sample([task], [generator(seed)], n_trial)]


def noise_of(task, n_trial=20_000):
    """The noise in the evidence, (trial, time, D)."""
    inputs, _, x = draw(task, n_trial)
    shown = inputs[:, task.evidence_steps, task.n_fix : task.n_fix + task.n_dim]
    return shown - x[:, None]


def correlation(a, b):
    """Pearson's, of all numbers in two tensors."""
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


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


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_sampler_draws_the_trials_of_the_environment(name, settings):
    env = tasks.TASKS[name](seed=3, **settings)
    inputs, targets, x = tasks.sample([tasks.TASKS[name](**settings)], [generator(3)], 1)
    env.new_trial()
    assert np.array_equal(inputs[0, 0].numpy(), env.ob)
    assert np.array_equal(x[0, 0].numpy(), env.trial["x"])
    n_target = env.target_steps.stop - env.target_steps.start
    assert np.array_equal(targets[0, 0].expand(n_target, -1).numpy(), env.gt[env.target_steps])
    assert np.array_equal(env.gt[-1], env.trial["ground_truth"])
    assert not np.delete(env.gt, env.target_steps, 0).any()
    assert env.target_steps.stop == env.n_step == len(env.ob)


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_trials_of_a_batch_are_drawn_afresh(name, settings):
    task = tasks.TASKS[name](**settings)
    inputs, targets, x = draw(task, 50)
    assert inputs.shape == (50, task.n_step, task.n_channel)
    assert targets.shape[0] == 50 and targets.shape[2] == task.n_out and x.shape == (50, task.n_dim)
    assert targets.shape[1] == (task.n_step if task.target_steps.start == 0 else 1)
    assert len(x[:, 0].unique()) == 50 and len(inputs[:, 5, task.n_fix].unique()) == 50
    assert torch.equal(inputs, draw(task, 50)[0])
    assert not torch.equal(inputs, draw(task, 50, seed=1)[0])


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


@pytest.mark.parametrize("name", [name for name in NAMES if tasks.TASKS[name].n_fix == 0])
def test_timing_of_free_reaction_time(name):
    task = tasks.TASKS[name]()
    inputs, _, _ = draw(task, 3)
    n_step = 20 if name == "LinearClassificationBound" else 21  # evidence in the decision step too
    assert inputs.shape == (3, n_step, 2) and (inputs != 0).all()
    with pytest.raises(UserError):
        tasks.TASKS[name](timing={"stimulus": 0})


@pytest.mark.parametrize("name", NAMES)
def test_an_episode_of_the_environment_ends_with_a_reward(name):
    env = tasks.TASKS[name](seed=1)
    env.reset(seed=1)
    rewards = []
    for _ in range(env.n_step - 1):
        _, reward, _, _, info = env.step(env.gt_now)
        rewards.append(reward)
    assert info["new_trial"] and rewards[-1] == 1.0 and not any(rewards[:-1])


@pytest.mark.parametrize(("name", "n_task"), [("LinearClassificationCentOut", 4)])
def test_reward_is_the_share_of_right_labels(name, n_task):
    task = tasks.TASKS[name](n_task=n_task)
    assert task.is_correct(np.array([0.2, -1, 3, -0.1]), np.array([1, -1, -1, -1])) == 0.75
    assert task.is_correct(np.zeros(4), np.ones(4)) == 0


def test_reward_of_a_regression_falls_with_its_error():
    task = tasks.DenoiseQuads()
    x = np.array([0.1, -0.4])
    assert task.is_correct(x, x) == 1
    assert task.is_correct(x + 0.1, x) == pytest.approx(1 - 12 * 0.01)
    assert task.is_correct(x + 2, x) == 0


@pytest.mark.parametrize("n_task", [1, 2, 3, 6, 24, 192])
def test_labels_follow_the_definition(n_task):
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.5, 0.5, (500, 2)).astype(np.float32)
    task = tasks.LinearClassificationCentOut(n_task=n_task)
    labels = task.targets_in_time(torch.tensor(x), None).numpy()
    assert labels.shape == (500, 1, n_task)
    for row, (x1, x2) in zip(labels[:, 0], x.astype(float), strict=True):
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
    targets = task.targets_in_time(x, None)[:, 0]
    assert torch.equal(targets > 0, x @ task.normals.T > 0) and (targets.abs() == 1).all()
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


# ------------------------------------------------------------------ noise


@pytest.mark.parametrize("name", LINES)
def test_sigma_of_every_task(name):
    ratio = torch.tensor([1.0, 2.0 if name == "LinearClassificationAnisot" else 1.0])
    for settings, sigma in (({}, 0.2), ({"n_sd_in": 4.0}, 0.4), ({"dt": 50}, 2 / math.sqrt(50))):
        noise = noise_of(tasks.TASKS[name](**settings), 4000)
        assert torch.allclose(noise.std((0, 1)), sigma * ratio, rtol=0.02)
    assert (noise_of(tasks.TASKS[name](n_sd_in=0.0), 10).abs() < 1e-7).all()


def test_gumbel_noise():
    noise = noise_of(tasks.LinearClassificationCentOut(dist="gumbel"))
    assert noise.mean().item() == pytest.approx(0.5772 * 0.2, abs=1e-3)
    assert noise.std().item() == pytest.approx(math.pi / math.sqrt(6) * 0.2, abs=1e-3)
    for value in (-0.3, 0.0, 0.2, 0.6):  # its distribution function
        share = (noise < value).float().mean().item()
        assert share == pytest.approx(math.exp(-math.exp(-value / 0.2)), abs=2e-3)
    assert abs(correlation(noise[:, 1:], noise[:, :-1])) < 0.01
    assert abs(correlation(noise[..., 0], noise[..., 1])) < 0.01


def test_anisotropic_noise():
    noise = noise_of(tasks.LinearClassificationAnisot())
    assert noise[..., 0].std().item() == pytest.approx(0.2, abs=1e-3)
    assert noise[..., 1].std().item() == pytest.approx(0.4, abs=2e-3)
    assert abs(correlation(noise[..., 0], noise[..., 1])) < 0.01


@pytest.mark.parametrize("ar_coef", [0.7, -0.4, 0.0])
def test_autocorrelated_noise(ar_coef):
    noise = noise_of(tasks.LinearClassificationAutocorr(ar_coef=ar_coef))
    for t in (0, 1, 10, 19):  # the marginal standard deviation is kept
        assert noise[:, t].std().item() == pytest.approx(0.2, abs=3e-3)
    for lag in (1, 2, 5):
        lagged = correlation(noise[:, lag:], noise[:, :-lag])
        assert lagged == pytest.approx(ar_coef**lag, abs=0.01)
    assert abs(correlation(noise[..., 0], noise[..., 1])) < 0.01
    assert tasks.LinearClassificationAutocorr().noise_ar == 0.7


def test_autocorrelated_noise_equals_a_loop_over_steps():
    fast = tasks.LinearClassificationAutocorr(ar_coef=0.6).draw_noise(7, generator(0))
    fresh = tasks.LinearClassificationCentOut().draw_noise(7, generator(0))
    slow = fresh.clone()
    for trial in range(7):
        for t in range(1, 20):
            slow[trial, t] = 0.6 * slow[trial, t - 1] + 0.8 * fresh[trial, t]
    assert torch.allclose(fast, slow, atol=1e-6)


# ------------------------------------------------------------------ what is asked


@pytest.mark.parametrize("corr", [0.0, 0.5, -0.7])
def test_correlated_factors_are_a_gaussian_copula(corr):
    _, _, x = draw(tasks.LinearClassificationCorr(corr=corr), 50_000)
    z = torch.special.ndtri((x.double() + 0.5).clamp(1e-9, 1 - 1e-9))
    assert torch.corrcoef(z.T)[0, 1].item() == pytest.approx(corr, abs=0.015)
    for factor in x.T:  # each uniform
        quantiles = factor.sort().values
        uniform = torch.linspace(-0.5, 0.5, len(factor))
        assert (quantiles - uniform).abs().max() < 0.01


def test_fully_correlated_factors_are_equal_or_opposite():
    _, _, x = draw(tasks.LinearClassificationCorr(corr=1.0), 1000)
    assert torch.equal(x[:, 0], x[:, 1])
    _, _, x = draw(tasks.LinearClassificationCorr(corr=-1.0), 1000)
    assert torch.allclose(x[:, 0], -x[:, 1], atol=1e-6)


QUADRANT = {(-1, -1): 0, (-1, 1): 1, (1, -1): 2, (1, 1): 3}  # by the signs of x1, x2


@pytest.mark.parametrize("n_task", [4, 8, 24])
def test_non_linear_labels_follow_the_definition(n_task):
    task, per_quadrant = tasks.MultiplyClassificationFull(n_task=n_task), n_task // 4
    default = 0.2 * np.linspace(1 / (2 * n_task), 1, per_quadrant)
    assert np.allclose(task.thresholds, default)
    own = tasks.MultiplyClassificationFull(n_task=n_task, thresholds=np.full(per_quadrant, 0.1))
    for either, thresholds in ((task, default), (own, [0.1] * per_quadrant)):
        _, targets, x = draw(either, 500)
        for row, (x1, x2) in zip(targets[:, 0].tolist(), x.tolist(), strict=True):
            slow = [-1] * n_task
            for i, threshold in enumerate(thresholds):
                if abs(x1 * x2) > threshold:
                    quadrant = QUADRANT[np.sign(x1), np.sign(x2)]
                    slow[quadrant * per_quadrant + i] = 1
            if min(abs(abs(x1 * x2) - threshold) for threshold in thresholds) > 1e-6:
                assert row == slow


def slow_bound(task, evidence):
    """Targets (time, n_task) of one trial, its evidence (time, 2), step by step with absorption."""
    targets = np.zeros((len(evidence), task.n_task))
    for i in range(task.n_task):
        total, absorbed = 0.0, None
        for t, (x1, x2) in enumerate(evidence.tolist()):
            total += x2 - math.tan((i + 0.5) * math.pi / task.n_task) * x1
            if absorbed is None and abs(total) >= task.bound:
                absorbed = math.copysign(task.bound, total)
            targets[t, i] = total if absorbed is None else absorbed
    return targets


@pytest.mark.parametrize("n_task", [1, 2, 3, 24])  # with 1 and 3 there is a vertical line
@pytest.mark.parametrize("bound", [5.0, 0.5])
def test_accumulation_to_a_bound_equals_a_slow_loop(n_task, bound):
    task = tasks.LinearClassificationBound(n_task=n_task, bound=bound)
    inputs, targets, x = draw(task, 60)
    assert targets.shape == (60, 20, n_task)
    for trial in range(60):
        slow = slow_bound(task, inputs[trial].double())
        assert np.allclose(targets[trial].numpy(), slow, atol=1e-5)
    assert targets.abs().max() == bound and (targets.abs() < bound).any() == (n_task > 1)
    labels = tasks.LinearClassificationCentOut(n_task=n_task).targets(x)
    mostly = (targets[:, -1].sign() == labels).float().mean()
    assert mostly > 0.7  # what accumulates is evidence for the labels


def test_a_vertical_line_is_decided_at_once():
    targets = draw(tasks.LinearClassificationBound(n_task=3), 200)[1]
    assert (targets[..., 1].abs() == 5).all() and torch.equal(targets[:, 0, 1], targets[:, -1, 1])


@pytest.mark.parametrize("rule_input", [False, True])
def test_single_tasks(rule_input):
    for rule, name in enumerate(("TwoAlternativeForcedChoiceCent", "AttributeIntegrationCent")):
        inputs, targets, x = draw(tasks.TASKS[name](rule_input=rule_input), 300)
        label = x[:, 1] > x[:, 0] if rule == 0 else x[:, 0] + x[:, 1] > 0
        assert torch.equal(targets[:, 0, 0], 2 * label.float() - 1)
        assert inputs.shape == (300, 22, 5 if rule_input else 3)
        if rule_input:
            assert (inputs[..., 3 + rule] == 1).all() and (inputs[..., 4 - rule] == 0).all()


def test_the_target_follows_the_cued_rule():
    inputs, targets, x = draw(tasks.ContextDependent(), 4000)
    assert inputs.shape == (4000, 22, 5) and targets.shape == (4000, 1, 1)
    for rule, target, (x1, x2) in zip(inputs[:, :, 3:], targets[:, 0, 0], x, strict=True):
        assert (rule == rule[0]).all()  # throughout the trial
        assert rule[0].tolist() in ([1, 0], [0, 1])
        label = x2 > x1 if rule[0, 0] else x1 + x2 > 0
        assert target == (1 if label else -1)
    assert abs(inputs[:, 0, 3].mean() - 0.5) < 0.03  # both about equally often
    assert abs(correlation(inputs[:, 0, 3], x[:, 0])) < 0.05


def test_single_tasks_ask_what_two_lines_ask():
    lines = tasks.LinearClassificationCentOut(n_task=2)
    x = torch.rand(500, 2, generator=generator(0)) - 0.5
    both = tasks.ContextDependent().labels(x)  # x2 > x1 and x2 > -x1
    assert torch.equal(both, lines.labels(x))


# ------------------------------------------------------------------ regression


@pytest.mark.parametrize("n_dim", [2, 5])
def test_quadrants_of_regression_tasks(n_dim):
    signs = {0: (-1, -1), 1: (-1, 1), 2: (1, -1), 3: (1, 1)}
    for quadrant, sign in signs.items():
        task = tasks.DenoiseQuadsHighDim(quad_num=quadrant, n_dim=n_dim)
        _, targets, x = tasks.sample([task], [generator(0)], 3000)
        assert torch.equal(targets[:, :, 0], x)
        assert (torch.sign(x[0, :, -2:]) == torch.tensor(sign)).all()
        assert (x[0, :, -2:].abs().mean(0) - 0.25).abs().max() < 0.01
        if n_dim > 2:
            assert x[0, :, :-2].mean(0).abs().max() < 0.03
    task = tasks.DenoiseQuads(quad_num=(0, 2))
    _, _, x = tasks.sample([task], [generator(0)], 3000)
    assert (x[..., 1] < 0).all() and abs((x[..., 0] > 0).float().mean() - 0.5) < 0.04


@pytest.mark.parametrize("factors", [(0, 3), (2, 1), (-1, 0)])
def test_any_two_factors_may_name_the_quadrant(factors):
    task = tasks.DenoiseQuadsHighDim(quad_num=(1, 3), n_dim=4, factors=factors)
    _, _, x = draw(task, 3000)
    assert (x[:, factors[1]] > 0).all()  # quadrants 1 and 3: the second is positive
    assert abs((x[:, factors[0]] > 0).float().mean() - 0.5) < 0.04
    for other in set(range(4)) - {f % 4 for f in factors}:
        assert abs(x[:, other].mean()) < 0.03 and abs(x[:, other].var() - 1 / 12) < 5e-3
    assert x.abs().max() <= 0.5


@pytest.mark.parametrize("n_decision", [1, 3])
def test_free_reaction_time_shows_evidence_until_the_end(n_decision):
    task = tasks.DenoiseQuadsFreeRT(timing={"stimulus": 500, "decision": 100 * n_decision})
    inputs, targets, x = draw(task, 4000)
    assert inputs.shape == (4000, 5 + n_decision, 2)
    noise = inputs - x[:, None]
    assert torch.allclose(noise.std(0), torch.tensor(0.2), atol=0.01)
    assert noise.mean(0).abs().max() < 0.015
    assert abs(correlation(noise[:, -1], noise[:, -2])) < 0.04  # fresh
    assert torch.equal(targets[:, 0], x)


LIKE = {
    "LinearClassificationAnisot": {},
    "LinearClassificationAutocorr": {"ar_coef": 0.5},
    "TwoAlternativeForcedChoiceCent": {"rule_input": True},
    "ContextDependent": {},
}


@pytest.mark.parametrize("name", LIKE)
def test_decoders_trials_have_the_noise_and_rules_of_another_task(name):
    like = tasks.TASKS[name](**LIKE[name])
    task = tasks.DenoiseQuadsHighDim(like=like)
    inputs, targets, x = draw(task, 8000)
    assert inputs.shape[2] == like.n_channel and torch.equal(targets[:, 0], x)
    noise = noise_of(task, 8000)
    ratio = 2 if name == "LinearClassificationAnisot" else 1
    assert noise[..., 1].std() / noise[..., 0].std() == pytest.approx(ratio, abs=0.02)
    lagged = correlation(noise[:, 1:], noise[:, :-1])
    assert lagged == pytest.approx(like.noise_ar, abs=0.02)
    if like.n_rule:
        share = inputs[:, :, 3:].mean((0, 1))
        expected = [0.5, 0.5] if name == "ContextDependent" else [1.0, 0.0]
        assert torch.allclose(share, torch.tensor(expected), atol=0.02)
        assert (inputs[:, :, 3:].sum(2) == 1).all()


# ------------------------------------------------------------------ streams of batches


def test_a_network_sees_the_same_trials_alone_and_among_others():
    both = [tasks.LinearClassificationCentOut(n_task=n) for n in (2, 6)]
    among = tasks.Batches(both, [generator(1), generator(2)], 4)
    alone = tasks.Batches(both[1:], [generator(2)], 4)
    for _ in range(tasks.Batches.BLOCK + 3):
        (inputs, targets), (own_inputs, own_targets) = next(among), next(alone)
        assert torch.equal(inputs[1], own_inputs[0])
        assert torch.equal(targets[1], own_targets[0])
        assert (targets[0, ..., 2:] == 0).all()


def test_trials_in_a_row_are_numbered_as_they_come():
    values = torch.arange(2 * 6 * 4 * 3).view(2, 6, 4, 3)
    rows = tasks.in_a_row(values, 3)
    assert rows.shape == (2, 2, 12, 3)  # net, trial, time of three, k
    for net in range(2):
        for trial in range(2):
            for row in range(3):
                own = rows[net, trial, 4 * row : 4 * row + 4]
                assert torch.equal(own, values[net, row * 2 + trial])
    assert torch.equal(tasks.in_a_row(values, 1), values)


@pytest.mark.parametrize(
    "name", ["LinearClassificationCentOut", "LinearClassificationBound", "ContextDependent"]
)
def test_each_trial_in_a_row_has_its_own_evidence_and_targets(name):
    task = tasks.TASKS[name](n_sd_in=0.0, **({} if name == "ContextDependent" else {"n_task": 3}))
    stream = tasks.Batches([task], [generator(1)], 5, trial_num=3)
    seen = set()
    for _ in range(stream.BLOCK + 2):
        inputs, targets = next(stream)
        assert inputs.shape == (1, 5, 3 * task.n_step, task.n_channel)
        n_target = targets.shape[2] // 3
        for trial in range(5):
            for row in range(3):
                own = inputs[0, trial, row * task.n_step : (row + 1) * task.n_step]
                x = own[task.evidence_steps, task.n_fix : task.n_fix + 2]
                assert (x == x[0]).all()
                seen.add(tuple(x[0].tolist()))
                goal = task.targets_in_time(x[:1], own[None])[0]
                assert torch.equal(targets[0, trial, row * n_target : (row + 1) * n_target], goal)
    assert len(seen) == 15 * (stream.BLOCK + 2)


@pytest.mark.parametrize("n_before", [0, 1, 7, tasks.Batches.BLOCK, tasks.Batches.BLOCK + 1])
@pytest.mark.parametrize("trial_num", [1, 3])
def test_a_stream_of_batches_resumes(n_before, trial_num):
    def stream():
        task = tasks.ContextDependent() if trial_num > 1 else tasks.LinearClassificationCentOut()
        return tasks.Batches([task], [generator(1)], 4, trial_num)

    first, second = stream(), stream()
    for _ in range(n_before):
        next(first)
    second.load_state_dict(first.state_dict())
    for _ in range(tasks.Batches.BLOCK + 2):
        for mine, others in zip(next(first), next(second), strict=True):
            assert torch.equal(mine, others)


# ------------------------------------------------------------------ settings


def test_make_task_passes_on_what_a_task_takes():
    def made(**settings):
        settings = {"n_task": (8,), **settings}
        return tasks.make_task(train.settled(train.Config(**settings)) | {"n_task": 8})

    assert made(n_sd_in=3.0).sigma == pytest.approx(0.3)
    assert made(dist="gumbel").dist == "gumbel"
    assert made(corr=0.3).corr == 0.3
    assert made(autocorr=True, ar_coef=0.4).noise_ar == 0.4
    assert made(task="LinearClassificationBound", bound=3.0).bound == 3
    assert made(task="LinearClassificationHighDim", n_dim=6).n_dim == 6
    assert made(dt=50, delay=250, stimulus=1000).n_step == 2 + 20 + 5 + 2
    assert made(noise_enc=True).sigma == 0


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
        {"timing": {"decision": 0}},
        {"dt": 0},
        {"dt": -100},
        {"dt": 30},
        {"dist": "cauchy"},
        {"n_sd_in": float("inf")},
    ],
)
def test_settings_out_of_range(settings):
    with pytest.raises(UserError):
        tasks.LinearClassificationCentOut(**settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("LinearClassificationHighDim", {"n_dim": 1}),
        ("LinearClassificationHighDim", {"n_dim": 101}),
        ("LinearClassificationHighDim", {"n_dim": 4, "n_task": 0}),
        ("LinearClassificationCorr", {"corr": 1.1}),
        ("LinearClassificationCorr", {"corr": -2}),
        ("LinearClassificationCorr", {"corr": float("nan")}),
        ("LinearClassificationAutocorr", {"ar_coef": 1.0}),
        ("LinearClassificationAutocorr", {"ar_coef": float("nan")}),
        ("LinearClassificationAutocorr", {"dist": "gumbel"}),
        ("MultiplyClassificationFull", {"n_task": 6}),
        ("MultiplyClassificationFull", {"n_task": 0}),
        ("MultiplyClassificationFull", {"n_dim": 3}),
        ("MultiplyClassificationFull", {"n_task": 8, "thresholds": [0.1]}),
        ("MultiplyClassificationFull", {"n_task": 8, "thresholds": [0.1, -0.1]}),
        ("MultiplyClassificationFull", {"thresholds": [float("nan")]}),
        ("LinearClassificationBound", {"bound": 0.0}),
        ("LinearClassificationBound", {"bound": float("inf")}),
        ("LinearClassificationBound", {"bound": float("nan")}),
        ("LinearClassificationBound", {"timing": {"delay": 300}}),
        ("LinearClassificationBound", {"timing": {"fixation": 100}}),
        ("LinearClassificationBound", {"timing": {"decision": 100}}),
        ("LinearClassificationBound", {"timing": {"stimulus": 0}}),
        ("TwoAlternativeForcedChoiceCent", {"n_task": 2}),
        ("AttributeIntegrationCent", {"n_dim": 3}),
        ("ContextDependent", {"n_task": 2}),
        ("ContextDependent", {"rule_input": False}),
        ("DenoiseQuads", {"n_dim": 3}),
        ("DenoiseQuadsHighDim", {"n_dim": 1}),
        ("DenoiseQuadsHighDim", {"n_dim": 0}),
        ("DenoiseQuadsHighDim", {"n_dim": 4, "factors": (1, 1)}),
        ("DenoiseQuadsHighDim", {"n_dim": 4, "factors": (3, -1)}),
        ("DenoiseQuadsHighDim", {"n_dim": 4, "factors": (0, 4)}),
        ("DenoiseQuadsHighDim", {"n_dim": 4, "factors": (0, -5)}),
        ("DenoiseQuadsHighDim", {"quad_num": 4}),
        ("DenoiseQuadsFreeRT", {"timing": {"decision": 0}}),
        ("DenoiseQuadsFreeRT", {"quad_num": ()}),
    ],
)
def test_settings_that_a_task_cannot_use(name, settings):
    with pytest.raises(UserError):
        tasks.TASKS[name](**settings)


def test_a_misspelled_setting_is_not_swallowed():
    for task in tasks.TASKS.values():
        with pytest.raises(TypeError):
            task(nsd_in=1.0)


@pytest.mark.parametrize("quad_num", [4, (), (0, 7), -1])
def test_unknown_quadrants(quad_num):
    with pytest.raises(UserError):
        tasks.DenoiseQuads(quad_num=quad_num)


@pytest.mark.parametrize("name", ["LinearClassificationCentOut", "DenoiseQuadsFreeRT", "all"])
def test_picture_of_a_trial(name, script, tmp_path):
    picture = tmp_path / "trial.png"
    code, out, _ = script("tasks", "--task", name, "--plot", picture)
    assert code == 0 and str(picture) in out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    code, _, err = script("tasks", "--task", "NoSuchTask", "--plot", picture)
    assert code == 2 and "NoSuchTask" in err
