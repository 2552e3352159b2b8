"""The tasks: what a network sees and what it must say (section 3.1 and appendix of the paper).

Each task is a neurogym environment, made with `neurogym.make('LinearClassificationCentOut-v0')`,
and the same description feeds `batches.sample`, which draws trials for many networks at once. A
task says only what differs from `EvidenceTask`. docs/protocol.md, Tasks, lists them.

    python tasks.py --plot tasks.png                                  all of them
    python tasks.py --task LinearClassificationCentOut --n_task 6 --plot trial.png
"""

import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

with warnings.catch_warnings():  # neurogym warns about optional packages we do not use
    warnings.simplefilter("ignore")
    from neurogym.core import TrialEnv
    from neurogym.utils import spaces

from util import UserError, generator, run_script

PERIODS = ("fixation", "stimulus", "delay", "decision")
TIMING = {"fixation": 100, "stimulus": 2000, "delay": 0, "decision": 100}  # ms
TASKS: dict[str, type["EvidenceTask"]] = {}  # by name; a task class enters itself


def _need(right: Any, message: str) -> None:
    if not right:
        raise UserError(message)


class EvidenceTask(TrialEnv):
    """Noisy evidence about a hidden x*, then a report: here, of x* itself (section 3.1).

    Observation: fixation channel, D evidence channels (x* + sigma * noise in every stimulus step,
    else 0), and a one-hot rule where there are rules. Action: `n_out` numbers. Target: `targets` in
    the decision step, else 0. A setting out of range raises UserError.

    Args:
        n_dim: D, number of evidence channels.
        n_sd_in: input noise in the paper's unit; sigma = n_sd_in / sqrt(dt) = 0.2 at the defaults.
        dist: distribution of the noise: 'gauss', or 'gumbel' (location 0, scale sigma).
        timing: dict of ms for any of `PERIODS`; dt: ms per step.
        seed: of the environment's own trials; `reset(seed=...)` sets it anew.

    Attributes:
        fixation, evidence, rules: channels of an observation, slices; `n_channel` of them.
        steps, evidence_steps, target_steps: of a trial, slices; `n_step` of them.
    """

    metadata = {
        "paper_name": "Disentangling Representations through Multi-task Learning",
        "paper_link": "https://arxiv.org/abs/2407.11249",
        "tags": ["supervised", "perceptual", "steps action space"],
        "render_modes": [],
    }
    # What a task may change
    SETTINGS: tuple[str, ...] = ("n_dim", "n_sd_in", "dt", "dist")  # of a network that it takes
    FIXED: dict[str, Any] = {}  # settings about which it leaves no choice
    EXAMPLE: dict[str, Any] = {"n_dim": 2}  # its arguments in the picture of all tasks
    RANDOM: tuple[str, ...] = ()  # arguments that are seeds
    default_timing = TIMING
    absent: tuple[str, ...] = ()  # periods that it cannot have
    evidence_until, target_period = "stimulus", "decision"  # last with evidence; with targets
    dim_allowed = (1, 100)
    noise_ratio: tuple[float, ...] = (1.0, 1.0)  # standard deviation by channel, in units of sigma
    noise_ar = 0.0  # AR(1) coefficient of the noise
    n_fix, n_rule = 1, 0  # channels for fixation and rules
    cued: tuple[int, ...] = ()  # the rules that may hold, one of them in each trial
    n_task = 0  # labels; 0: regression of x*
    extras: dict[str, Any] = {}  # what a checkpoint keeps beside the settings
    largest_action = 1.0  # actions lie between minus this and this

    def __init_subclass__(cls, base=False):
        if not base:
            TASKS[cls.__name__] = cls
            gymnasium.register(f"{cls.__name__}-v0", f"{cls.__module__}:{cls.__name__}")

    def __init__(self, n_dim=2, n_sd_in=2.0, dist="gauss", timing=None, dt=100, seed=None):
        super().__init__(dt=dt)
        self.n_dim, self.n_sd_in, self.dist = n_dim, n_sd_in, dist
        self.timing = self.default_timing | (timing or {})
        self._check()
        self.sigma, self.n_out = n_sd_in / math.sqrt(dt), self.n_task or n_dim
        edges = np.cumsum([0, *(self.timing[p] // dt for p in PERIODS)]).tolist()
        self.steps = dict(zip(PERIODS, map(slice, edges[:-1], edges[1:]), strict=True))
        shown = self.steps["stimulus"].start, self.steps[self.evidence_until].stop
        self.evidence_steps, self.target_steps = slice(*shown), self.steps[self.target_period]
        self.n_step, ends = edges[-1], np.cumsum([0, self.n_fix, n_dim, self.n_rule]).tolist()
        self.fixation, self.evidence, self.rules = map(slice, ends[:-1], ends[1:])
        self.n_channel, channels = ends[-1], list(range(ends[-1]))
        names = {"stimulus": channels[self.evidence], "rule": channels[self.rules]}
        names |= {"fixation": 0} if self.n_fix else {}
        shape, end = (self.n_channel,), self.largest_action
        self.observation_space = spaces.Box(-np.inf, np.inf, names, shape=shape, dtype=np.float32)
        self.action_space = gymnasium.spaces.Box(-end, end, (self.n_out,), np.float32)
        self.seed(seed)

    def _check(self):
        (low, high), dt, sd = self.dim_allowed, self.dt, self.n_sd_in
        wants = f"n_dim = {low}" if low == high else f"n_dim from {low} to {high}"
        _need(low <= self.n_dim <= high, f"{type(self).__name__} needs {wants}, not {self.n_dim}")
        _need(0 <= sd < math.inf, f"n_sd_in is a noise level, 0 or more, not {sd}")
        _need(self.dist in ("gauss", "gumbel"), f"dist is gauss or gumbel, not {self.dist}")
        _need(dt > 0, f"dt is a time step in ms, above 0, not {dt}")
        unknown = sorted(set(self.timing) - set(PERIODS))
        _need(not unknown, f"timing has no period {unknown}; it has {', '.join(PERIODS)}")
        for period, ms in self.timing.items():
            least = dt if period in ("stimulus", self.target_period) else 0
            right = ms >= least and ms % dt == 0
            _need(right, f"timing: {period} = {ms} ms is no multiple of dt = {dt}, {least} or more")
            there = period in self.absent and ms
            _need(not there, f"timing: a task of free reaction time has no {period} period")

    def _lay(self, inputs, shown, rule):
        """Fill inputs (..., time, channel) with evidence (..., 1 or time, D) and a rule (...)."""
        inputs.zero_()
        inputs[..., : self.steps["decision"].start, self.fixation] = 1
        inputs[..., self.evidence_steps, self.evidence] = shown
        if self.n_rule:
            inputs[..., self.rules] = F.one_hot(rule, self.n_rule)[..., None, :]
        return inputs

    def noiseless(self, x: Tensor) -> Tensor:
        """Inputs (..., time, channel) without noise for x* (..., D), the first of `cued` cued."""
        inputs = x.new_empty(*x.shape[:-1], self.n_step, self.n_channel)
        return self._lay(inputs, x[..., None, :], torch.tensor(self.cued[:1], device=x.device))

    def draw_latents(self, out: Tensor, rng: torch.Generator) -> None:
        """Fill `out` (trial, D) with x*, uniform on [-0.5, 0.5]^D."""
        out.uniform_(-0.5, 0.5, generator=rng)

    def draw_noise(self, n_trial: int, rng: torch.Generator) -> Tensor:
        """Noise in units of sigma, (trial, time, D), stored trial-last as the inputs are."""
        n_shown = self.evidence_steps.stop - self.evidence_steps.start
        noise = torch.empty(self.n_dim, n_shown, n_trial, device=rng.device)
        if self.dist == "gumbel":
            noise.exponential_(generator=rng).clamp_min_(1e-30).log_().neg_()
        else:
            noise.normal_(generator=rng)
        if self.noise_ar:  # stationary: the marginal standard deviation stays as it is
            fresh = math.sqrt(1 - self.noise_ar**2)
            for t in range(1, n_shown):
                noise[:, t] = self.noise_ar * noise[:, t - 1] + fresh * noise[:, t]
        if any(ratio != 1 for ratio in self.noise_ratio):
            noise *= torch.tensor(self.noise_ratio, device=rng.device)[:, None, None]
        return noise.permute(2, 1, 0)

    def fill(self, inputs: Tensor, x: Tensor, rng: torch.Generator) -> None:
        """Draw trials in place. inputs: (trial, time, channel), x: (trial, D)."""
        self.draw_latents(x, rng)
        shown = torch.add(x[:, None], self.draw_noise(len(x), rng), alpha=self.sigma)
        self._lay(inputs, shown, _one_of(self.cued, len(x), rng) if self.n_rule else None)

    def cue_only(self, rule: int) -> None:
        """From now on cue this one of the rules in `cued`, if there are any."""
        if self.n_rule:
            last = len(self.cued) - 1
            _need(0 <= rule <= last, f"rule counts from 0 to {last}, not {rule}")
            self.cued = (self.cued[rule],)

    def labels(self, x: Tensor) -> Tensor:
        """Labels (trial, label), bool, for x* (trial, D): of every rule in `cued`, if there are."""
        return x.new_empty(len(x), 0, dtype=torch.bool)

    def targets(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Targets (trial, 1 or target steps, n_out) for x* and inputs (trial, time, channel)."""
        return x[:, None]

    def is_correct(self, action: np.ndarray, target: np.ndarray) -> float:
        """Reward of an action in the decision step, 0 to 1: falls with its mean squared error."""
        return float(max(0.0, 1 - 12 * np.mean((action - target) ** 2)))

    def decoding_task(self, quad_num, factors=(-2, -1), stimulus=None) -> "DenoiseQuads":
        """The regression task for decoders of x*: `DenoiseQuads` with its noise, rules and timing.

        `stimulus` in ms may differ. Free reaction time gains a decision step.
        """
        kind = DenoiseQuadsHighDim if self.n_fix else DenoiseQuadsFreeRT
        timing = self.timing | ({} if self.n_fix else {"decision": self.dt})
        timing |= {} if stimulus is None else {"stimulus": stimulus}
        settings = {name: getattr(self, name) for name in EvidenceTask.SETTINGS}
        return kind(quad_num, factors=factors, like=self, timing=timing, **settings)

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Seed the trial generator; None draws a fresh seed."""
        super().seed(seed)
        self.generator = generator(self.rng.randint(2**31) if seed is None else seed)
        return [seed]

    def reset(self, seed: int | None = None, options: dict | None = None):
        """As in gymnasium; a seed also reseeds the trials, which neurogym leaves out."""
        if seed is not None:
            self.seed(seed)
        return super().reset(seed=seed, options=options)

    def _new_trial(self):
        inputs, x = torch.empty(1, self.n_step, self.n_channel), torch.empty(1, self.n_dim)
        self.fill(inputs, x, self.generator)
        self.add_period(list(PERIODS), last_period=True)
        self.add_ob(inputs[0].numpy())
        self.set_groundtruth(0)
        self.gt[self.target_steps] = self.targets(x, inputs)[0].numpy()
        return {"x": x[0].numpy(), "ground_truth": self.gt[-1].copy()}

    def _step(self, action):
        new_trial, reward = self.t_ind == self.n_step - 1, 0.0
        if new_trial or self.in_period("decision"):
            reward = self.performance = self.is_correct(np.asarray(action), self.gt_now)
        return self.ob_now, reward, False, False, {"new_trial": new_trial}


def _one_of(values, n, rng):
    """n of the values (n,), each equally likely."""
    every = torch.tensor(values, device=rng.device)
    return every[torch.randint(len(every), (n,), generator=rng, device=rng.device)]


class Classification(EvidenceTask, base=True):
    """Targets -1/+1, one per label; label i is 1 where c_i . x > b_i (base class)."""

    EXAMPLE = {"n_dim": 2, "n_task": 8}
    normals: Tensor  # c (n_task, D), of unit length
    offsets: Tensor = torch.zeros(())  # b (n_task,), or one for all

    def __init__(self, n_task, **settings):
        _need(n_task >= 1, f"n_task counts boundaries, 1 or more, not {n_task}")
        self.n_task = n_task
        super().__init__(**settings)

    def labels(self, x):
        return x @ self.normals.to(x).T > self.offsets.to(x)

    def targets(self, x, inputs):
        return self.labels(x).to(x).mul_(2).sub_(1)[:, None]

    def is_correct(self, action, target):
        """Share of labels on whose side the action is."""
        return float(np.mean(np.sign(action) == np.sign(target)))


class LinearClassificationCentOut(Classification):
    """Label i is 1 where x2 > tan(phi_i) x1, phi_i = (i + 1/2) pi / N_task (section 3.1); D = 2."""

    dim_allowed = (2, 2)

    def __init__(self, n_task=2, **settings):
        super().__init__(n_task, **settings)
        self.phi = (np.arange(n_task) + 0.5) * np.pi / n_task
        side = np.where(np.cos(self.phi) > 0, 1, -1)  # dividing by a negative cosine turns > into <
        normals = np.stack([-np.sin(self.phi), np.cos(self.phi)], 1) * side[:, None]
        self.normals = torch.tensor(normals).float()


class LinearClassificationHighDim(Classification):
    """N_task unit normals drawn uniformly on the sphere, any D; `normals_seed` says which draw."""

    dim_allowed = (2, 100)
    EXAMPLE = Classification.EXAMPLE | {"n_dim": 3}
    RANDOM = ("normals_seed",)

    def __init__(self, n_task=2, normals_seed=0, **settings):
        super().__init__(n_task, **settings)
        draw = torch.empty(n_task, self.n_dim, dtype=torch.float64)
        draw.normal_(generator=generator(normals_seed))
        self.normals = (draw / draw.norm(dim=1, keepdim=True)).float()
        self.extras = {"normals": self.normals.tolist()}


class LinearClassificationCorr(LinearClassificationCentOut):
    """Factors of x* correlated by a Gaussian copula: Phi(z) - 0.5, `corr` the correlation of z."""

    SETTINGS = (*EvidenceTask.SETTINGS, "corr")
    EXAMPLE = Classification.EXAMPLE | {"corr": 0.7}

    def __init__(self, n_task=2, corr=0.0, **settings):
        _need(-1 <= corr <= 1, f"corr is a correlation, from -1 to 1, not {corr}")
        self.corr = corr
        super().__init__(n_task, **settings)

    def draw_latents(self, out, rng):
        out.normal_(generator=rng)
        out[:, 1].mul_(math.sqrt(1 - self.corr**2)).add_(out[:, 0], alpha=self.corr)
        out.copy_(torch.special.ndtr(out)).sub_(0.5)


class LinearClassificationAnisot(LinearClassificationCentOut):
    """Noise of the second channel twice that of the first."""

    noise_ratio = (1.0, 2.0)


class LinearClassificationAutocorr(LinearClassificationCentOut):
    """AR(1) noise, coefficient `ar_coef`, its marginal standard deviation still sigma."""

    SETTINGS = (*EvidenceTask.SETTINGS, "ar_coef")

    def __init__(self, n_task=2, ar_coef=0.7, **settings):
        _need(-1 < ar_coef < 1, f"ar_coef lies between -1 and 1, not {ar_coef}")
        _need(settings.get("dist", "gauss") == "gauss", "AR(1) noise is Gaussian; leave out dist")
        self.noise_ar = ar_coef
        super().__init__(n_task, **settings)


class MultiplyClassificationFull(Classification):
    """Non-linear boundaries: in each quadrant N_task/4 labels ask if |x1 x2| exceeds a threshold.

    Labels of a quadrant are 0 where x* lies in another one; `DenoiseQuads` has their order. There
    are N_task/4 thresholds, by default 0.2 linspace(1 / (2 N_task), 1, N_task/4).
    """

    dim_allowed = (2, 2)

    def __init__(self, n_task=4, thresholds=None, **settings):
        fours = n_task > 0 and n_task % 4 == 0
        _need(fours, f"n_task must be a multiple of 4 in this task, not {n_task}")
        if thresholds is None:
            thresholds = 0.2 * np.linspace(1 / (2 * n_task), 1, n_task // 4)
        self.thresholds = torch.tensor(np.asarray(thresholds), dtype=torch.float32)
        right = self.thresholds.shape == (n_task // 4,) and (self.thresholds >= 0).all()
        _need(right, f"thresholds must be {n_task // 4} numbers, 0 or more")
        super().__init__(n_task, **settings)

    def labels(self, x):
        """(trial, n_task), one quadrant after the other."""
        above = (x[:, 0] * x[:, 1]).abs() > self.thresholds.to(x)[:, None]
        quadrant = 2 * (x[:, 0] > 0) + (x[:, 1] > 0).int()
        return torch.cat([above & (quadrant == q) for q in range(4)]).T


class GridClassification(Classification):
    """Labels that are not linear: each is 1 in a random half of the chambers of an n x n grid.

    A negative control (Johnston & Fusi 2023); `labels_seed` says which draw.
    """

    SETTINGS = (*EvidenceTask.SETTINGS, "n_grid")
    RANDOM = ("labels_seed",)
    dim_allowed = (2, 2)

    def __init__(self, n_task=8, n_grid=4, labels_seed=0, **settings):
        _need(n_grid >= 2, f"n_grid must be at least 2, not {n_grid}")
        super().__init__(n_task, **settings)
        self.n_grid = n_grid
        order = torch.rand(n_task, n_grid**2, generator=generator(labels_seed)).argsort(1)
        self.chambers = order < n_grid**2 // 2  # (n_task, chamber)
        self.extras = {"chambers": self.chambers.tolist()}

    def labels(self, x):
        """(trial, n_task)."""
        row, column = ((x + 0.5) * self.n_grid).long().clamp(0, self.n_grid - 1).T
        return self.chambers.T.to(x.device)[row * self.n_grid + column]


class LinearClassificationBound(LinearClassificationCentOut):
    """Free reaction time: at every step, how much evidence is there for each label? (Figure 5a)

    No fixation channel, only the stimulus period. Target i at step t is the running sum of
    X2 - tan(phi_i) X1, absorbed at -bound or bound (above 0) once it crosses.
    """

    SETTINGS = (*EvidenceTask.SETTINGS, "bound")
    FIXED = {"CE_loss": False, "fixation": 0, "decision": 0}
    default_timing = TIMING | {"fixation": 0, "decision": 0}
    absent, target_period, n_fix = ("fixation", "delay", "decision"), "stimulus", 0

    def __init__(self, n_task=2, bound=5.0, **settings):
        _need(0 < bound < math.inf, f"bound must be a positive number, not {bound}")
        self.bound = self.largest_action = bound
        super().__init__(n_task, **settings)

    def targets(self, x, inputs):
        """(trial, time, n_task); cumulative sum up to the first crossing, then the bound."""
        tan = torch.tensor(np.tan(self.phi), device=x.device)
        evidence = inputs[..., self.evidence].double()  # tan(pi / 2) is 1.6e16
        sums = (evidence[..., 1:] - tan * evidence[..., :1]).cumsum(1)
        side = sums.sign() * (sums.abs() >= self.bound)  # 0 where the sum is within the bounds
        across = side.abs()
        first_side = side.gather(1, across.argmax(1, keepdim=True))
        return torch.where(across.cummax(1).values > 0, self.bound * first_side, sums).to(x)


class SingleTask(Classification, base=True):
    """One label, by the rule x2 > x1 or x1 + x2 > 0; `rule_input` shows which (base class)."""

    SETTINGS = (*EvidenceTask.SETTINGS, "rule_input")
    EXAMPLE = {"n_dim": 2, "rule_input": True}
    dim_allowed = (2, 2)

    def __init__(self, n_task=1, rule_input=False, **settings):
        _need(n_task == 1, f"{type(self).__name__} is one task, n_task = 1, not {n_task}")
        self.rule_input, self.n_rule = rule_input, 2 if rule_input else 0
        super().__init__(n_task, **settings)

    def labels(self, x):
        return torch.stack([x[:, 1] > x[:, 0], x[:, 0] + x[:, 1] > 0], 1)[:, self.cued]


class TwoAlternativeForcedChoiceCent(SingleTask):
    """Which of the two is larger? The label is 1 where x2 > x1."""

    cued = (0,)


class AttributeIntegrationCent(SingleTask):
    """Do they add up to more than 0? The label is 1 where x1 + x2 > 0."""

    cued = (1,)


class ContextDependent(SingleTask):
    """The single tasks trained together, one of them cued in each trial.

    LinearClassificationCentOut with N_task = 2 has the same two lines and answers both at once.
    """

    FIXED = {"rule_input": True}
    cued = (0, 1)

    def __init__(self, n_task=1, rule_input=True, **settings):
        _need(rule_input, "ContextDependent needs its rule input")
        super().__init__(n_task, rule_input, **settings)

    def targets(self, x, inputs):
        """(trial, 1, 1), that of the rule cued."""
        cued = inputs[:, 0, self.rules][:, self.cued].argmax(1, keepdim=True)
        return super().targets(x, inputs).gather(2, cued[:, None])


class DenoiseQuads(EvidenceTask):
    """Report x* itself, drawn from the quadrants `quad_num` (one or several), each equally likely.

    Quadrants are numbered 0..3 by the signs of two `factors`: 0 = (-,-), 1 = (-,+), 2 = (+,-),
    3 = (+,+). `like` is a task whose noise and rules are taken over.
    """

    dim_allowed = (2, 2)
    EXAMPLE = {"n_dim": 2, "quad_num": (0, 1, 2)}

    def __init__(self, quad_num=(0, 1, 2, 3), factors=(-2, -1), like=None, n_dim=2, **settings):
        self.quad_num, self.factors = np.atleast_1d(quad_num).tolist(), factors
        right = self.quad_num and set(self.quad_num) <= set(range(4))
        _need(right, f"quad_num names quadrants 0, 1, 2, 3, not {quad_num}")
        for name in ("noise_ratio", "noise_ar", "n_rule", "cued"):
            setattr(self, name, getattr(self if like is None else like, name))
        super().__init__(n_dim, **settings)
        right = all(-n_dim <= f < n_dim for f in factors) and len({f % n_dim for f in factors}) == 2
        _need(right, f"factors must be two different ones of {n_dim}, not {factors}")

    def draw_latents(self, out, rng):
        super().draw_latents(out, rng)
        quad = _one_of(self.quad_num, len(out), rng)
        for factor, sign in zip(self.factors, (quad // 2, quad % 2), strict=True):
            out[:, factor] = out[:, factor].abs() * (sign * 2 - 1)


class DenoiseQuadsHighDim(DenoiseQuads):
    """As `DenoiseQuads` for any D."""

    dim_allowed = (2, 100)
    EXAMPLE = DenoiseQuads.EXAMPLE | {"n_dim": 3}


class DenoiseQuadsFreeRT(DenoiseQuadsHighDim):
    """As `DenoiseQuadsHighDim`, with no fixation channel, and evidence in the decision step too."""

    EXAMPLE = DenoiseQuads.EXAMPLE
    default_timing = TIMING | {"fixation": 0}
    evidence_until, n_fix = "decision", 0


def find_task(name: str) -> type[EvidenceTask]:
    """The task class of that name; UserError with the names there are."""
    _need(name in TASKS, f"no task {name}; tasks: {', '.join(TASKS)}")
    return TASKS[name]


def make_task(config: dict[str, Any], normals_seed: int = 0) -> Any:
    """The task of a network with these settings; boundaries drawn at random are by that seed."""
    task_class = find_task(config["task"])
    settings = {name: config[name] for name in ("n_task", *task_class.SETTINGS)}
    settings |= dict.fromkeys(task_class.RANDOM, normals_seed)
    if config["noise_enc"]:  # the noise comes after the encoder instead
        settings["n_sd_in"] = 0.0
    return task_class(timing={period: config[period] for period in PERIODS}, **settings)


@dataclass
class Config:
    """Draw one trial of a task, or of all of them. More: docs/protocol.md."""

    task: str = "all"  # which class of this file
    n_task: int = 8  # number of boundaries (classification tasks)
    n_dim: int | None = None  # latent dimensions D; None: 2, or 3 where tasks of D > 2 are meant
    seed: int = 5  # which trial
    plot: Path = Path("trial.png")  # picture to write


def main(config: Config) -> None:
    """Write the picture."""
    sys.path.append(str(Path(__file__).resolve().parent / "Figures"))
    import tasks_picture  # needs Figures/ on the path; matplotlib only from here on

    drawn, given = [], {"n_task": config.n_task, "n_dim": config.n_dim}
    for task_class in TASKS.values() if config.task == "all" else [find_task(config.task)]:
        example = task_class.EXAMPLE
        own = {name: given[name] for name in example.keys() & given if given[name] is not None}
        try:
            drawn.append(task_class(**example | own))
        except UserError as error:
            if config.task != "all":
                raise
            print(f"{task_class.__name__} is left out: {error}", file=sys.stderr)
    _need(drawn, "no task can have these settings")
    tasks_picture.draw(drawn, config.seed, config.plot)
    print(config.plot)


if __name__ == "__main__":
    run_script(main, Config)
