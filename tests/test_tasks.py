"""The environments are genuine, and the batch sampler is the same task."""

import itertools
import math
import warnings

import gymnasium
import neurogym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from torch.special import ndtri

import batches
import tasks
from settings import complete
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
CENT_OUT = tasks.LinearClassificationCentOut
LINES = [name for name in NAMES if name.startswith("Linear")]
SIGNS = [(-1, -1), (-1, 1), (1, -1), (1, 1)]  # of x1, x2, by quadrant


def draw(task, n_trial, seed=0):
    """Trials of one task: inputs (trial, time, channel), targets (trial, time, k), x (trial, D)."""
    return [values[0] for values in batches.sample([task], [generator(seed)], n_trial)]


def noise_of(task, n_trial=20_000):
    """The noise in the evidence, (trial, time, D)."""
    inputs, _, x = draw(task, n_trial)
    return inputs[:, task.evidence_steps, task.evidence] - x[:, None]


def correlation(a, b):
    """Pearson's, of all numbers in two tensors."""
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


@pytest.mark.parametrize("name", NAMES)
def test_is_a_gymnasium_environment(name):
    env = neurogym.make(f"{name}-v0").unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_env(env, skip_render_check=True)
    env.reset(seed=5)
    ob, gt = env.ob.copy(), env.gt.copy()
    env.reset(seed=5)  # a seed repeats the trial
    assert np.array_equal(ob, env.ob) and np.array_equal(gt, env.gt)
    env.reset(seed=6)
    assert not np.array_equal(env.ob, ob)
    *before, last = [env.step(env.gt_now) for _ in range(env.n_step - 1)]
    assert last[-1]["new_trial"] and last[1] == 1.0  # the only reward comes at the end
    assert not any(reward for _, reward, *_ in before)


def test_a_new_task_is_one_class(monkeypatch):
    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))

    class Sum(CENT_OUT):
        def labels(self, x):
            return x.sum(1, keepdim=True) > 0

    assert gymnasium.registry.pop("Sum-v0") and tasks.find_task("Sum") is Sum
    env = Sum(n_task=1, seed=1)
    env.new_trial()
    assert env.trial["ground_truth"] == np.sign(env.trial["x"].sum())
    assert "Classification" not in tasks.TASKS and list(tasks.TASKS) == [*NAMES, "Sum"]


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_sampler_draws_the_trials_of_the_environment(name, settings):
    env = tasks.TASKS[name](seed=3, **settings)
    inputs, targets, x = draw(tasks.TASKS[name](**settings), 1, seed=3)
    env.new_trial()
    assert np.array_equal(inputs[0], env.ob) and np.array_equal(x[0], env.trial["x"])
    n_target = env.target_steps.stop - env.target_steps.start
    assert np.array_equal(targets[0].expand(n_target, -1), env.gt[env.target_steps])
    assert np.array_equal(env.gt[-1], env.trial["ground_truth"])
    assert not np.delete(env.gt, env.target_steps, 0).any()
    assert env.target_steps.stop == env.n_step == len(env.ob)


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_trials_of_a_batch_are_drawn_afresh(name, settings):
    task, quiet = tasks.TASKS[name](**settings), tasks.TASKS[name](n_sd_in=0.0, **settings)
    inputs, targets, x = draw(task, 50)
    assert inputs.shape == (50, task.n_step, task.n_channel) and x.shape == (50, task.n_dim)
    assert targets.shape == (50, 1 if task.target_steps.start else task.n_step, task.n_out)
    assert len(x[:, 0].unique()) == 50 and len(inputs[:, 5, task.n_fix].unique()) == 50
    assert torch.equal(inputs, draw(task, 50)[0])
    assert not torch.equal(inputs, draw(task, 50, seed=1)[0])
    quiet.cue_only(0)
    inputs, _, x = draw(quiet, 6)
    assert torch.equal(quiet.noiseless(x), inputs)
    assert torch.equal(quiet.noiseless(x.view(2, 3, -1)), inputs.unflatten(0, (2, 3)))


