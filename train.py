"""Train networks on noisy multi-line classification, many side by side (SPEC 1, 3, 4).

    python train.py                                              one RNN, N_task = 24
    python train.py --n_task 2 3 6 12 24 --runs 0 1 2 3 4        the 25 networks of Figure 3a

Writes one checkpoint per network into `out`, and a JSON-lines log. A training that was stopped,
by Ctrl-C, kill -9 or a power cut, goes on from its last snapshot with the same command.
"""

import ctrl_c  # noqa: F401

# isort: split
import contextlib
import copy
import hashlib
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch.optim.adam import adam
from tqdm import tqdm

import tasks
import util
import workers
from model import NETWORKS, Model, check_checkpoint, checkpoint
from util import Interrupted, UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell."""

    # Which networks: one for every n_task and run
    network: str = "RNN"  # architecture: RNN, LSTM, GRU, gpt-2
    n_task: tuple[int, ...] = (24,)  # N_task, classification boundaries; one ensemble for all
    runs: tuple[int, ...] = (0,)  # which of the networks of a condition; the paper has 0 1 2 3 4
    seed: int = 0  # a different number gives different networks with the same runs
    # Network
    n_neu: int = 64  # N_neu, hidden units
    leaky: bool = True  # RNN: r(t) = (1-a) r(t-1) + a f(...); no-leaky: r(t) = r(t-1) + a f(...)
    activation: Literal["relu", "tanh"] = "relu"  # RNN: f
    init: Literal["default", "ortho", "sparse"] = "default"  # RNN: of the recurrent weights
    n_sd_net: float = 0.0  # RNN: noise inside f; standard deviation n_sd_net / sqrt(dt)
    tau: int = 100  # ms, RNN: time constant of a unit; a = dt / tau
    n_layer: int = 1  # gpt-2: blocks
    n_head: int = 8  # gpt-2: attention heads
    dropout: float = 0.1  # gpt-2: share of units left out while training
    # Encoder
    encode: bool = True  # no-encode: the network sees the raw channels
    activ_enc: Literal["ReLU", "Quad"] = "ReLU"  # Quad: the square
    noise_enc: bool = False  # noise after the encoder (sd n_sd_in / 20) instead of before it
    # Task
    task: str = "LinearClassificationCentOut"  # class in tasks.py
    n_dim: int = 2  # D, latent dimensions
    n_sd_in: float = 2.0  # input noise; sigma = n_sd_in / sqrt(dt) = 0.2
    dist: Literal["gauss", "gumbel"] = "gauss"  # distribution of the noise
    corr: float = 0.0  # correlation of the factors; not 0: task LinearClassificationCorr
    autocorr: bool = False  # AR(1) noise: task LinearClassificationAutocorr
    ar_coef: float = 0.7  # its coefficient
    bound: float = 5.0  # LinearClassificationBound: absorbing bound
    rule_input: bool = False  # single tasks: a one-hot input says which one it is
    fixation: int = 100  # ms
    stimulus: int = 2000  # ms
    delay: int = 0  # ms
    decision: int = 100  # ms
    dt: int = 100  # ms per step
    # Training
    n_batch: int = 0  # batches, a fresh one every time; 0: the paper's 100_000, gpt-2 20_000
    batch_sz: int = 16  # trials per batch
    lr: float = 0.0  # Adam's learning rate; 0: the paper's 1e-3, free reaction time 3e-3
    CE_loss: bool = True  # cross-entropy; no-CE_loss: squared error of tanh outputs
    bal_err: bool = False  # decision steps and all others get half of the weight each
    pen_end: bool = False  # only the last step of a trial is penalised
    rand_pen: bool = False  # only one step of each trial is penalised, drawn at random
    trial_num: int = 1  # trials in a row without a reset of the network
    # Where
    out: Path = Path("trained_networks")  # folder for checkpoints
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: a GPU if there is one
    workers: int = 0  # processes that share the networks on a CPU; 0: up to one per core
    overwrite: bool = False  # train again what is already there

    def check(self):
        """Raise UserError for settings that cannot be meant."""
        if self.network not in NETWORKS:
            raise UserError(f"no network {self.network}; networks: {', '.join(NETWORKS)}")
        lowest = {"n_batch": 0, "seed": 0, "workers": 0, "lr": 0, "n_sd_net": 0, "n_sd_in": 0}
        lowest |= dict.fromkeys(("batch_sz", "n_neu", "tau", "n_layer", "n_head", "trial_num"), 1)
        for name, low in lowest.items():
            value = getattr(self, name)
            if not (value >= low and math.isfinite(value)):
                raise UserError(f"{name} must be a number of at least {low}, not {value}")
        for name in ("n_task", "runs"):
            values = getattr(self, name)
            if not values:
                raise UserError(f"{name} needs at least one number")
            if len(set(values)) < len(values):
                raise UserError(f"{name} names a number twice: {' '.join(map(str, values))}")
        if min(self.runs) < 0:
            raise UserError(f"runs are counted from 0, not {min(self.runs)}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is a share, from 0 to below 1, not {self.dropout}")
        self.check_combinations()

    def check_combinations(self):
        """Raise UserError for settings that make no sense together, or that nothing would use."""
        task_class = tasks.find_task(self.task)
        if not issubclass(task_class, tasks.Classification):
            raise UserError(f"{self.task} is for decoders; train.py trains classification tasks")
        if self.autocorr and self.corr:
            raise UserError("autocorr and corr are two different tasks; choose one")
        for setting, named in (("corr", CORR), ("autocorr", AUTOCORR)):
            if getattr(self, setting) and self.task not in (CENT_OUT, named):
                raise UserError(f"{setting} is for the task {named}, not for {self.task}")
        task_class = tasks.find_task(self.real_task())
        kinds = [*NETWORKS.values(), *tasks.TASKS.values()]
        used = {*NETWORKS[self.network].SETTINGS, *task_class.SETTINGS}
        for setting in sorted({s for kind in kinds for s in kind.SETTINGS} - used):
            if getattr(self, setting) != getattr(type(self), setting):
                where = f"{self.network} on {self.real_task()}"
                raise UserError(f"{setting} has no meaning for {where}; leave it out")
        if "tau" in used and self.dt > self.tau:
            raise UserError(f"tau must be at least dt = {self.dt} ms, not {self.tau}")
        free = not task_class.n_fix
        penalties = [name for name in ("bal_err", "pen_end", "rand_pen") if getattr(self, name)]
        if len(penalties) > 1:
            raise UserError(f"{' and '.join(penalties)} contradict each other; choose one")
        if free and self.bal_err:
            raise UserError(f"bal_err balances the decision period, and {self.task} has none")
        if not self.encode and self.noise_enc:
            raise UserError("noise_enc adds noise after the encoder, and there is none (no-encode)")
        if not self.encode and self.activ_enc != "ReLU":
            raise UserError("activ_enc is the encoder's, and there is none (no-encode)")
        shaped = ["autocorr"] if self.autocorr else []
        shaped += ["dist"] if self.dist != "gauss" else []
        shaped += [self.task] if self.task in (ANISOT, AUTOCORR) else []
        if self.noise_enc and shaped:
            raise UserError(f"noise_enc replaces the noise of the evidence; leave out {shaped[0]}")

    def real_task(self):
        """The task's name, with the short cuts `corr` and `autocorr` taken in."""
        return CORR if self.corr else AUTOCORR if self.autocorr else self.task


