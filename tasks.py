"""The tasks: what a network sees and what it must say.

Each task is a neurogym environment, made with `neurogym.make('LinearClassificationCentOut-v0')`,
and the same description feeds `sample`, which draws whole batches for many networks at once.
A task says only what differs from `EvidenceTask`: how x* is drawn, what the noise is, what the
targets are.

    python tasks.py --task LinearClassificationCentOut --n_task 6 --plot trial.png
"""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import torch

with warnings.catch_warnings():  # neurogym warns about optional packages we do not use
    warnings.simplefilter("ignore")
    from neurogym.core import TrialEnv
    from neurogym.utils import spaces

from util import UserError, generator, run_script, write_atomic

PERIODS = ("fixation", "stimulus", "delay", "decision")
TIMING = {"fixation": 100, "stimulus": 2000, "delay": 0, "decision": 100}  # ms


class EvidenceTask(TrialEnv):
    """Noisy evidence about a hidden x*, then a report (SPEC 1).

    Observation: fixation channel, then D evidence channels. In every stimulus step evidence is
    x* + sigma * noise, a fresh draw each step; elsewhere it is 0.
    Action: `n_out` numbers. Target: `targets(x)` in the decision step, 0 in every other step.

    Args:
        n_dim: D, number of evidence channels.
        n_sd_in: input noise in the paper's unit; sigma = n_sd_in / sqrt(dt) = 0.2 at the defaults.
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
    dim_allowed = (1, 100)

    def __init__(self, n_dim=2, n_sd_in=2.0, timing=None, dt=100, seed=None):
        super().__init__(dt=dt)
        self.n_dim, self.n_sd_in = n_dim, n_sd_in
        self.timing = {**TIMING, **(timing or {})}
        self._check()
        self.sigma = n_sd_in / math.sqrt(dt)
        edges = np.cumsum([0, *(self.timing[p] // dt for p in PERIODS)]).tolist()
        self.steps = {p: slice(*edges[i : i + 2]) for i, p in enumerate(PERIODS)}
        self.n_step = edges[-1]
        names = {"fixation": 0, "stimulus": list(range(1, 1 + n_dim))}
        shape = (1 + n_dim,)
        self.observation_space = spaces.Box(
            -np.inf, np.inf, shape=shape, dtype=np.float32, name=names
        )
        self.action_space = gymnasium.spaces.Box(-1, 1, (self.n_out,), np.float32)
        self.seed(seed)

    def _check(self):
        low, high = self.dim_allowed
        name = type(self).__name__
        if not low <= self.n_dim <= high:
            wants = f"n_dim = {low}" if low == high else f"n_dim from {low} to {high}"
            raise UserError(f"{name} needs {wants}, not {self.n_dim}")
        if not (math.isfinite(self.n_sd_in) and self.n_sd_in >= 0):
            raise UserError(f"n_sd_in is a noise level, 0 or more, not {self.n_sd_in}")
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
        for period in ("stimulus", "decision"):
            if self.timing[period] < self.dt:
                raise UserError(f"timing: {period} needs at least one step of {self.dt} ms")

    # What a task may change -------------------------------------------------

    @property
    def n_out(self):
        """Number of targets."""
        raise NotImplementedError

    def draw_latents(self, out, rng):
        """Fill `out` (trial, D) with x*, uniform on [-0.5, 0.5]^D."""
        out.uniform_(-0.5, 0.5, generator=rng)

    def draw_noise(self, n_trial, rng):
        """Noise of unit scale, (trial, time, D), stored trial-last as the rest of the inputs."""
        n_time = self.timing["stimulus"] // self.dt
        noise = torch.empty(self.n_dim, n_time, n_trial, device=rng.device)
        return noise.normal_(generator=rng).permute(2, 1, 0)

    def targets(self, x):
        """Targets (trial, n_out) of the decision step for x* (trial, D)."""
        raise NotImplementedError

    def is_correct(self, action, target):
        """Reward of an action in the decision step, from 0 to 1."""
        raise NotImplementedError

    # What is the same for all ------------------------------------------------

    def fill(self, inputs, x, rng):
        """Draw trials in place. inputs: (trial, time, 1 + D), x: (trial, D)."""
        self.draw_latents(x, rng)
        inputs.zero_()
        inputs[:, : self.steps["decision"].start, 0] = 1
        noise = self.draw_noise(len(x), rng)
        inputs[:, self.steps["stimulus"], 1:] = torch.add(x[:, None], noise, alpha=self.sigma)

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
        inputs = torch.empty(1, self.n_step, 1 + self.n_dim)
        x = torch.empty(1, self.n_dim)
        self.fill(inputs, x, self.generator)
        target = self.targets(x)[0].numpy()
        self.add_period(list(PERIODS), last_period=True)
        self.add_ob(inputs[0].numpy())
        self.set_groundtruth(0)
        self.set_groundtruth(target, period="decision")
        return {"x": x[0].numpy(), "ground_truth": target}

    def _step(self, action):
        new_trial, reward = False, 0.0
        if self.in_period("decision"):
            reward = self.is_correct(np.asarray(action), self.gt_now)
            self.performance = reward
            new_trial = self.t_ind == self.n_step - 1
        return self.ob_now, reward, False, False, {"new_trial": new_trial, "gt": self.gt_now}


class LinearClassification(EvidenceTask):
    """On which side of each of N_task boundaries does x* lie? Targets -1/+1 (base class).

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

    @property
    def n_out(self):
        return self.n_task

    def draw_normals(self):
        """Unit normals c_i of the boundaries, (n_task, D)."""
        raise NotImplementedError

    def targets(self, x):
        """+1 where c_i . x > 0, else -1."""
        return (x @ self.normals.to(x).T > 0).to(x).mul_(2).sub_(1)

    def is_correct(self, action, target):
        """Share of boundaries on whose right side the action is."""
        return float(np.mean(np.sign(action) == target))