def test_timing_of_one_trial():
    inputs, _, x = draw(CENT_OUT(), 20_000)
    assert inputs.shape == (20_000, 22, 3)
    assert (inputs[:, :21, 0] == 1).all() and (inputs[:, 21, 0] == 0).all()
    assert (inputs[:, [0, 21], 1:] == 0).all()
    assert x.abs().max() <= 0.5 and abs(x.var() - 1 / 12) < 1e-3 and abs(x.mean()) < 5e-3
    noise = inputs[:, 1:21, 1:] - x[:, None]
    assert (torch.corrcoef(noise[..., 0].T) - torch.eye(20)).abs().max() < 0.04  # fresh each step
    inputs, _, _ = draw(CENT_OUT(timing={"stimulus": 500, "delay": 300}), 2)
    assert inputs.shape[1] == 10
    assert (inputs[:, 6:9, 1:] == 0).all() and (inputs[:, 6:9, 0] == 1).all()


def test_rewards():
    task = CENT_OUT(n_task=4)  # the share of right labels
    assert task.is_correct(np.array([0.2, -1, 3, -0.1]), np.array([1, -1, -1, -1])) == 0.75
    assert task.is_correct(np.zeros(4), np.ones(4)) == 0
    task, x = tasks.DenoiseQuads(), np.array([0.1, -0.4])  # falls with the error
    assert task.is_correct(x, x) == 1 and task.is_correct(x + 2, x) == 0
    assert task.is_correct(x + 0.1, x) == pytest.approx(1 - 12 * 0.01)


@pytest.mark.parametrize("n_task", [1, 2, 3, 6, 24, 192])
def test_labels_follow_the_definition(n_task):
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (500, 2)).astype(np.float32)
    targets = CENT_OUT(n_task=n_task).targets(torch.tensor(x), None).numpy()
    assert targets.shape == (500, 1, n_task)
    x1, x2 = x.T.astype(float)
    for i in range(n_task):
        angle = (i + 0.5) * np.pi / n_task
        margin = x2 - np.tan(angle) * x1
        off = abs(margin * np.cos(angle)) > 1e-6  # not on the line itself
        assert np.array_equal(targets[off, 0, i], np.where(margin > 0, 1, -1)[off])


def test_high_dimensional_boundaries():
    task = tasks.LinearClassificationHighDim(n_task=4000, n_dim=5, normals_seed=2)
    assert torch.allclose(task.normals.norm(dim=1), torch.ones(4000), atol=1e-6)
    assert task.normals.mean(0).abs().max() < 0.03  # uniform on the sphere
    assert (task.normals.T @ task.normals / 4000 - torch.eye(5) / 5).abs().max() < 0.02
    x = torch.randn(10, 5)
    assert torch.equal(task.targets(x, None)[:, 0], 2.0 * (x @ task.normals.T > 0) - 1)
    assert not torch.equal(task.normals, type(task)(4000, n_dim=5, normals_seed=3).normals)


@pytest.mark.parametrize("name", LINES)
def test_sigma_of_every_task(name):
    ratio = torch.tensor([1.0, 2.0 if name == "LinearClassificationAnisot" else 1.0])
    for given, sigma in (({}, 0.2), ({"n_sd_in": 4.0}, 0.4), ({"dt": 50}, 2 / math.sqrt(50))):
        noise = noise_of(tasks.TASKS[name](**given), 20_000)
        assert torch.allclose(noise.std((0, 1)), sigma * ratio, rtol=0.01)
        assert abs(correlation(noise[..., 0], noise[..., 1])) < 0.01
        assert (noise.mean((0, 1)).abs() < 3e-3).all()
    assert (noise_of(tasks.TASKS[name](n_sd_in=0.0), 10).abs() < 1e-7).all()


def test_gumbel_noise():
    noise = noise_of(CENT_OUT(dist="gumbel"))
    assert noise.std().item() == pytest.approx(math.pi / math.sqrt(6) * 0.2, abs=1e-3)
    for value in (-0.3, 0.0, 0.2, 0.6):  # its distribution function
        share = (noise < value).float().mean().item()
        assert share == pytest.approx(math.exp(-math.exp(-value / 0.2)), abs=2e-3)
    pairs = (noise[:, 1:], noise[:, :-1]), (noise[..., 0], noise[..., 1])
    assert all(abs(correlation(*pair)) < 0.01 for pair in pairs)