CENT_OUT, CORR = "LinearClassificationCentOut", "LinearClassificationCorr"
AUTOCORR, ANISOT = "LinearClassificationAutocorr", "LinearClassificationAnisot"
# Settings that are not part of what a network is
ELSEWHERE = ("runs", "out", "device", "workers", "overwrite", "autocorr")


def settled(config):
    """Settings of one kind of network as plain values, with what depends on others filled in."""
    values = {k: v for k, v in util.plain(config).items() if k not in ELSEWHERE}
    values["task"] = config.real_task()
    task_class = tasks.find_task(values["task"])
    values["lr"] = config.lr or task_class.LR
    values["n_batch"] = config.n_batch or NETWORKS[config.network].N_BATCH
    if task_class is tasks.ContextDependent:
        values["rule_input"] = True
    if not task_class.n_fix:  # free reaction time: one period, squared error
        values["CE_loss"] = False
        for period in ("fixation", "decision"):
            if values[period] == getattr(Config, period):
                values[period] = 0
    return values


def network_configs(config):
    """One dict of plain values per network of the ensemble, in the order n_task, run."""
    shared = settled(config)
    return [{**shared, "n_task": n, "run": run} for n in config.n_task for run in config.runs]


def label(config):
    """File name of a network: architecture, n_task, run, and what differs from the defaults."""
    name = f"{config['network']}_nTask{config['n_task']}"
    defaults = settled(Config(network=config["network"], task=config["task"]))
    for setting, default in {**defaults, "task": CENT_OUT}.items():
        if setting not in ("network", "n_task") and config[setting] != default:
            name += f"_{setting}{config[setting]}"
    return f"{name}_run{config['run']}"