class LinearClassificationCentOut(LinearClassification):
    """N_task lines through the origin at angles phi_i = (i + 1/2) pi / N_task (SPEC 1).

    Target i is +1 where x2 > tan(phi_i) x1. D = 2.
    """

    dim_allowed = (2, 2)

    def draw_normals(self):
        phi = (np.arange(self.n_task) + 0.5) * np.pi / self.n_task
        side = np.where(np.cos(phi) > 0, 1, -1)  # dividing by a negative cosine turns > into <
        return torch.tensor(np.stack([-np.sin(phi), np.cos(phi)], 1) * side[:, None]).float()


class LinearClassificationHighDim(LinearClassification):
    """N_task unit normals drawn uniformly on the sphere, any D; target i is +1 where c_i . x > 0.

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


class DenoiseQuads(EvidenceTask):
    """Report x* itself; x* lies in a chosen set of quadrants (SPEC 2).

    Quadrants are numbered 0..3 by the signs of (x1, x2): 0 = (-,-), 1 = (-,+), 2 = (+,-),
    3 = (+,+).

    Args:
        quad_num: the quadrants allowed, each equally likely; a number or several.
        others: as `EvidenceTask`.
    """

    dim_allowed = (2, 2)

    def __init__(self, quad_num=(0, 1, 2, 3), **settings):
        self.quad_num = tuple(np.atleast_1d(quad_num).tolist())
        if not self.quad_num or not set(self.quad_num) <= set(range(4)):
            raise UserError(f"quad_num names quadrants 0, 1, 2, 3, not {quad_num}")
        super().__init__(**settings)

    @property
    def n_out(self):
        return self.n_dim

    def draw_latents(self, out, rng):
        """Uniform over the chosen quadrants; the sign of the last two factors says which."""
        super().draw_latents(out, rng)
        allowed = torch.tensor(self.quad_num, device=out.device)
        pick = torch.randint(len(allowed), (len(out),), generator=rng, device=out.device)
        quad = allowed[pick]
        signs = torch.stack([quad // 2, quad % 2], 1) * 2 - 1
        out[:, -2:] = out[:, -2:].abs() * signs

    def targets(self, x):
        """x* itself."""
        return x

    def is_correct(self, action, target):
        """1 for an exact report, less by its mean squared error in units of the variance."""
        return float(max(0.0, 1 - 12 * np.mean((action - target) ** 2)))


class DenoiseQuadsHighDim(DenoiseQuads):
    """As `DenoiseQuads` for any D: the signs of the last two factors name the quadrant."""

    dim_allowed = (2, 100)


TASKS = {
    task.__name__: task
    for task in (
        LinearClassificationCentOut,
        LinearClassificationHighDim,
        DenoiseQuads,
        DenoiseQuadsHighDim,
    )
}
for _name in TASKS:
    gymnasium.register(id=f"{_name}-v0", entry_point=f"{__name__}:{_name}")


# ------------------------------------------------------------------ batches for many networks


def sample(tasks, generators, n_trial):
    """Draw trials of many networks at once, each network from its own generator.

    Args:
        tasks: one task per network, alike in D and timing.
        generators: one torch.Generator per network, on the device to draw on.
        n_trial: trials per network.

    Returns:
        inputs (net, trial, time, 1 + D), targets (net, trial, n_out_max) padded with 0 where a
        network has fewer outputs, x (net, trial, D). Memory runs along (net, channel, time, trial),
        the order in which the encoder reads it.
    """
    first, device = tasks[0], generators[0].device
    n_net, n_out = len(tasks), max(task.n_out for task in tasks)
    inputs = torch.empty(n_net, 1 + first.n_dim, first.n_step, n_trial, device=device)
    inputs = inputs.permute(0, 3, 2, 1)
    x = torch.empty(n_net, n_trial, first.n_dim, device=device)
    targets = torch.zeros(n_net, n_trial, n_out, device=device)
    for net, (task, rng) in enumerate(zip(tasks, generators, strict=True)):
        task.fill(inputs[net], x[net], rng)
        targets[net, :, : task.n_out] = task.targets(x[net])
    return inputs, targets, x


class Batches:
    """An endless stream of fresh training batches for many networks, which can be resumed.

    Trials are drawn in blocks of `BLOCK` batches to keep the generators' overhead small. A
    network's trials depend on its own generator alone.

    Args:
        tasks, generators: as `sample`.
        batch_sz: trials per batch and network.
    """

    BLOCK = 50

    def __init__(self, tasks, generators, batch_sz):
        self.tasks, self.generators, self.batch_sz = list(tasks), list(generators), batch_sz
        self.position = self.BLOCK

    def __next__(self):
        """inputs (net, trial, time, 1 + D) and targets (net, trial, n_out_max) of one batch."""
        if self.position == self.BLOCK:
            self._draw()
        rows = slice(self.position * self.batch_sz, (self.position + 1) * self.batch_sz)
        self.position += 1
        return self.inputs[:, rows], self.targets[:, rows]

    def _draw(self):
        self.before = [rng.get_state() for rng in self.generators]
        n_trial = self.BLOCK * self.batch_sz
        self.inputs, self.targets, _ = sample(self.tasks, self.generators, n_trial)
        self.position = 0

    def keep(self, nets):
        """Go on with these networks only."""
        self.tasks = [self.tasks[i] for i in nets]
        self.generators = [self.generators[i] for i in nets]
        if self.position < self.BLOCK:
            self.before = [self.before[i] for i in nets]
            n_out = max(task.n_out for task in self.tasks)
            self.inputs, self.targets = self.inputs[nets], self.targets[nets, :, :n_out]

    def state_dict(self):
        """What is needed to go on at the next batch."""
        at_start = self.position == self.BLOCK
        states = [g.get_state() for g in self.generators] if at_start else self.before
        return {"generators": states, "position": self.position}

    def load_state_dict(self, state):
        """Go on where `state_dict` was taken."""
        for rng, saved in zip(self.generators, state["generators"], strict=True):
            rng.set_state(saved)
        if state["position"] < self.BLOCK:
            self._draw()
        self.position = state["position"]


# ------------------------------------------------------------------ a picture


def plot_task(task, seed=0):
    """Draw a task: its boundaries with x*, one noisy trial, its targets. Returns the figure."""
    import matplotlib.pyplot as plt

    task.reset(seed=seed, options={"no_step": True})
    trial, time = task.trial, np.arange(task.n_step) * task.dt
    fig, (plane, evidence, target) = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
    plane.set(xlim=(-0.5, 0.5), ylim=(-0.5, 0.5), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    plane.axhline(0, color="0.8", lw=0.8)
    plane.axvline(0, color="0.8", lw=0.8)
    for c in getattr(task, "normals", torch.empty(0, 2))[:, :2]:
        along = np.array([-c[1], c[0]]) / np.linalg.norm(c)
        plane.plot(*np.outer(along, [-1, 1]), color="tab:blue", lw=1)
    plane.plot(*trial["x"][:2], "k*", ms=10)
    where = "" if task.n_dim == 2 else ", others 0"
    plane.set_title(f"boundaries and $x^*$ in the plane $x_1, x_2${where}")
    evidence.plot(time, task.ob[:, 0], color="0.6", label="fixation")
    for i in range(task.n_dim):
        evidence.plot(time, task.ob[:, 1 + i], label=f"$X_{{{i + 1}}}$")
    evidence.legend(fontsize="small")
    evidence.set(title="what the network sees", xlabel="time (ms)")
    target.imshow(task.gt.T, aspect="auto", cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    target.set(title="target per task", xlabel="step", ylabel="task")
    fig.suptitle(type(task).__name__)
    return fig


@dataclass
class Config:
    """Draw one trial of a task."""

    task: str = "LinearClassificationCentOut"  # which class of this file
    n_task: int = 6  # number of boundaries (classification tasks)
    n_dim: int = 2  # latent dimensions D
    seed: int = 0  # which trial
    plot: Path = Path("trial.png")  # picture to write


def main(config):
    """Write the picture of one trial."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    task_class = find_task(config.task)
    settings = {"n_dim": config.n_dim}
    if issubclass(task_class, LinearClassification):
        settings["n_task"] = config.n_task
    buffer = io.BytesIO()
    plot_task(task_class(**settings), config.seed).savefig(buffer, dpi=150)
    write_atomic(config.plot, buffer.getvalue())
    print(config.plot)


def trial_settings(config):
    """What all tasks of a network share, as arguments of a task, from the network's settings."""
    shared = {key: config[key] for key in ("n_dim", "n_sd_in", "dt")}
    return {**shared, "timing": {period: config[period] for period in PERIODS}}


def find_task(name):
    """The task class of that name; UserError with the names there are."""
    if name not in TASKS:
        raise UserError(f"no task {name}; tasks: {', '.join(TASKS)}")
    return TASKS[name]


if __name__ == "__main__":
    run_script(main, Config)