@pytest.mark.parametrize("ar_coef", [0.7, -0.4, 0.0])
def test_autocorrelated_noise(ar_coef):
    noise = noise_of(tasks.LinearClassificationAutocorr(ar_coef=ar_coef))
    assert torch.allclose(noise.std((0, 2)), torch.tensor(0.2), atol=3e-3)  # in every step
    for lag in (1, 2, 5):
        lagged = correlation(noise[:, lag:], noise[:, :-lag])
        assert lagged == pytest.approx(ar_coef**lag, abs=0.01)


def test_autocorrelated_noise_equals_a_loop_over_steps():
    assert tasks.LinearClassificationAutocorr().noise_ar == 0.7
    fast = tasks.LinearClassificationAutocorr(ar_coef=0.6).draw_noise(7, generator(0))
    fresh = CENT_OUT().draw_noise(7, generator(0))
    slow = fresh.clone()
    for trial, t in itertools.product(range(7), range(1, 20)):
        slow[trial, t] = 0.6 * slow[trial, t - 1] + 0.8 * fresh[trial, t]
    assert torch.allclose(fast, slow, atol=1e-6)


@pytest.mark.parametrize("corr", [0.0, 0.5, -0.7, 1.0, -1.0])
def test_correlated_factors_are_a_gaussian_copula(corr):
    _, _, x = draw(tasks.LinearClassificationCorr(corr=corr), 50_000)
    z = ndtri((x.double() + 0.5).clamp(1e-9, 1 - 1e-9))
    assert torch.corrcoef(z.T)[0, 1].item() == pytest.approx(corr, abs=0.015)
    uniform = torch.linspace(-0.5, 0.5, len(x))[:, None]  # each factor is uniform
    assert (x.sort(0).values - uniform).abs().max() < 0.01
    if abs(corr) == 1:
        assert torch.allclose(x[:, 0], corr * x[:, 1], atol=1e-6)