def seeds_of(config):
    """The seeds of one network, see `util.seeds_for`."""
    return util.seeds_for(config["seed"], config["run"], config["n_task"], config["n_dim"])


# ------------------------------------------------------------------ one training step


class CrossEntropy(torch.autograd.Function):
    """Binary cross-entropy with logits, and its gradient, in as few passes as it takes.

    Weighted sum over steps, trials and tasks of softplus(z) - y z, with gradient sigmoid(z) - y;
    the goal y is 0.5 but in the decision step. z (net, row, time, trial, task); others as in
    `loss_of`, with the axes of z.
    """

    @staticmethod
    def forward(ctx, z, targets, steps, weights, penalty):
        gradient = torch.sigmoid(z).sub_(0.5)
        gradient[:, :, steps].sub_(targets, alpha=0.5)
        gradient.mul_(weights)
        loss = F.softplus(z).sub_(z, alpha=0.5)
        loss[:, :, steps].addcmul_(targets, z[:, :, steps], value=-0.5)
        if penalty is not None:
            gradient.mul_(penalty)
            loss.mul_(penalty)
        ctx.save_for_backward(gradient)
        return (loss.sum(3, keepdim=True) * weights).sum((1, 2, 3, 4))

    @staticmethod
    def backward(ctx, grad):
        return ctx.saved_tensors[0] * grad[:, None, None, None, None], None, None, None, None


def squared_error(z, targets, steps, weights, penalty, scale):
    """Weighted sum of the squared error of scale * tanh(z); arguments as `CrossEntropy`."""
    goal = torch.zeros_like(z)
    goal[:, :, steps] = targets
    loss = (scale * torch.tanh(z) - goal) ** 2 * weights
    return (loss if penalty is None else loss * penalty).sum((1, 2, 3, 4))


def loss_of(logits, targets, task, weights, config, penalty=None):
    """Loss of each network: its mean over all steps, trials and tasks (SPEC 4).

    Args:
        logits: (net, trial, time, task).
        targets: as from `tasks.sample`, -1/+1 in the decision step; other steps aim at 0, which is
            0.5 once outputs are probabilities.
        task: any of the ensemble's tasks, for the timing.
        weights: see `loss_weights`.
        config: any network's settings.
        penalty: None, or weights of steps drawn at random, (net, trial, time).

    Returns:
        (net,); the sum of it is what is differentiated, so networks do not touch each other.
    """
    rows = config["trial_num"]
    z, targets = (x.transpose(1, 2).unflatten(1, (rows, -1)) for x in (logits, targets))
    if penalty is not None:
        penalty = penalty.transpose(1, 2).unflatten(1, (rows, -1))[..., None]
    if config["CE_loss"]:
        return CrossEntropy.apply(z, targets, task.target_steps, weights, penalty)
    scale = task.largest_action
    return squared_error(z, targets, task.target_steps, weights, penalty, scale)


def loss_weights(configs, task, device):
    """Weights (net, 1, 1 or time, 1, task) of the loss: they make it a mean, and 0 on padding."""
    config = configs[0]
    n_tasks = torch.tensor([c["n_task"] for c in configs], device=device)
    own = torch.arange(n_tasks.max(), device=device) < n_tasks[:, None]
    per_net = n_tasks * task.n_step * config["batch_sz"] * config["trial_num"]
    steps = torch.ones(1, device=device)
    if config["bal_err"] or config["pen_end"]:
        steps = torch.zeros(task.n_step, device=device)
        if config["pen_end"]:
            steps[-1] = task.n_step
        else:
            decision = task.target_steps
            n_decision = decision.stop - decision.start
            steps += 0.5 * task.n_step / max(1, task.n_step - n_decision)
            steps[decision] = 0.5 * task.n_step / n_decision
    return (own / per_net[:, None])[:, None, None, None] * steps[:, None, None]


