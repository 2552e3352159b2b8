"""The tasks: what a network sees and what it must say.

Each task is a neurogym environment, made with `neurogym.make('LinearClassificationCentOut-v0')`,
and the same description feeds `sample`, which draws whole batches for many networks at once.
A task says only what differs from `EvidenceTask`: how x* is drawn, what the noise is, what the
targets are.

    python tasks.py --plot tasks.png                                  all of them
    python tasks.py --task LinearClassificationCentOut --n_task 6 --plot trial.png
"""

import ctrl_c  # noqa: F401

# isort: split
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import torch
import torch.nn.functional as F

with warnings.catch_warnings():  # neurogym warns about optional packages we do not use
    warnings.simplefilter("ignore")
    from neurogym.core import TrialEnv
    from neurogym.utils import spaces

from util import UserError, generator, run_script, write_atomic

PERIODS = ("fixation", "stimulus", "delay", "decision")
TIMING = {"fixation": 100, "stimulus": 2000, "delay": 0, "decision": 100}  # ms
FREE_TIMING = {"fixation": 0, "stimulus": 2000, "delay": 0, "decision": 0}  # ms, free reaction time


class EvidenceTask(TrialEnv):
    """Noisy evidence about a hidden x*, then a report (SPEC 1).

    Observation: fixation channel, D evidence channels, and a one-hot rule where there are rules. In
    every stimulus step evidence is x* + sigma * noise; elsewhere it is 0.
    Action: `n_out` numbers. Target: `targets(x)` in the decision step, 0 in every other step.

    Args:
        n_dim: D, number of evidence channels.
        n_sd_in: input noise in the paper's unit; sigma = n_sd_in / sqrt(dt) = 0.2 at the defaults.
        dist: distribution of the noise: 'gauss', or 'gumbel' (location 0, scale sigma).
        timing: dict of ms for any of fixation, stimulus, delay, decision.
        dt: ms per step.
        seed: of the environment's own trials; `reset(seed=...)` sets it anew.

    Raises:
        UserError: a setting out of range.
    """

    metadata = {
        "paper_name": "Disentangling Representations through Multi-task Learning",
        "paper_link": "https://arxiv.org/abs/2407.11249",
        "tags": ["supervised", "perceptual", "steps action space"],
        "render_modes": [],
    }
    SETTINGS = ("n_dim", "n_sd_in", "dt", "dist")  # of `train.Config` that the task takes
    LR = 1e-3  # Adam's learning rate in the paper
    dim_allowed = (1, 100)
    noise_ratio = (1.0, 1.0)  # standard deviation of the channels' noise, in units of sigma
    noise_ar = 0.0  # its AR(1) coefficient
    needed = ("stimulus", "decision")  # periods of at least one step
    n_fix = 1  # fixation channels
    n_rule = 0  # rule channels
    cued = ()  # the rules that may be cued, one of them in each trial
    decoding_task = "DenoiseQuadsHighDim"  # where decoders of its networks are fitted and tested

    def __init__(self, n_dim=2, n_sd_in=2.0, dist="gauss", timing=None, dt=100, seed=None):
        super().__init__(dt=dt)
        self.n_dim, self.n_sd_in, self.dist = n_dim, n_sd_in, dist
        self.timing = {**TIMING, **(timing or {})}
        self._check()
        self.sigma = n_sd_in / math.sqrt(dt)
        edges = np.cumsum([0, *(self.timing[p] // dt for p in PERIODS)]).tolist()
        self.steps = {p: slice(*edges[i : i + 2]) for i, p in enumerate(PERIODS)}
        self.n_step = edges[-1]
        names = {"stimulus": list(range(self.n_fix, self.n_fix + n_dim))}
        names |= {"fixation": 0} if self.n_fix else {}
        names |= {"rule": list(range(self.n_channel - self.n_rule, self.n_channel))}
        self.observation_space = spaces.Box(
            -np.inf, np.inf, shape=(self.n_channel,), dtype=np.float32, name=names
        )
        self.action_space = gymnasium.spaces.Box(
            -self.largest_action, self.largest_action, (self.n_out,), np.float32
        )
        self.seed(seed)

    def _check(self):
        low, high = self.dim_allowed
        name = type(self).__name__
        if not low <= self.n_dim <= high:
            wants = f"n_dim = {low}" if low == high else f"n_dim from {low} to {high}"
            raise UserError(f"{name} needs {wants}, not {self.n_dim}")
        if not (math.isfinite(self.n_sd_in) and self.n_sd_in >= 0):
            raise UserError(f"n_sd_in is a noise level, 0 or more, not {self.n_sd_in}")
        if self.dist not in ("gauss", "gumbel"):
            raise UserError(f"dist is gauss or gumbel, not {self.dist}")
        if self.dt <= 0:
            raise UserError(f"dt is a time step in ms, above 0, not {self.dt}")
        unknown = set(self.timing) - set(PERIODS)
        if unknown:
            raise UserError(f"timing has no period {sorted(unknown)}; it has {', '.join(PERIODS)}")
        for period, ms in self.timing.items():
            if ms < 0 or ms % self.dt:
                raise UserError(
                    f"timing: {period} = {ms} ms is not a multiple of dt = {self.dt} ms"
                )
        for period in self.needed:
            if self.timing[period] < self.dt:
                raise UserError(f"timing: {period} needs at least one step of {self.dt} ms")

    # What a task may change -------------------------------------------------

    @property
    def n_out(self):
        """Number of targets."""
        raise NotImplementedError

    @property
    def n_channel(self):
        """Number of input channels."""
        return self.n_fix + self.n_dim + self.n_rule

    @property
    def largest_action(self):
        """Actions lie between minus this and this."""
        return 1.0

    @property
    def evidence_steps(self):
        """When evidence is shown."""
        return self.steps["stimulus"]

    @property
    def target_steps(self):
        """When there are targets other than 0."""
        return self.steps["decision"]

    def draw_latents(self, out, rng):
        """Fill `out` (trial, D) with x*, uniform on [-0.5, 0.5]^D."""
        out.uniform_(-0.5, 0.5, generator=rng)

    def targets(self, x):
        """Targets (trial, n_out) for x* (trial, D)."""
        raise NotImplementedError

    def targets_in_time(self, x, inputs):
        """Targets (trial, 1 or target steps, n_out) for x* and inputs (trial, time, channel)."""
        return self.targets(x)[:, None]

    def is_correct(self, action, target):
        """Reward of an action in the decision step, from 0 to 1."""
        raise NotImplementedError

    # What is the same for all ------------------------------------------------

    def draw_noise(self, n_trial, rng):
        """Noise in units of sigma, (trial, time, D), stored trial-last as the inputs are."""
        steps = self.evidence_steps
        shape = self.n_dim, steps.stop - steps.start, n_trial
        noise = torch.empty(shape, device=rng.device)
        if self.dist == "gumbel":
            noise.exponential_(generator=rng).clamp_min_(1e-30).log_().neg_()
        else:
            noise.normal_(generator=rng)
        if self.noise_ar:  # stationary: the marginal standard deviation stays as it is
            fresh = math.sqrt(1 - self.noise_ar**2)
            for t in range(1, shape[1]):
                noise[:, t] = self.noise_ar * noise[:, t - 1] + fresh * noise[:, t]
        if any(ratio != 1 for ratio in self.noise_ratio):
            noise *= torch.tensor(self.noise_ratio, device=rng.device)[:, None, None]
        return noise.permute(2, 1, 0)

    def fill(self, inputs, x, rng):
        """Draw trials in place. inputs: (trial, time, channel), x: (trial, D)."""
        self.draw_latents(x, rng)
        inputs.zero_()
        if self.n_fix:
            inputs[:, : self.steps["decision"].start, 0] = 1
        noise, evidence = self.draw_noise(len(x), rng), slice(self.n_fix, self.n_fix + self.n_dim)
        shown = torch.add(x[:, None], noise, alpha=self.sigma)
        inputs[:, self.evidence_steps, evidence] = shown
        if self.n_rule:
            cued = torch.tensor(self.cued, device=x.device)
            pick = torch.randint(len(cued), (len(x),), generator=rng, device=x.device)
            inputs[..., -self.n_rule :] = F.one_hot(cued[pick], self.n_rule)[:, None]

    def seed(self, seed=None):
        """Seed the trial generator; None draws a fresh seed."""
        super().seed(seed)
        self.generator = generator(self.rng.randint(2**31) if seed is None else seed)
        return [seed]

    def reset(self, seed=None, options=None):
        """As in gymnasium; a seed also reseeds the trials, which neurogym leaves out."""
        if seed is not None:
            self.seed(seed)
        return super().reset(seed=seed, options=options)

    def _new_trial(self):
        inputs = torch.empty(1, self.n_step, self.n_channel)
        x = torch.empty(1, self.n_dim)
        self.fill(inputs, x, self.generator)
        target = self.targets_in_time(x, inputs)[0].numpy()
        self.add_period(list(PERIODS), last_period=True)
        self.add_ob(inputs[0].numpy())
        self.set_groundtruth(0)
        self.gt[self.target_steps] = target
        return {"x": x[0].numpy(), "ground_truth": target[-1]}

    def _step(self, action):
        new_trial, reward = self.t_ind == self.n_step - 1, 0.0
        if new_trial or self.in_period("decision"):
            reward = self.is_correct(np.asarray(action), self.gt_now)
            self.performance = reward
        return self.ob_now, reward, False, False, {"new_trial": new_trial, "gt": self.gt_now}


# ------------------------------------------------------------------ classification


class Classification(EvidenceTask):
    """Targets -1/+1, one per label (base class)."""

    n_task: int

    @property
    def n_out(self):
        return self.n_task

    def targets(self, x):
        """+1 where the label is 1, else -1."""
        return self.labels(x).to(x).mul_(2).sub_(1)

    def labels(self, x):
        """Labels (trial, n_task), bool, for x* (trial, D)."""
        raise NotImplementedError

    def is_correct(self, action, target):
        """Share of labels on whose side the action is."""
        return float(np.mean(np.sign(action) == np.sign(target)))


class LinearClassification(Classification):
    """On which side of each of N_task boundaries does x* lie? (base class)

    Args:
        n_task: N_task, number of boundaries.
        others: as `EvidenceTask`.
    """

    def __init__(self, n_task=2, **settings):
        if n_task < 1:
            raise UserError(f"n_task counts boundaries, 1 or more, not {n_task}")
        self.n_task = n_task
        super().__init__(**settings)
        self.normals = self.draw_normals()

    def draw_normals(self):
        """Unit normals c_i of the boundaries, (n_task, D)."""
        raise NotImplementedError

    def labels(self, x):
        """1 where c_i . x > 0."""
        return x @ self.normals.to(x).T > 0


class LinearClassificationCentOut(LinearClassification):
    """N_task lines through the origin at angles phi_i = (i + 1/2) pi / N_task (SPEC 1).

    Label i is 1 where x2 > tan(phi_i) x1. D = 2.
    """

    dim_allowed = (2, 2)

    @property
    def phi(self):
        """Angles of the lines in radians."""
        return (np.arange(self.n_task) + 0.5) * np.pi / self.n_task

    def draw_normals(self):
        side = np.where(np.cos(self.phi) > 0, 1, -1)  # dividing by a negative cosine turns > into <
        normals = np.stack([-np.sin(self.phi), np.cos(self.phi)], 1) * side[:, None]
        return torch.tensor(normals).float()


class LinearClassificationHighDim(LinearClassification):
    """N_task unit normals drawn uniformly on the sphere, any D; label i is 1 where c_i . x > 0.

    Args:
        normals_seed: which draw of the boundaries.
        others: as `LinearClassification`.
    """

    dim_allowed = (2, 100)

    def __init__(self, n_task=2, normals_seed=0, **settings):
        self.normals_seed = normals_seed
        super().__init__(n_task, **settings)

    def draw_normals(self):
        draw = torch.empty(self.n_task, self.n_dim, dtype=torch.float64)
        draw.normal_(generator=generator(self.normals_seed))
        return (draw / draw.norm(dim=1, keepdim=True)).float()


class LinearClassificationCorr(LinearClassificationCentOut):
    """Factors of x* correlated by a Gaussian copula: Phi(z) - 0.5, corr the correlation of z.

    Args:
        corr: from -1 to 1.
        others: as `LinearClassification`.
    """

    SETTINGS = (*LinearClassificationCentOut.SETTINGS, "corr")

    def __init__(self, n_task=2, corr=0.0, **settings):
        if not -1 <= corr <= 1:
            raise UserError(f"corr is a correlation, from -1 to 1, not {corr}")
        self.corr = corr
        super().__init__(n_task, **settings)

    def draw_latents(self, out, rng):
        """x1 and x2 each uniform on [-0.5, 0.5]."""
        out.normal_(generator=rng)
        out[:, 1].mul_(math.sqrt(1 - self.corr**2)).add_(out[:, 0], alpha=self.corr)
        out.copy_(torch.special.ndtr(out)).sub_(0.5)


class LinearClassificationAnisot(LinearClassificationCentOut):
    """Noise of the second channel twice that of the first."""

    noise_ratio = (1.0, 2.0)


class LinearClassificationAutocorr(LinearClassificationCentOut):
    """Noise correlated in time, AR(1), its marginal standard deviation still sigma.

    Args:
        ar_coef: coefficient, between -1 and 1.
        others: as `LinearClassification`.
    """

    SETTINGS = (*LinearClassificationCentOut.SETTINGS, "ar_coef")

    def __init__(self, n_task=2, ar_coef=0.7, **settings):
        if not -1 < ar_coef < 1:
            raise UserError(f"ar_coef lies between -1 and 1, not {ar_coef}")
        if settings.get("dist", "gauss") != "gauss":
            raise UserError("AR(1) noise is Gaussian; leave out dist")
        self.noise_ar = ar_coef
        super().__init__(n_task, **settings)


class MultiplyClassificationFull(Classification):
    """Non-linear boundaries: in each quadrant N_task/4 labels ask if |x1 x2| exceeds a threshold.

    Labels of a quadrant are 0 where x* lies in another one. Quadrants are in the order of
    `DenoiseQuads`.

    Args:
        n_task: N_task, a multiple of 4.
        thresholds: N_task/4 numbers; None: 0.2 linspace(1 / (2 N_task), 1, N_task/4).
        others: as `EvidenceTask`.
    """

    dim_allowed = (2, 2)

    def __init__(self, n_task=4, thresholds=None, **settings):
        if n_task < 4 or n_task % 4:
            raise UserError(f"n_task must be a multiple of 4 in this task, not {n_task}")
        self.n_task = n_task
        if thresholds is None:
            thresholds = 0.2 * np.linspace(1 / (2 * n_task), 1, n_task // 4)
        self.thresholds = torch.tensor(np.asarray(thresholds), dtype=torch.float32)
        if self.thresholds.shape != (n_task // 4,) or not (self.thresholds >= 0).all():
            raise UserError(f"thresholds must be {n_task // 4} numbers, 0 or more")
        super().__init__(**settings)

    def labels(self, x):
        """(trial, n_task), one quadrant after the other."""
        above = (x[:, 0] * x[:, 1]).abs()[:, None] > self.thresholds.to(x)
        return (above[:, None] & quadrant_of(x)[..., None]).flatten(1)


def quadrant_of(x):
    """In which quadrant is x* (trial, 2)? (trial, 4), bool, in the order of `DenoiseQuads`."""
    first, second = x[:, 0] > 0, x[:, 1] > 0
    pairs = [(a, b) for a in (~first, first) for b in (~second, second)]
    return torch.stack([a & b for a, b in pairs], 1)


class LinearClassificationBound(LinearClassificationCentOut):
    """Free reaction time: at every step, how much evidence is there for each label? (SPEC 2)

    No fixation channel, only the stimulus period. Target i at step t is the running sum of
    X2 - tan(phi_i) X1, absorbed at -bound or bound once it crosses.

    Args:
        bound: absorbing bound, positive.
        others: as `LinearClassification`.
    """

    SETTINGS = (*LinearClassificationCentOut.SETTINGS, "bound")
    LR = 3e-3
    needed = ("stimulus",)
    n_fix = 0
    decoding_task = "DenoiseQuadsFreeRT"

    def __init__(self, n_task=2, bound=5.0, timing=None, **settings):
        if not (bound > 0 and math.isfinite(bound)):
            raise UserError(f"bound must be a positive number, not {bound}")
        self.bound = bound
        timing = {**FREE_TIMING, **(timing or {})}
        super().__init__(n_task, timing=timing, **settings)

    def _check(self):
        super()._check()
        others = [p for p in PERIODS if p != "stimulus" and self.timing[p]]
        if others:
            raise UserError(f"timing: a task of free reaction time has no {others[0]} period")

    @property
    def target_steps(self):
        return self.steps["stimulus"]

    @property
    def largest_action(self):
        return self.bound

    def targets_in_time(self, x, inputs):
        """(trial, time, n_task); cumulative sum up to the first crossing, then the bound."""
        tan = torch.tensor(np.tan(self.phi), device=x.device)
        evidence = inputs.double()  # tan(pi / 2) is 1.6e16
        sums = (evidence[..., 1:] - tan * evidence[..., :1]).cumsum(1)
        side = sums.sign() * (sums.abs() >= self.bound)  # 0 where the sum is within the bounds
        across = side.abs()
        first_side = side.gather(1, across.argmax(1, keepdim=True))
        return torch.where(across.cummax(1).values > 0, self.bound * first_side, sums).to(x)


# ------------------------------------------------------------------ one task at a time


class SingleTask(Classification):
    """One label; other single tasks may be cued in other trials (base class).

    Args:
        n_task: 1.
        rule_input: show which rule holds, one-hot over `RULES`, throughout the trial.
        others: as `EvidenceTask`.
    """

    SETTINGS = (*EvidenceTask.SETTINGS, "rule_input")
    RULES = ("TwoAlternativeForcedChoiceCent", "AttributeIntegrationCent")
    dim_allowed = (2, 2)

    def __init__(self, n_task=1, rule_input=False, **settings):
        if n_task != 1:
            raise UserError(f"{type(self).__name__} is one task, n_task = 1, not {n_task}")
        self.n_task, self.rule_input = 1, rule_input
        if rule_input:
            self.n_rule = len(self.RULES)
            self.cued = (self.RULES.index(type(self).__name__),)
        super().__init__(**settings)


class TwoAlternativeForcedChoiceCent(SingleTask):
    """Which of the two is larger? The label is 1 where x2 > x1."""

    def labels(self, x):
        """(trial, 1)."""
        return x[:, 1:] > x[:, :1]


class AttributeIntegrationCent(SingleTask):
    """Do they add up to more than 0? The label is 1 where x1 + x2 > 0."""

    def labels(self, x):
        """(trial, 1)."""
        return x.sum(1, keepdim=True) > 0


class ContextDependent(SingleTask):
    """The single tasks trained together, one of them cued in each trial (SPEC 2).

    The control for multi-tasking: its twin that answers both at once is
    LinearClassificationCentOut with N_task = 2, whose lines are the same.
    """

    def __init__(self, n_task=1, rule_input=True, **settings):
        if not rule_input:
            raise UserError("ContextDependent needs its rule input")
        super().__init__(n_task, **settings)
        self.rule_input = True

    n_rule = len(SingleTask.RULES)
    cued = tuple(range(len(SingleTask.RULES)))

    def labels(self, x):
        """Labels of all rules, (trial, rule)."""
        return torch.cat([TASKS[rule].labels(self, x) for rule in self.RULES], 1)

    def targets_in_time(self, x, inputs):
        """(trial, 1, 1), that of the rule cued."""
        rule = inputs[:, 0, -self.n_rule :].argmax(1, keepdim=True)
        return self.targets(x).gather(1, rule)[:, None]


# ------------------------------------------------------------------ regression


class DenoiseQuads(EvidenceTask):
    """Report x* itself; x* lies in a chosen set of quadrants (SPEC 2).

    Quadrants are numbered 0..3 by the signs of (x1, x2): 0 = (-,-), 1 = (-,+), 2 = (+,-),
    3 = (+,+).

    Args:
        quad_num: the quadrants allowed, each equally likely; a number or several.
        like: a task whose noise and rules are taken over.
        others: as `EvidenceTask`.
    """

    dim_allowed = (2, 2)
    factors = (-2, -1)  # whose signs name the quadrant

    def __init__(self, quad_num=(0, 1, 2, 3), like=None, **settings):
        self.quad_num = tuple(np.atleast_1d(quad_num).tolist())
        if not self.quad_num or not set(self.quad_num) <= set(range(4)):
            raise UserError(f"quad_num names quadrants 0, 1, 2, 3, not {quad_num}")
        if like is not None:
            for name in ("noise_ratio", "noise_ar", "n_rule", "cued"):
                setattr(self, name, getattr(like, name))
        super().__init__(**settings)

    @property
    def n_out(self):
        return self.n_dim

    def draw_latents(self, out, rng):
        """Uniform over the chosen quadrants; the signs of two factors say which."""
        super().draw_latents(out, rng)
        allowed = torch.tensor(self.quad_num, device=out.device)
        pick = torch.randint(len(allowed), (len(out),), generator=rng, device=out.device)
        quad = allowed[pick]
        for factor, sign in zip(self.factors, (quad // 2, quad % 2), strict=True):
            out[:, factor] = out[:, factor].abs() * (sign * 2 - 1)

    def targets(self, x):
        """x* itself."""
        return x

    def is_correct(self, action, target):
        """1 for an exact report, less by its mean squared error in units of the variance."""
        return float(max(0.0, 1 - 12 * np.mean((action - target) ** 2)))


class DenoiseQuadsHighDim(DenoiseQuads):
    """As `DenoiseQuads` for any D.

    Args:
        factors: the two factors whose signs name the quadrant; by default the last two.
        others: as `DenoiseQuads`.
    """

    dim_allowed = (2, 100)

    def __init__(self, quad_num=(0, 1, 2, 3), factors=(-2, -1), n_dim=2, **settings):
        self.factors = tuple(factors)
        there = all(-n_dim <= f < n_dim for f in self.factors)
        if not there or len({f % n_dim for f in self.factors}) != 2:
            raise UserError(f"factors must be two different ones of {n_dim}, not {factors}")
        super().__init__(quad_num, n_dim=n_dim, **settings)


class DenoiseQuadsFreeRT(DenoiseQuadsHighDim):
    """As `DenoiseQuadsHighDim`, with no fixation channel, and evidence in the decision step too."""

    n_fix = 0

    def __init__(self, quad_num=(0, 1, 2, 3), timing=None, **settings):
        timing = {**FREE_TIMING, "decision": 100, **(timing or {})}
        super().__init__(quad_num, timing=timing, **settings)

    @property
    def evidence_steps(self):
        return slice(self.steps["stimulus"].start, self.n_step)


TASKS = {
    task.__name__: task
    for task in (
        LinearClassificationCentOut,
        LinearClassificationHighDim,
        LinearClassificationCorr,
        LinearClassificationAnisot,
        LinearClassificationAutocorr,
        MultiplyClassificationFull,
        LinearClassificationBound,
        TwoAlternativeForcedChoiceCent,
        AttributeIntegrationCent,
        ContextDependent,
        DenoiseQuads,
        DenoiseQuadsHighDim,
        DenoiseQuadsFreeRT,
    )
}
for _name in TASKS:
    gymnasium.register(id=f"{_name}-v0", entry_point=f"{__name__}:{_name}")


def find_task(name):
    """The task class of that name; UserError with the names there are."""
    if name not in TASKS:
        raise UserError(f"no task {name}; tasks: {', '.join(TASKS)}")
    return TASKS[name]


def timing_of(config):
    """Durations of the periods in a network's settings, in ms."""
    return {period: config[period] for period in PERIODS}


def make_task(config, normals_seed=0):
    """The task of a network with these settings.

    Args:
        config: dict, see `train.Config`.
        normals_seed: for boundaries drawn at random.
    """
    task_class = find_task(config["task"])
    settings = {key: config[key] for key in task_class.SETTINGS}
    if config["noise_enc"]:  # the noise comes after the encoder instead
        settings["n_sd_in"] = 0.0
    if issubclass(task_class, LinearClassificationHighDim):
        settings["normals_seed"] = normals_seed
    return task_class(n_task=config["n_task"], timing=timing_of(config), **settings)


# ------------------------------------------------------------------ batches for many networks


def sample(tasks, generators, n_trial):
    """Draw trials of many networks at once, each network from its own generator.

    Args:
        tasks: one task per network, alike but for their boundaries.
        generators: one torch.Generator per network, on the device to draw on.
        n_trial: trials per network.

    Returns:
        inputs (net, trial, time, channel), targets (net, trial, 1 or time, n_out_max) padded
        with 0 where a network has fewer outputs, x (net, trial, D). Memory of inputs runs along
        (net, channel, time, trial), the order in which the encoder reads it.
    """
    first, device = tasks[0], generators[0].device
    n_net, n_out = len(tasks), max(task.n_out for task in tasks)
    inputs = torch.empty(n_net, first.n_channel, first.n_step, n_trial, device=device)
    inputs = inputs.permute(0, 3, 2, 1)
    x = torch.empty(n_net, n_trial, first.n_dim, device=device)
    targets = None
    for net, (task, rng) in enumerate(zip(tasks, generators, strict=True)):
        task.fill(inputs[net], x[net], rng)
        own = task.targets_in_time(x[net], inputs[net])
        if targets is None:
            targets = torch.zeros(n_net, *own.shape[:2], n_out, device=device)
        targets[net, ..., : task.n_out] = own
    return inputs, targets, x


def in_a_row(values, trial_num):
    """(net, trial_num * trial, time, k) -> (net, trial, trial_num * time, k)."""
    if trial_num == 1:
        return values
    return values.unflatten(1, (trial_num, -1)).transpose(1, 2).flatten(2, 3)


class Batches:
    """An endless stream of fresh training batches for many networks, which can be resumed.

    Trials are drawn in blocks of `BLOCK` batches to keep the generators' overhead small. A
    network's trials depend on its own generator alone.

    Args:
        tasks, generators: as `sample`.
        batch_sz: trials per batch and network.
        trial_num: trials that follow each other without a reset of the network.
        encode: None, or what maps inputs (net, trial, time, channel) to what the network sees; few
            networks have several batches encoded at once, again for the overhead.
    """

    BLOCK = 50

    def __init__(self, tasks, generators, batch_sz, trial_num=1, encode=None):
        self.tasks, self.generators, self.batch_sz = list(tasks), list(generators), batch_sz
        self.trial_num, self.encode = trial_num, encode
        self.position, self.inputs, self.piece = 0, None, None  # None: not drawn yet

    @property
    def n_piece(self):
        """Batches encoded at once."""
        return max(1, min(5, 16 // len(self.tasks)))

    def __next__(self):
        """inputs (net, trial, time, channel) and targets of one batch, see `sample`."""
        if self.position == self.BLOCK:
            self.position, self.inputs = 0, None
        if self.inputs is None:
            self._draw()
        at = self.position % self.n_piece
        if at == 0 or self.piece is None:
            self._encode(self.position - at)
        rows = slice(self.position * self.batch_sz, (self.position + 1) * self.batch_sz)
        self.position += 1
        n_time = self.inputs.shape[2]
        return self.piece[:, :, at * n_time : (at + 1) * n_time], self.targets[:, rows]

    def _draw(self):
        self.before = [rng.get_state() for rng in self.generators]
        n_trial = self.trial_num * self.BLOCK * self.batch_sz
        inputs, targets, _ = sample(self.tasks, self.generators, n_trial)
        self.inputs, self.targets = (in_a_row(x, self.trial_num) for x in (inputs, targets))
        self.piece = None

    def _encode(self, start):
        """Put the batches from `start` one after the other along time, and encode them."""
        stop = min(start + self.n_piece, self.BLOCK)
        inputs = self.inputs[:, start * self.batch_sz : stop * self.batch_sz]
        inputs = in_a_row(inputs, stop - start)
        self.piece = inputs if self.encode is None else self.encode(inputs)

    def keep(self, nets):
        """Go on with these networks only."""
        self.tasks = [self.tasks[i] for i in nets]
        self.generators = [self.generators[i] for i in nets]
        if self.inputs is not None:
            self.before = [self.before[i] for i in nets]
            n_out = max(task.n_out for task in self.tasks)
            self.inputs, self.targets = self.inputs[nets], self.targets[nets][..., :n_out]
        self.piece = None

    def state_dict(self):
        """What is needed to go on at the next batch."""
        is_drawn = self.inputs is not None and self.position < self.BLOCK
        states = self.before if is_drawn else [g.get_state() for g in self.generators]
        return {"generators": states, "position": self.position % self.BLOCK}

    def load_state_dict(self, state):
        """Go on where `state_dict` was taken."""
        for rng, saved in zip(self.generators, state["generators"], strict=True):
            rng.set_state(saved)
        self.position, self.inputs, self.piece = state["position"], None, None


# ------------------------------------------------------------------ a picture


def plot_tasks(tasks, seed=0):
    """Draw tasks: boundaries with x*, one noisy trial, its targets; in two columns. The figure."""
    import matplotlib.pyplot as plt

    n_column = min(2, len(tasks))
    n_row = math.ceil(len(tasks) / n_column)
    size = (8 * n_column, 2.2 * n_row + 0.4)
    fig = plt.figure(figsize=size, layout="constrained")
    axes = fig.subplots(n_row, 3 * n_column, squeeze=False).reshape(-1, 3)
    seen = {}
    for row, task in zip(axes, tasks, strict=False):
        plane, evidence, target = row
        task.reset(seed=seed, options={"no_step": True})
        draw_plane(plane, task)
        draw_evidence(evidence, task)
        seen |= {line.get_label(): line for line in evidence.get_lines()}
        largest = np.abs(task.gt).max()
        colors = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
        target.imshow(task.gt.T, aspect="auto", interpolation="none", **colors)
        target.set(xlabel="step", ylabel="target", yticks=range(0, task.n_out, 5))
        target.set_title(f"from {task.gt.min():.2g} to {task.gt.max():.2g}", fontsize="small")
        evidence.set_title(type(task).__name__, fontweight="bold")
    for row in axes[len(tasks) :]:
        for ax in row:
            ax.set_axis_off()
    fig.legend(seen.values(), seen, loc="outside lower center", ncols=len(seen))
    return fig


def draw_plane(ax, task):
    """Boundaries in the plane of the first two factors, the x* of some trials, and of this one."""
    ax.set(xlim=(-0.5, 0.5), ylim=(-0.5, 0.5), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    x = torch.empty(400, task.n_dim)
    task.draw_latents(x, generator(0))
    ax.plot(x[:, 0], x[:, 1], ".", ms=2, color="0.75")
    if isinstance(task, Classification):
        line = torch.linspace(-0.5, 0.5, 401)
        grid = torch.zeros(401, 401, task.n_dim)
        grid[..., 0], grid[..., 1] = line, line[:, None]
        for labels in task.labels(grid.flatten(0, 1)).T:
            edge = labels.view(401, 401).float().numpy()
            ax.contour(line, line, edge, [0.5], colors="tab:blue", linewidths=0.8)
    ax.plot(*task.trial["x"][:2], "k*", ms=9)


def draw_evidence(ax, task):
    """What the network sees in this trial."""
    time = np.arange(task.n_step) * task.dt
    if task.n_fix:
        ax.plot(time, task.ob[:, 0], color="0.6", label="fixation")
    for i in range(task.n_dim):
        ax.plot(time, task.ob[:, task.n_fix + i], label=f"evidence $X_{{{i + 1}}}$")
    for i in range(task.n_rule):
        ax.plot(time, task.ob[:, task.n_channel - task.n_rule + i], ":", label=f"rule {i + 1}")
    ax.set(xlabel="time (ms)")


@dataclass
class Config:
    """Draw one trial of a task, or of all of them."""

    task: str = "all"  # which class of this file
    n_task: int = 8  # number of boundaries (classification tasks)
    n_dim: int = 0  # latent dimensions D; 0: 2, or 3 where tasks of D > 2 are meant
    seed: int = 5  # which trial
    plot: Path = Path("trial.png")  # picture to write


def main(config):
    """Write the picture."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    tasks = []
    for task_class in TASKS.values() if config.task == "all" else [find_task(config.task)]:
        _, most = task_class.dim_allowed
        settings = {
            "n_dim": config.n_dim or min(most, 3 if "HighDim" in task_class.__name__ else 2)
        }
        if issubclass(task_class, SingleTask):
            settings["rule_input"] = True
        elif issubclass(task_class, Classification):
            settings["n_task"] = config.n_task
        if issubclass(task_class, LinearClassificationCorr):
            settings["corr"] = 0.7
        if issubclass(task_class, DenoiseQuads):
            settings["quad_num"] = (0, 1, 2)
        tasks.append(task_class(**settings))
    buffer = io.BytesIO()
    plot_tasks(tasks, config.seed).savefig(buffer, format="png", dpi=110)
    write_atomic(config.plot, buffer.getvalue())
    print(config.plot)


if __name__ == "__main__":
    run_script(main, Config)