@pytest.mark.parametrize("n_task", [4, 8, 24])
def test_non_linear_labels_follow_the_definition(n_task):
    per_quadrant = n_task // 4
    default = 0.2 * np.linspace(1 / (2 * n_task), 1, per_quadrant)
    for given, used in ((None, default), (np.full(per_quadrant, 0.1),) * 2):
        _, targets, x = draw(tasks.MultiplyClassificationFull(n_task, thresholds=given), 500)
        area = x.prod(1).abs()
        for (q, sign), (i, threshold) in itertools.product(enumerate(SIGNS), enumerate(used)):
            label = (x.sign() == torch.tensor(sign)).all(1) & (area > threshold)
            off = (area - threshold).abs() > 1e-6  # not on the curve itself
            assert torch.equal(targets[off, 0, q * per_quadrant + i], 2.0 * label[off] - 1)


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
    assert inputs.shape == (60, 20, 2) and (inputs != 0).all()  # no fixation, evidence always
    slow = np.stack([slow_bound(task, evidence) for evidence in inputs.double()])
    assert targets.shape == slow.shape and np.allclose(targets.numpy(), slow, atol=1e-5)
    assert targets.abs().max() == bound and (targets.abs() < bound).any() == (n_task > 1)
    agree = targets[:, -1].sign() == CENT_OUT(n_task=n_task).targets(x, None)[:, 0]
    assert agree.float().mean() > 0.7  # what accumulates is evidence for the labels
    if n_task % 2:  # a vertical line is decided at once
        vertical = targets[..., n_task // 2]
        assert (vertical.abs() == bound).all() and torch.equal(vertical[:, 0], vertical[:, -1])


@pytest.mark.parametrize("rule", [0, 1])
def test_one_rule_alone(rule):
    name = ("TwoAlternativeForcedChoiceCent", "AttributeIntegrationCent")[rule]
    cued, both = tasks.ContextDependent(), tasks.ContextDependent()
    cued.cue_only(rule)
    silent, shown = tasks.TASKS[name](), tasks.TASKS[name](rule_input=True)
    for task in (silent, shown, cued):
        inputs, targets, x = draw(task, 300)
        label = x[:, 1] > x[:, 0] if rule == 0 else x[:, 0] + x[:, 1] > 0
        assert torch.equal(targets[:, 0, 0], 2.0 * label - 1)
        assert torch.equal(task.labels(x), both.labels(x)[:, [rule]])
        assert inputs.shape == (300, 22, 3 if task is silent else 5)
        if task is not silent:
            assert (inputs[..., 3 + rule] == 1).all() and (inputs[..., 4 - rule] == 0).all()
    for task, wrong in ((both, 2), (both, -1), (shown, 1)):
        with pytest.raises(UserError):
            task.cue_only(wrong)
    CENT_OUT().cue_only(7)  # no rules, nothing to choose


def test_the_target_follows_the_cued_rule():
    inputs, targets, x = draw(tasks.ContextDependent(), 4000)
    assert inputs.shape == (4000, 22, 5) and targets.shape == (4000, 1, 1)
    rule = inputs[:, :, 3:]
    assert (rule == rule[:, :1]).all() and (rule.sum(2) == 1).all()  # throughout the trial
    label = torch.where(rule[:, 0, 0] == 1, x[:, 1] > x[:, 0], x.sum(1) > 0)
    assert torch.equal(targets[:, 0, 0], 2.0 * label - 1)
    assert ((rule == 0) | (rule == 1)).all() and abs(rule[..., 0].mean() - 0.5) < 0.03
    assert abs(correlation(rule[:, 0, 0], x[:, 0])) < 0.05
    both = tasks.ContextDependent().labels(x)  # x2 > x1 and x2 > -x1, as two lines ask
    assert torch.equal(both, CENT_OUT(n_task=2).labels(x))


@pytest.mark.parametrize("n_dim", [2, 5])
@pytest.mark.parametrize("factors", [(-2, -1), (0, -1), (1, 0)])
def test_quadrants_of_regression_tasks(n_dim, factors):
    for quadrants in (0, 1, 2, 3, (1, 3), (0, 2)):
        task = tasks.DenoiseQuadsHighDim(quad_num=quadrants, n_dim=n_dim, factors=factors)
        _, targets, x = draw(task, 3000)
        assert torch.equal(targets[:, 0], x) and x.abs().max() <= 0.5
        assert ((x.abs().mean(0) - 0.25).abs() < 0.012).all()
        one = np.ndim(quadrants) == 0
        first, second = SIGNS[quadrants if one else quadrants[0]]
        assert (x[:, factors[1]] * second > 0).all()
        positive = (x[:, factors[0]] > 0).float().mean()  # of two quadrants as often as negative
        assert positive == (first > 0) if one else abs(positive - 0.5) < 0.04
        others = sorted(set(range(n_dim)) - {f % n_dim for f in factors})
        assert (x[:, others].mean(0).abs() < 0.03).all()


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
    assert draw(tasks.DenoiseQuadsFreeRT(), 3)[0].shape == (3, 21, 2)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("LinearClassificationAnisot", {}),
        ("LinearClassificationAutocorr", {"ar_coef": 0.5}),
        ("TwoAlternativeForcedChoiceCent", {"rule_input": True}),
        ("ContextDependent", {"n_sd_in": 3.0}),
        ("LinearClassificationBound", {"timing": {"stimulus": 1000}}),
    ],
)
def test_trials_for_decoders_have_noise_rules_and_timing_of_the_task(name, settings):
    like = tasks.TASKS[name](**settings)
    task = like.decoding_task(quad_num=(0, 1), stimulus=700)
    assert type(task) is (tasks.DenoiseQuadsHighDim if like.n_fix else tasks.DenoiseQuadsFreeRT)
    assert task.timing == {**like.timing, "stimulus": 700, "decision": 100}
    assert like.decoding_task(0).timing["stimulus"] == like.timing["stimulus"]
    assert task.sigma == like.sigma and (task.quad_num, task.factors) == ([0, 1], (-2, -1))
    inputs, targets, x = draw(task, 8000)
    assert inputs.shape[2] == like.n_channel and torch.equal(targets[:, 0], x)
    noise, ratio = noise_of(task, 8000), 2 if name == "LinearClassificationAnisot" else 1
    assert noise[..., 1].std() / noise[..., 0].std() == pytest.approx(ratio, abs=0.02)
    assert correlation(noise[:, 1:], noise[:, :-1]) == pytest.approx(like.noise_ar, abs=0.02)
    if like.n_rule:
        share = inputs[:, :, task.rules].mean((0, 1))
        expected = torch.tensor([0.5, 0.5] if name == "ContextDependent" else [1.0, 0.0])
        assert torch.allclose(share, expected, atol=0.02)
        assert (inputs[:, :, task.rules].sum(2) == 1).all()