def draw_penalty(n_trial, n_time, trial_num, generators):
    """One step of each trial, drawn at random, with the weight of all of them; (net, trial, time).

    Args:
        n_trial, n_time: trials side by side, and steps of all that follow each other.
        trial_num: how many follow each other.
        generators: one per network.
    """
    n_step = n_time // trial_num
    shape = n_trial, trial_num
    drawn = [torch.randint(n_step, shape, generator=g, device=g.device) for g in generators]
    return (F.one_hot(torch.stack(drawn), n_step) * float(n_step)).flatten(2)


def confusion(logits, targets, task):
    """Share of decisions by (true class, chosen class), (net, 2, 2); padding is left out."""
    n_target = targets.shape[2] // (logits.shape[2] // task.n_step)  # per trial
    chosen = logits[:, :, task.n_step - 1 :: task.n_step] > 0
    last = targets[:, :, n_target - 1 :: n_target]
    cells = [(last * (2 * a - 1) > 0) & (chosen == b) for a in (False, True) for b in (False, True)]
    counts = torch.stack([cell.sum((1, 2, 3)) for cell in cells], 1).float()
    return (counts / counts.sum(1, keepdim=True)).view(-1, 2, 2)


class Trainer:
    """What changes while an ensemble trains, and how it is saved and resumed."""

    def __init__(self, configs, device):
        self.configs, self.device = configs, device
        self.seeds = [seeds_of(c) for c in configs]
        self.tasks = [
            tasks.make_task(c, s["task"]) for c, s in zip(configs, self.seeds, strict=True)
        ]
        self.model = Model(configs)
        self.model.draw(self.seeds)
        self.model.to(device)
        self.data = tasks.Batches(
            self.tasks,
            [util.generator(s["data"], device) for s in self.seeds],
            configs[0]["batch_sz"],
            configs[0]["trial_num"],
            self.model.encoder,
        )
        self.noise = [util.generator(s["noise"], device) for s in self.seeds]
        self.done = 0  # batches
        self.loss_sum = torch.zeros(len(configs), device=device)  # since the last log line
        self.loss_hist, self.confusion_hist = [], []  # lists of (net,) and (net, 2, 2)
        self.seconds = 0.0  # of training, over all its parts
        self.prepare()

    def prepare(self):
        """Make what depends on which networks there are.

        All trained parameters become views of one vector, so that Adam makes one pass. It is called
        as a function: for few networks the bookkeeping of torch.optim's object takes longer.
        """
        self.weights = loss_weights(self.configs, self.tasks[0], self.device)
        named = [(k, p) for k, p in self.model.named_parameters() if p.requires_grad]
        self.names, self.trained = zip(*named, strict=True)
        self.vector = torch.cat([p.detach().flatten() for p in self.trained])
        for parameter, view in zip(self.trained, self.views(self.vector), strict=True):
            parameter.data = view
        self.adam_state = {
            "exp_avg": torch.zeros_like(self.vector),
            "exp_avg_sq": torch.zeros_like(self.vector),
            "step": torch.zeros((), device=self.device),
        }
        self.graph, self.is_warm = None, False

    def views(self, vector):
        """A vector as views in the shapes of the trained parameters."""
        parts = vector.split([p.numel() for p in self.trained])
        return [part.view_as(p) for part, p in zip(parts, self.trained, strict=True)]

    def compute(self, batch):
        """Forward, backward and Adam; what a CUDA graph captures."""
        noise = {name: x for name, x in batch.items() if name not in ("inputs", "targets")}
        penalty = noise.pop("penalty", None)
        logits = self.model.respond(batch["inputs"], **noise)
        arguments = self.tasks[0], self.weights, self.configs[0], penalty
        loss = loss_of(logits, batch["targets"], *arguments)
        self.update(loss)
        self.loss_sum += loss.detach()
        return logits.detach()

    def update(self, loss):
        """One step of Adam on each network's loss (net,); networks do not touch each other."""
        gradients = torch.autograd.grad(loss.sum(), self.trained)
        self.descend(torch.cat([g.flatten() for g in gradients]))

    def descend(self, gradient):
        """One step of Adam with its defaults, but for lr; gradient as `vector`."""
        adam(
            [self.vector],
            [gradient],
            [self.adam_state["exp_avg"]],
            [self.adam_state["exp_avg_sq"]],
            [],
            [self.adam_state["step"]],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.configs[0]["lr"],
            weight_decay=0,
            eps=1e-8,
            maximize=False,
        )

    def draw_batch(self):
        """Fresh trials and noise for every network, by name."""
        inputs, targets = next(self.data)
        n_trial, n_time, trial_num = *inputs.shape[1:3], self.configs[0]["trial_num"]
        batch = {"inputs": inputs, "targets": targets}
        batch |= self.model.draw_noise(n_trial, n_time, self.noise, trial_num)
        if self.configs[0]["rand_pen"]:
            batch["penalty"] = draw_penalty(n_trial, n_time, trial_num, self.noise)
        return batch

    def step(self):
        """One batch for every network. Returns logits and targets."""
        batch = self.draw_batch()
        logits = (self.replay if self.device.type == "cuda" else self.compute)(batch)
        self.done += 1
        return logits, batch["targets"]

    def replay(self, batch):
        """`compute` on a GPU: the first batch as it is, then captured once and replayed."""
        if not self.is_warm:
            self.is_warm = True
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # a capture wants its warm-up on a side stream
                logits = self.compute(batch)
            torch.cuda.current_stream().wait_stream(side)
            return logits
        if self.graph is None:
            self.held = {name: x.clone() for name, x in batch.items()}
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.held_logits = self.compute(self.held)
        for name, fresh in batch.items():
            self.held[name].copy_(fresh)
        self.graph.replay()
        return self.held_logits

    def log(self, logits, targets, n_since):
        """Mean loss since the last log line and confusion matrices of this batch, on the CPU."""
        loss = (self.loss_sum / n_since).cpu()
        self.loss_sum.zero_()
        return loss, confusion(logits, targets, self.tasks[0]).cpu()

    def keep(self, nets):
        """Go on with these networks only; the optimiser's moments come along."""
        moments = self.moments()
        self.model.keep(nets)
        self.configs, self.seeds, self.tasks, self.noise = (
            [items[i] for i in nets] for items in (self.configs, self.seeds, self.tasks, self.noise)
        )
        self.data.keep(nets)
        self.loss_sum = self.loss_sum[nets]
        self.loss_hist = [x[nets] for x in self.loss_hist]
        self.confusion_hist = [x[nets] for x in self.confusion_hist]
        self.prepare()
        self.set_moments(moments, nets)

    def moments(self):
        """What Adam knows, shaped as the parameters but for the number of steps."""
        return {
            name: value if name == "step" else dict(zip(self.names, self.views(value), strict=True))
            for name, value in self.adam_state.items()
        }

    def set_moments(self, moments, nets=slice(None)):
        """Take over `moments`, those of some networks only."""
        for name, value in moments.items():
            if name != "step":
                kept = zip(self.names, self.trained, strict=True)
                value = torch.cat([value[k][nets][..., : p.shape[-1]].flatten() for k, p in kept])
            self.adam_state[name] = value.clone().to(self.device)

    def state_dict(self):
        """Everything a resumed training needs to end with the same weights, bit for bit."""
        return {
            **self.shared_state(),
            "configs": self.configs,
            "done": self.done,
            "loss_hist": self.loss_hist,
            "confusion_hist": self.confusion_hist,
            "seconds": self.seconds,
            "device": self.device.type,
        }

    def shared_state(self):
        """What changes with every batch; networks stand first in each entry."""
        return {
            "model": self.model.state_dict(),
            "moments": self.moments(),
            "data": self.data.state_dict(),
            "noise": [g.get_state() for g in self.noise],
            "loss_sum": self.loss_sum,
        }

    def load_state_dict(self, state):
        """Go on where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        self.set_moments(state["moments"])
        self.data.load_state_dict(state["data"])
        for rng, saved in zip(self.noise, state["noise"], strict=True):
            rng.set_state(saved)
        self.done = state["done"]
        self.loss_sum.copy_(state["loss_sum"])
        self.loss_hist, self.confusion_hist = state["loss_hist"], state["confusion_hist"]
        self.seconds = state["seconds"]

    @classmethod
    def from_state(cls, state, nets=None):
        """A Trainer that goes on where `state_dict` was taken, with some of its networks or all."""
        trainer = cls(state["configs"], torch.device(state["device"]))
        trainer.load_state_dict(state)
        if nets is not None and len(nets) < len(trainer.configs):
            trainer.keep(nets)
        return trainer

    def advance(self, target, n_since, tick=lambda done: None, stop_asked=lambda: False):
        """Train up to batch `target`.

        Args:
            n_since: batches since the last log line, there; 0: no log.
            tick: is told how many batches are done.
            stop_asked: says whether to stop on the way.

        Returns:
            As `log`; None without a log, and stopped on the way.
        """
        logits = targets = None
        while self.done < target:
            logits, targets = self.step()
            tick(self.done)
            if self.done < target and stop_asked():
                return None
        return self.log(logits, targets, n_since) if n_since else None

    def close(self):
        """Nothing to end; `workers.Workers` has processes."""


# ------------------------------------------------------------------ the training


N_LOG = 100  # log lines per training
N_TRY = 4  # so many workers may be killed, less one
CHANCE = math.log(2)  # cross-entropy of a network that knows nothing
DIVERGED = 20  # a loss this many times chance will not come back


class Progress:
    """A bar on a terminal; elsewhere a line per percent."""

    def __init__(self, done, total, n_net):
        self.total, self.n_net, self.first = total, n_net, done
        self.start = self.before = time.perf_counter()
        self.bar = None
        if sys.stderr.isatty():
            self.bar = tqdm(total=total, initial=done, unit="batch", dynamic_ncols=True)

    def rate(self, done):
        """Networks x batches per second since the start."""
        return self.n_net * (done - self.first) / (time.perf_counter() - self.start)

    def lap(self):
        """Seconds since the last call."""
        now = time.perf_counter()
        self.before, seconds = now, now - self.before
        return seconds

    def update(self, done):
        """So many batches are done."""
        if self.bar is not None:
            self.bar.update(done - self.bar.n)

    def report(self, done, loss, accuracy):
        """Show the state of training."""
        rate = self.rate(done)
        text = f"loss {loss:.4f}, accuracy {accuracy:.3f}, {rate:.0f} networks x batches/s"
        if self.bar is not None:
            self.bar.set_postfix_str(text)
        else:
            left = (self.total - done) * self.n_net / rate
            print(f"{done}/{self.total} batches, {text}, {left:.0f} s left", flush=True)

    def close(self):
        """Leave the terminal clean."""
        if self.bar is not None:
            self.bar.close()


def share(trainer, n_worker):
    """The Trainer itself, or Workers that share its networks; `n_worker` as in `Config`."""
    n_net = len(trainer.configs)
    if not workers.are_possible(trainer.device):
        return trainer
    n_worker = min(n_net, n_worker or workers.how_many(n_net, trainer.configs[0]["n_batch"]))
    return trainer if n_worker == 1 else workers.Workers(trainer, n_worker)


def train(trainer, files, stop_asked, n_worker=1):
    """Train to the end, logging and saving snapshots on the way."""
    n_batch = trainer.configs[0]["n_batch"]
    log_at = [max(1, round((i + 1) * n_batch / N_LOG)) for i in range(N_LOG)]
    good = copy.deepcopy(trainer.model), trainer.done, len(trainer.loss_hist)
    engine = share(trainer, n_worker)
    progress = Progress(trainer.done, n_batch, len(trainer.configs))
    saved, cost, n_lost = time.perf_counter(), 0.0, 0
    logged = max([at for at in log_at if at <= trainer.done], default=0)
    try:
        while trainer.done < n_batch:
            target = next(at for at in log_at if at > trainer.done)
            try:
                log = engine.advance(target, target - logged, progress.update, stop_asked)
            except workers.WorkerLost:
                n_lost += 1
                if n_lost == N_TRY:
                    raise
                engine.close()
                engine = share(trainer, n_worker)
                continue
            trainer.seconds += progress.lap()
            if log:
                loss, matrix = log
                logged = trainer.done
                times = log_at.count(trainer.done)  # more than 1 where n_batch < 100
                trainer.loss_hist += [loss] * times
                trainer.confusion_hist += [matrix] * times
                lost = find_diverged(trainer, loss)
                if lost:
                    for net in lost:
                        files.leave_out(trainer, net, good, loss)
                    kept = [i for i in range(len(loss)) if i not in lost]
                    if not kept:
                        files.forget_snapshot()
                        raise UserError("no network is left in training; see above")
                    trainer.keep(kept)
                    engine.close()
                    engine = share(trainer, n_worker)
                    progress.n_net = len(kept)
                    loss, matrix = loss[kept], matrix[kept]
                accuracy = matrix.diagonal(dim1=1, dim2=2).sum(1)
                progress.report(trainer.done, loss.mean(), accuracy.mean())
                files.log(trainer, loss, accuracy, progress.rate(trainer.done))
                good = copy.deepcopy(trainer.model), trainer.done, len(trainer.loss_hist)
                # Snapshots may take a twentieth of the time, not more.
                if time.perf_counter() - saved > 20 * cost:
                    before = time.perf_counter()
                    files.save_snapshot(trainer)
                    saved = time.perf_counter()
                    cost = saved - before
            if stop_asked():
                files.save_snapshot(trainer)
                raise Interrupted(
                    f"stopped at batch {trainer.done} of {n_batch}; "
                    "the same command goes on from there"
                )
    finally:
        progress.close()
        engine.close()


def find_diverged(trainer, loss):
    """Indices of networks whose loss or weights are beyond hope."""
    unit = trainer.tasks[0].largest_action ** 2  # of the squared error of wider targets
    bad = ~(loss < DIVERGED * CHANCE * unit)  # true for nan too
    for parameter in trainer.model.parameters():
        bad |= ~parameter.detach().flatten(1).isfinite().all(1).cpu()
    return bad.nonzero().flatten().tolist()


def ensemble_name(configs):
    """Name of the log and the snapshot of an ensemble, from its networks' settings."""
    key = hashlib.sha256(json.dumps(configs, sort_keys=True).encode()).hexdigest()[:8]
    return f"ensemble_{key}"


