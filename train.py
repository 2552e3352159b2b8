"""Train networks on noisy multi-line classification, many side by side (SPEC 1, 3, 4).

    python train.py                                              one RNN, N_task = 24
    python train.py --n_task 2 3 6 12 24 --runs 0 1 2 3 4        the 25 networks of Figure 3a

Writes one checkpoint per network into `out`, and a JSON-lines log. A training that was stopped,
by Ctrl-C, kill -9 or a power cut, goes on from its last snapshot with the same command.
"""

import contextlib
import copy
import dataclasses
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
from tqdm import tqdm

import tasks
import util
from model import NETWORKS, Model, check_checkpoint, checkpoint
from util import Interrupted, UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell."""

    # Which networks: one for every n_task and run
    network: str = "RNN"  # architecture
    n_task: tuple[int, ...] = (24,)  # N_task, classification boundaries; one ensemble for all
    runs: tuple[int, ...] = (0,)  # which of the networks of a condition; the paper has 0 1 2 3 4
    seed: int = 0  # a different number gives different networks with the same runs
    # Network
    n_neu: int = 64  # N_neu, hidden units
    leaky: bool = True  # r(t) = (1-a) r(t-1) + a f(...); no-leaky: r(t) = r(t-1) + a f(...)
    activation: Literal["relu", "tanh"] = "relu"  # f
    init: Literal["default", "ortho", "sparse"] = "default"  # of the recurrent weights
    n_sd_net: float = 0.0  # noise inside f; standard deviation n_sd_net / sqrt(dt)
    tau: int = 100  # ms, time constant of a unit; a = dt / tau
    # Task
    task: str = "LinearClassificationCentOut"  # class in tasks.py
    n_dim: int = 2  # D, latent dimensions
    n_sd_in: float = 2.0  # input noise; sigma = n_sd_in / sqrt(dt) = 0.2
    fixation: int = 100  # ms
    stimulus: int = 2000  # ms
    delay: int = 0  # ms
    decision: int = 100  # ms
    dt: int = 100  # ms per step
    # Training
    n_batch: int = 100_000  # batches, a fresh one every time
    batch_sz: int = 16  # trials per batch
    lr: float = 1e-3  # Adam's learning rate
    # Where
    out: Path = Path("trained_networks")  # folder for checkpoints
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: a GPU if there is one
    overwrite: bool = False  # train again what is already there

    def check(self):
        """Raise UserError for settings that cannot be meant."""
        if self.network not in NETWORKS:
            raise UserError(f"no network {self.network}; networks: {', '.join(NETWORKS)}")
        for name, low in (("n_batch", 1), ("batch_sz", 1), ("n_neu", 1), ("tau", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise UserError(f"{name} must be at least {low}, not {getattr(self, name)}")
        for name in ("n_task", "runs"):
            values = getattr(self, name)
            if not values:
                raise UserError(f"{name} needs at least one number")
            if len(set(values)) < len(values):
                raise UserError(f"{name} names a number twice: {' '.join(map(str, values))}")
        if min(self.runs) < 0:
            raise UserError(f"runs are counted from 0, not {min(self.runs)}")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UserError(f"lr must be a positive number, not {self.lr}")
        if not (self.n_sd_net >= 0 and math.isfinite(self.n_sd_net)):
            raise UserError(f"n_sd_net is a noise level, 0 or more, not {self.n_sd_net}")
        if self.dt > self.tau:
            raise UserError(f"tau must be at least dt = {self.dt} ms, not {self.tau}")
        if not issubclass(tasks.find_task(self.task), tasks.LinearClassification):
            raise UserError(f"{self.task} is for decoders; train.py trains classification tasks")


ELSEWHERE = ("runs", "out", "device", "overwrite")  # not part of what a network is


def network_configs(config):
    """One dict of plain values per network of the ensemble, in the order n_task, run."""
    shared = {k: v for k, v in util.plain(config).items() if k not in ELSEWHERE}
    return [{**shared, "n_task": n, "run": run} for n in config.n_task for run in config.runs]


def label(config):
    """File name of a network: architecture, n_task, run, and what differs from the defaults."""
    name = f"{config['network']}_nTask{config['n_task']}"
    for field in dataclasses.fields(Config):
        known = field.name in ("network", "n_task", *ELSEWHERE)
        if not known and config[field.name] != field.default:
            name += f"_{field.name}{config[field.name]}"
    return f"{name}_run{config['run']}"


def seeds_of(config):
    """The seeds of one network, see `util.seeds_for`."""
    return util.seeds_for(config["seed"], config["run"], config["n_task"], config["n_dim"])


def make_task(config, seeds):
    """The task of one network."""
    settings = {"n_task": config["n_task"], **tasks.trial_settings(config)}
    task_class = tasks.find_task(config["task"])
    if issubclass(task_class, tasks.LinearClassificationHighDim):
        settings["normals_seed"] = seeds["task"]
    return task_class(**settings)


# ------------------------------------------------------------------ one training step


class CrossEntropy(torch.autograd.Function):
    """Binary cross-entropy with logits, and its gradient, in as few passes as it takes.

    Weighted sum over steps, trials and tasks of softplus(z) - y z, with gradient sigmoid(z) - y;
    the goal y is 0.5 but in the decision step. z (net, time, trial, task); others as in `loss_of`.
    """

    @staticmethod
    def forward(ctx, z, targets, decision, weights):
        half = 0.5 * targets[:, None]
        gradient = torch.sigmoid(z).sub_(0.5)
        gradient[:, decision] -= half
        ctx.save_for_backward(gradient.mul_(weights))
        loss = F.softplus(z).sub_(z, alpha=0.5).sum((1, 2)) - (half * z[:, decision]).sum((1, 2))
        return (loss * weights[:, 0, 0]).sum(1)

    @staticmethod
    def backward(ctx, grad):
        return ctx.saved_tensors[0] * grad[:, None, None, None], None, None, None


def loss_of(logits, targets, task, weights):
    """Mean binary cross-entropy over all steps, trials and tasks of each network (SPEC 4).

    Args:
        logits: (net, trial, time, task).
        targets: -1/+1 in the decision step, (net, trial, task); other steps aim at 0.5.
        task: any of the ensemble's tasks, for the timing.
        weights: (net, 1, 1, task), 1 / (time trial n_task) on a network's own tasks, 0 on padding.

    Returns:
        (net,); the sum of it is what is differentiated, so networks do not touch each other.
    """
    return CrossEntropy.apply(logits.transpose(1, 2), targets, task.steps["decision"], weights)


def loss_weights(configs, task, device):
    """See `loss_of`."""
    n_tasks = torch.tensor([c["n_task"] for c in configs], device=device)
    own = torch.arange(n_tasks.max(), device=device) < n_tasks[:, None]
    per_net = n_tasks * task.n_step * configs[0]["batch_sz"]
    return (own / per_net[:, None])[:, None, None]


def confusion(logits, targets, task):
    """Share of decisions by (true class, chosen class), (net, 2, 2); padding is left out."""
    chosen = logits[:, :, task.steps["decision"]] > 0
    true = (targets > 0)[:, :, None]
    real = (targets != 0)[:, :, None]
    cells = [(true == a) & (chosen == b) & real for a in (False, True) for b in (False, True)]
    counts = torch.stack([cell.sum((1, 2, 3)) for cell in cells], 1).float()
    return (counts / counts.sum(1, keepdim=True)).view(-1, 2, 2)


class Trainer:
    """What changes while an ensemble trains, and how it is saved and resumed."""

    def __init__(self, configs, device):
        self.configs, self.device = configs, device
        self.seeds = [seeds_of(c) for c in configs]
        self.tasks = [make_task(c, s) for c, s in zip(configs, self.seeds, strict=True)]
        self.model = Model(configs)
        self.model.draw(self.seeds)
        self.model.to(device)
        self.data = tasks.Batches(
            self.tasks,
            [util.generator(s["data"], device) for s in self.seeds],
            configs[0]["batch_sz"],
        )
        self.noise = [util.generator(s["noise"], device) for s in self.seeds]
        self.done = 0  # batches
        self.loss_sum = torch.zeros(len(configs), device=device)  # since the last log line
        self.loss_hist, self.confusion_hist = [], []  # lists of (net,) and (net, 2, 2)
        self.seconds = 0.0  # of training, over all its parts
        self.prepare()

    def prepare(self):
        """Make what depends on which networks there are."""
        self.weights = loss_weights(self.configs, self.tasks[0], self.device)
        cuda = self.device.type == "cuda"
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(
            self.trained,
            lr=self.configs[0]["lr"],
            fused=True,
            capturable=cuda,
        )
        self.graph, self.is_warm = None, False

    def compute(self, inputs, targets, noise):
        """Forward, backward and Adam; what a CUDA graph captures."""
        logits = self.model(inputs, noise)
        loss = loss_of(logits, targets, self.tasks[0], self.weights)
        loss.sum().backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=self.device.type != "cuda")
        self.loss_sum += loss.detach()
        return logits.detach()

    def step(self):
        """One batch for every network. Returns logits and targets."""
        inputs, targets = next(self.data)
        noise = self.model.network.draw_noise(*inputs.shape[1:3], self.noise)
        if self.device.type == "cuda":
            logits = self.replay(inputs, targets, noise)
        else:
            logits = self.compute(inputs, targets, noise)
        self.done += 1
        return logits, targets

    def replay(self, inputs, targets, noise):
        """`compute` on a GPU: the first batch as it is, then captured once and replayed."""
        if not self.is_warm:
            self.is_warm = True
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # a capture wants its warm-up on a side stream
                logits = self.compute(inputs, targets, noise)
            torch.cuda.current_stream().wait_stream(side)
            return logits
        if self.graph is None:
            self.held = [None if x is None else x.clone() for x in (inputs, targets, noise)]
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.held_logits = self.compute(*self.held)
        for held, fresh in zip(self.held, (inputs, targets, noise), strict=True):
            if held is not None:
                held.copy_(fresh)
        self.graph.replay()
        return self.held_logits

    def log(self, logits, targets, n_since):
        """Mean loss since the last log line and confusion matrices of this batch, on the CPU."""
        loss = (self.loss_sum / n_since).cpu()
        self.loss_sum.zero_()
        return loss, confusion(logits, targets, self.tasks[0]).cpu()

    def keep(self, nets):
        """Go on with these networks only; the optimiser's moments come along."""
        moments = [self.optimizer.state[p] for p in self.trained]
        self.model.keep(nets)
        self.configs, self.seeds, self.tasks, self.noise = (
            [items[i] for i in nets] for items in (self.configs, self.seeds, self.tasks, self.noise)
        )
        self.data.keep(nets)
        self.loss_sum = self.loss_sum[nets]
        self.loss_hist = [x[nets] for x in self.loss_hist]
        self.confusion_hist = [x[nets] for x in self.confusion_hist]
        self.prepare()
        for parameter, moment in zip(self.trained, moments, strict=True):
            self.optimizer.state[parameter] = {
                name: value if name == "step" else value[nets][..., : parameter.shape[-1]].clone()
                for name, value in moment.items()
            }

    def state_dict(self):
        """Everything a resumed training needs to end with the same weights, bit for bit."""
        return {
            "configs": self.configs,
            "done": self.done,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "data": self.data.state_dict(),
            "noise": [g.get_state() for g in self.noise],
            "loss_sum": self.loss_sum,
            "loss_hist": self.loss_hist,
            "confusion_hist": self.confusion_hist,
            "seconds": self.seconds,
            "device": self.device.type,
        }

    def load_state_dict(self, state):
        """Go on where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.data.load_state_dict(state["data"])
        for rng, saved in zip(self.noise, state["noise"], strict=True):
            rng.set_state(saved)
        self.done = state["done"]
        self.loss_sum.copy_(state["loss_sum"])
        self.loss_hist, self.confusion_hist = state["loss_hist"], state["confusion_hist"]
        self.seconds = state["seconds"]


# ------------------------------------------------------------------ the training


N_LOG = 100  # log lines per training
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

    def update(self):
        """One more batch."""
        if self.bar is not None:
            self.bar.update()

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


def train(trainer, files, config, stop_asked):
    """Train to the end, logging and saving snapshots on the way."""
    log_at = [max(1, round((i + 1) * config.n_batch / N_LOG)) for i in range(N_LOG)]
    good = copy.deepcopy(trainer.model), trainer.done, len(trainer.loss_hist)
    progress = Progress(trainer.done, config.n_batch, len(trainer.configs))
    saved, cost = time.perf_counter(), 0.0
    logged = max([at for at in log_at if at <= trainer.done], default=0)
    try:
        while trainer.done < config.n_batch:
            logits, targets = trainer.step()
            progress.update()
            if trainer.done in log_at:
                loss, matrix = trainer.log(logits, targets, trainer.done - logged)
                logged = trainer.done
                trainer.seconds += progress.lap()
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
                trainer.seconds += progress.lap()
                files.save_snapshot(trainer)
                raise Interrupted(
                    f"stopped at batch {trainer.done} of {config.n_batch}; "
                    "the same command goes on from there"
                )
    finally:
        progress.close()


def find_diverged(trainer, loss):
    """Indices of networks whose loss or weights are beyond hope."""
    bad = ~(loss < DIVERGED * CHANCE)  # true for nan too
    for parameter in trainer.model.parameters():
        bad |= ~parameter.detach().flatten(1).isfinite().all(1).cpu()
    return bad.nonzero().flatten().tolist()


class Files:
    """Where an ensemble is kept: its checkpoints, log and snapshot."""

    def __init__(self, config, networks):
        self.folder = util.make_folder(config.out)
        key = hashlib.sha256(json.dumps(networks, sort_keys=True).encode()).hexdigest()[:8]
        self.snapshot = self.folder / f"ensemble_{key}.snapshot"
        self.log_file = self.folder / f"ensemble_{key}.jsonl"
        self.diverged = []
        for left_over in self.folder.glob(f".ensemble_{key}.*.partial"):  # of a killed training
            left_over.unlink()

    def path(self, config):
        """File of a finished network."""
        return self.folder / f"{label(config)}.pth"

    def is_trained(self, config):
        """Is this very network there? UserError if another one has its name."""
        path = self.path(config)
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
            trainer = Trainer(state["configs"], device)
            trainer.load_state_dict(state)
            self.diverged = state["diverged"]
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.snapshot}: not a snapshot of this training ({error!r:.80}); delete it to "
                "start over"
            ) from None
        nets = [i for i, c in enumerate(trainer.configs) if c in wanted]
        if not nets:  # another training has finished all that this snapshot holds
            self.diverged = []
            return None
        if len(nets) < len(trainer.configs):
            trainer.keep(nets)
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
    device = util.pick_device(config.device)
    networks = network_configs(config)
    for c in networks:
        make_task(c, seeds_of(c))  # checks the task's settings before anything is written
    files = Files(config, networks)
    wanted = networks if config.overwrite else [c for c in networks if not files.is_trained(c)]
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
            print(f"resuming at batch {trainer.done} of {config.n_batch} from {files.snapshot}")
        print(f"training {len(trainer.configs)} networks on {device}; log: {files.log_file}")
        train(trainer, files, config, stop_asked)
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