def test_a_network_sees_the_same_trials_alone_and_among_others():
    both = [CENT_OUT(n_task=n) for n in (2, 6)]
    among = batches.Batches(both, [generator(1), generator(2)], 4)
    alone = batches.Batches(both[1:], [generator(2)], 4)
    for _ in range(batches.Batches.BLOCK + 3):
        (inputs, targets), (own_inputs, own_targets) = next(among), next(alone)
        assert torch.equal(inputs[1], own_inputs[0]) and torch.equal(targets[1], own_targets[0])
        assert (targets[0, ..., 2:] == 0).all()


@pytest.mark.parametrize("name", [NAMES[0], "LinearClassificationBound", "ContextDependent"])
def test_each_trial_in_a_row_has_its_own_evidence_and_targets(name):
    task = tasks.TASKS[name](n_sd_in=0.0)
    stream = batches.Batches([task], [generator(1)], 5, trial_num=3)
    seen = set()
    for _ in range(stream.BLOCK + 2):
        inputs, targets = next(stream)
        assert inputs.shape == (1, 5, 3 * task.n_step, task.n_channel)
        n_target = targets.shape[2] // 3
        for trial, row in itertools.product(range(5), range(3)):
            own = inputs[0, trial, row * task.n_step :][: task.n_step]
            x = own[task.evidence_steps, task.evidence]
            assert (x == x[0]).all()
            seen.add(tuple(x[0].tolist()))
            goal = task.targets(x[:1], own[None])[0]
            assert torch.equal(targets[0, trial, row * n_target :][:n_target], goal)
    assert len(seen) == 15 * (stream.BLOCK + 2)


@pytest.mark.parametrize("n_before", [0, 1, 7, batches.Batches.BLOCK, batches.Batches.BLOCK + 1])
@pytest.mark.parametrize("trial_num", [1, 3])
def test_a_stream_of_batches_resumes(n_before, trial_num):
    def stream():
        task = tasks.ContextDependent() if trial_num > 1 else CENT_OUT()
        return batches.Batches([task], [generator(1)], 4, trial_num)

    first, second = stream(), stream()
    for _ in range(n_before):
        next(first)
    second.load_state_dict(first.state_dict())
    for _ in range(batches.Batches.BLOCK + 2):
        for mine, others in zip(next(first), next(second), strict=True):
            assert torch.equal(mine, others)


def test_make_task_passes_on_what_a_task_takes():
    def made(n_task=8, **values):
        return tasks.make_task(complete({"n_task": n_task, "run": 0, **values}), 4)

    assert made(n_sd_in=3.0).sigma == pytest.approx(0.3)
    assert made(dist="gumbel").dist == "gumbel" and made(corr=0.3).corr == 0.3
    assert made(autocorr=True, ar_coef=0.4).noise_ar == 0.4
    assert made(task="LinearClassificationBound", bound=3.0).bound == 3
    assert made(1, task="ContextDependent").n_rule == 2
    task = made(task="LinearClassificationHighDim", n_dim=6)
    assert task.n_dim == 6 and task.extras == {"normals": task.normals.tolist()}
    assert torch.equal(task.normals, type(task)(8, n_dim=6, normals_seed=4).normals)
    assert made(dt=50, delay=250, stimulus=1000).n_step == 2 + 20 + 5 + 2
    assert made(noise_enc=True).sigma == 0 and made().extras == {}
    with pytest.raises(UserError, match="NoSuchTask"):
        tasks.find_task("NoSuchTask")