def is_trained(path, config):
    """Is this very network there? UserError if another one has its name."""
    if not path.exists():
        return False
    found = check_checkpoint(path, util.load_torch(path))
    other = [k for k in config if found.get(k) != config[k]]
    if other:
        raise UserError(
            f"{path}: there already, trained with {other[0]} = {found.get(other[0])} instead "
            f"of {config[other[0]]}; choose another --out, or --overwrite"
        )
    return True


class Files:
    """Where an ensemble is kept: its checkpoints, log and snapshot."""

    def __init__(self, config, networks):
        self.folder, name = util.make_folder(config.out), ensemble_name(networks)
        self.snapshot = self.folder / f"{name}.snapshot"
        self.log_file = self.folder / f"{name}.jsonl"
        self.diverged = []
        for left_over in self.folder.glob(f".{name}.*.partial"):  # of a killed training
            left_over.unlink()

    def path(self, config):
        """File of a finished network."""
        return self.folder / f"{label(config)}.pth"

    def save_network(self, trainer, net):
        """Write a finished network's checkpoint."""
        content = self.content(trainer, net, trainer.model, len(trainer.loss_hist))
        util.save_torch(self.path(trainer.configs[net]), content)

    def content(self, trainer, net, model, n_log, **extra):
        """A network's checkpoint with the first `n_log` points of its history."""
        if isinstance(trainer.tasks[net], tasks.LinearClassificationHighDim):
            extra["normals"] = trainer.tasks[net].normals.tolist()
        config = {**trainer.configs[net], **extra}
        history = trainer.loss_hist[:n_log], trainer.confusion_hist[:n_log]
        return checkpoint(model, net, config, *history)

    def leave_out(self, trainer, net, good, loss):
        """Keep a diverged network's last good state, and say so."""
        model, batch, n_log = good
        name = label(trainer.configs[net])
        path = self.folder / f"{name}.diverged.pth"
        util.save_torch(path, self.content(trainer, net, model, n_log, diverged_at=trainer.done))
        self.diverged.append(name)
        line = (
            f"{name} diverged (loss {loss[net]:.3g} before batch {trainer.done}) and was left out"
        )
        print(f"train.py: {line}; its state at batch {batch} is in {path}", file=sys.stderr)

    def save_snapshot(self, trainer):
        """Save what `resume` needs."""
        util.save_torch(self.snapshot, {**trainer.state_dict(), "diverged": self.diverged})

    def forget_snapshot(self):
        """The training is over."""
        self.snapshot.unlink(missing_ok=True)

    def resume(self, wanted, device):
        """The Trainer of the wanted networks in the snapshot, or None where there are none."""
        if not self.snapshot.exists():
            return None
        state = util.load_torch(self.snapshot)
        try:
            if state["device"] != device.type:
                raise UserError(
                    f"{self.snapshot}: begun on {state['device']}; go on with --device "
                    f"{state['device']}, or delete the file to start over"
                )
            nets = [i for i, c in enumerate(state["configs"]) if c in wanted]
            if not nets:  # another training has finished all that this snapshot holds
                return None
            trainer = Trainer.from_state(state, nets)
            self.diverged = state["diverged"]
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.snapshot}: not a snapshot of this training ({error!r:.80}); delete it to "
                "start over"
            ) from None
        self.trim_log(trainer.done)
        return trainer

    def start_log(self, trainer):
        """Begin a new log with what is trained and where; an old one is kept beside it."""
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_suffix(".previous.jsonl"))
        names = [label(c) for c in trainer.configs]
        head = {"networks": names, "config": trainer.configs[0], "machine": util.machine()}
        util.write_atomic(self.log_file, (json.dumps(head) + "\n").encode())

    def trim_log(self, done):
        """Drop lines a killed training wrote after its last snapshot."""
        if not self.log_file.exists():
            return
        lines = []
        for line in self.log_file.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # the last line may be cut
                if json.loads(line).get("batch", 0) <= done:
                    lines.append(line + "\n")
        util.write_atomic(self.log_file, "".join(lines).encode())

    def log(self, trainer, loss, accuracy, rate):
        """One line: batch, and per network still in training loss and accuracy."""
        line = {
            "batch": trainer.done,
            "networks": [label(c) for c in trainer.configs] if self.diverged else "all",
            "loss": [round(x, 6) for x in loss.tolist()],
            "accuracy": [round(x, 4) for x in accuracy.tolist()],
            "networks_x_batches_per_s": round(rate, 1),
            "seconds": round(trainer.seconds, 2),
        }
        with open(self.log_file, "a") as file:
            file.write(json.dumps(line) + "\n")