NAN, INF = float("nan"), float("inf")
BAD = [  # task, settings that it cannot have
    ("LinearClassificationCentOut", {"n_task": 0}, {"n_dim": 3}, {"n_sd_in": -1.0}, {"dt": 0}),
    ("LinearClassificationCentOut", {"n_sd_in": NAN}, {"n_sd_in": INF}, {"dt": -100}, {"dt": 30}),
    ("LinearClassificationCentOut", {"timing": {"stimulus": 250}}, {"timing": {"delay": -100}}),
    ("LinearClassificationCentOut", {"timing": {"stimulus": 0}}, {"timing": {"decision": 0}}),
    ("LinearClassificationCentOut", {"timing": {"delya": 100}}, {"dist": "cauchy"}),
    ("LinearClassificationHighDim", {"n_dim": 1}, {"n_dim": 101}, {"n_task": 0, "n_dim": 4}),
    ("LinearClassificationCorr", {"corr": 1.1}, {"corr": -2}, {"corr": NAN}),
    ("LinearClassificationAutocorr", {"ar_coef": 1.0}, {"ar_coef": NAN}, {"dist": "gumbel"}),
    ("MultiplyClassificationFull", {"n_task": 0}, {"n_task": 6}, {"n_dim": 3}),
    ("MultiplyClassificationFull", *({"thresholds": t} for t in ([0.1, 0.1], [-0.1], [NAN]))),
    ("LinearClassificationBound", {"bound": 0.0}, {"bound": INF}, {"bound": NAN}),
    ("LinearClassificationBound", {"timing": {"delay": 300}}, {"timing": {"fixation": 100}}),
    ("LinearClassificationBound", {"timing": {"decision": 100}}, {"timing": {"stimulus": 0}}),
    ("TwoAlternativeForcedChoiceCent", {"n_task": 2}),
    ("AttributeIntegrationCent", {"n_dim": 3}),
    ("ContextDependent", {"n_task": 2}, {"rule_input": False}),
    ("DenoiseQuads", {"n_dim": 3}, *({"quad_num": q} for q in (4, (), (0, 7), -1))),
    ("DenoiseQuadsHighDim", {"n_dim": 0}, {"n_dim": 1}, {"quad_num": 4}, {"factors": (0,)}),
    ("DenoiseQuadsHighDim", *({"factors": f} for f in ((1, 1), (1, -1), (0, 2), (0, -3)))),
    ("DenoiseQuadsFreeRT", {"timing": {"decision": 0}}, {"timing": {"stimulus": 0}}),
]


@pytest.mark.parametrize("bad", BAD)
def test_settings_that_a_task_cannot_use(bad):
    for settings in bad[1:]:
        with pytest.raises(UserError):
            tasks.TASKS[bad[0]](**settings)


def test_a_misspelled_setting_is_not_swallowed():
    for task in tasks.TASKS.values():
        with pytest.raises(TypeError):
            task(nsd_in=1.0)


@pytest.mark.parametrize("name", ["LinearClassificationCentOut", "DenoiseQuadsFreeRT", "all"])
def test_picture_of_a_trial(name, script, tmp_path):
    picture = tmp_path / "trial.png"
    code, out, _ = script("tasks", "--task", name, "--plot", picture)
    assert code == 0 and str(picture) in out and picture.read_bytes()[:4] == b"\x89PNG"
    code, _, err = script("tasks", "--task", name, "--n_task", 6, "--plot", picture)
    assert code == 0 and err.startswith("MultiplyClassificationFull is left out") == (name == "all")
    assert err.count("\n") == (name == "all")
    for wrong in (("--task", "NoSuchTask"), ("--task", "DenoiseQuads", "--n_dim", "3")):
        code, _, err = script("tasks", *wrong, "--plot", picture)
        assert code == 2 and wrong[1] in err