def main(config):
    """Train what is not there yet, and save each network in a file of its own."""
    config.check()
    util.flush_denormals()
    device = util.pick_device(config.device)
    if config.workers > 1 and not workers.are_possible(device):
        raise UserError(workers.NO_WORKERS)
    networks = network_configs(config)
    for c in networks:
        tasks.make_task(c)  # checks the task's settings before anything is written
    Model(networks[:1])
    files = Files(config, networks)
    wanted = [c for c in networks if config.overwrite or not is_trained(files.path(c), c)]
    if len(wanted) < len(networks):
        n_there = len(networks) - len(wanted)
        print(f"{n_there} of {len(networks)} networks are trained already, skipped")
    if not wanted:
        files.forget_snapshot()
        return
    with util.stop_requests() as stop_asked:
        trainer = files.resume(wanted, device)
        if trainer is None:
            trainer = Trainer(wanted, device)
            files.start_log(trainer)
        else:
            n_batch = networks[0]["n_batch"]
            print(f"resuming at batch {trainer.done} of {n_batch} from {files.snapshot}")
        print(f"training {len(trainer.configs)} networks on {device}; log: {files.log_file}")
        train(trainer, files, stop_asked, config.workers)
        for net in range(len(trainer.configs)):
            files.save_network(trainer, net)
        files.forget_snapshot()
    n_net = len(trainer.configs)
    print(f"{n_net} networks in {config.out}, {trainer.seconds:.0f} s on {util.machine()}")
    if files.diverged:
        names = ", ".join(files.diverged)
        raise UserError(f"{len(files.diverged)} of {len(networks)} networks diverged: {names}")


if __name__ == "__main__":
    util.run_script(main, Config)
