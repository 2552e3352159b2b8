"""Losses, and ensembles of networks in training: drawn, stepped, saved and resumed."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch.optim.adam import adam

from batches import Batches
from model import Encoder, Model
from settings import Config, seeds_of
from tasks import Classification, make_task
from util import generator

MIN_WORK = 20_000  # networks x batches; below it shards take longer to start than they save
MIN_SHARE = 4  # networks; fewer of them train as fast in one process, with threads


def n_shard_of(n_net: int, n_batch: int) -> int:
    """Processes that a training on this machine's cores is worth."""
    n_shard = min(torch.get_num_threads(), n_net // MIN_SHARE)
    return max(1, n_shard) if n_net * n_batch >= MIN_WORK else 1


class CrossEntropy(torch.autograd.Function):
    """Binary cross-entropy with logits, and its gradient, in as few passes as it takes.

    Weighted sum over steps, trials and tasks of softplus(z) - y z, with gradient sigmoid(z) - y; y
    is 0.5 but in the decision step. Axes (net, row, time, trial, task), else as in `loss_of`.
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


def loss_of(
    logits: Tensor,
    targets: Tensor,
    task: Classification,
    weights: Tensor,
    config: Config,
    penalty=None,
) -> Tensor:
    """Loss of each network (net,): its mean over all steps, trials and tasks (section 3.1).

    `logits` are (net, trial, time, task), `targets` as from `batches.sample`: -1/+1 in the decision
    step; other steps aim at 0, which is 0.5 once outputs are probabilities. `penalty`: None, or
    weights of steps drawn at random, (net, trial, time). `task` and `config` are any network's.
    """
    rows, steps = config["trial_num"], task.target_steps
    z, targets = (x.transpose(1, 2).unflatten(1, (rows, -1)) for x in (logits, targets))
    if penalty is not None:
        penalty = penalty.transpose(1, 2).unflatten(1, (rows, -1))[..., None]
    if config["CE_loss"]:
        return CrossEntropy.apply(z, targets, steps, weights, penalty)
    goal = torch.zeros_like(z)
    goal[:, :, steps] = targets
    loss = (task.largest_action * torch.tanh(z) - goal) ** 2 * weights
    return (loss if penalty is None else loss * penalty).sum((1, 2, 3, 4))


def loss_weights(configs: Sequence[Config], task: Classification, device: torch.device) -> Tensor:
    """Weights (net, 1, 1 or time, 1, task) of the loss: they make it a mean, and 0 on padding."""
    config = configs[0]
    n_tasks = torch.tensor([c["n_task"] for c in configs], device=device)
    own = torch.arange(int(n_tasks.max()), device=device) < n_tasks[:, None]
    per_net = n_tasks * task.n_step * config["batch_sz"] * config["trial_num"]
    steps = torch.ones(1, device=device)
    if config["pen_end"]:
        steps = torch.zeros(task.n_step, device=device)
        steps[-1] = task.n_step
    elif config["bal_err"]:
        n_decision = task.target_steps.stop - task.target_steps.start
        others = 0.5 * task.n_step / max(1, task.n_step - n_decision)
        steps = torch.full((task.n_step,), others, device=device)
        steps[task.target_steps] = 0.5 * task.n_step / n_decision
    return (own / per_net[:, None])[:, None, None, None] * steps[:, None, None]


def draw_penalty(n_trial: int, n_time: int, trial_num: int, rngs: Sequence[Generator]) -> Tensor:
    """One step of each trial, drawn at random, with the weight of all of them; (net, trial, time).

    Of `n_time` steps, `trial_num` trials that follow each other have equal parts.
    """
    n_step, shape = n_time // trial_num, (n_trial, trial_num)
    drawn = [torch.randint(n_step, shape, generator=g, device=g.device) for g in rngs]
    return (F.one_hot(torch.stack(drawn), n_step) * float(n_step)).flatten(2)


def confusion(logits: Tensor, targets: Tensor, task: Classification) -> Tensor:
    """Share of decisions by (true class, chosen class), (net, 2, 2); padding is left out."""
    n_target = targets.shape[2] // (logits.shape[2] // task.n_step)  # per trial
    chosen = logits[:, :, task.n_step - 1 :: task.n_step] > 0
    last = targets[:, :, n_target - 1 :: n_target]
    cells = [(last * (2 * a - 1) > 0) & (chosen == b) for a in (False, True) for b in (False, True)]
    counts = torch.stack([cell.sum((1, 2, 3)) for cell in cells], 1).float()
    return (counts / counts.sum(1, keepdim=True)).view(-1, 2, 2)


class EncodedBatches(Batches):
    """Batches as the networks see them; few networks have up to 5 encoded at once, along time."""

    def __init__(self, encoder: Encoder, *arguments):
        super().__init__(*arguments)
        self.encoder = encoder

    def __next__(self):
        n = max(1, min(5, 16 // len(self.tasks)))
        at = self.position % n
        if at == 0 or self.inputs is None or len(self.piece) > len(self.tasks):  # or after `keep`
            start = self.position - at
            self.piece = self.encoder(self.inputs_of(start, min(start + n, self.BLOCK)))
        inputs, targets = super().__next__()
        n_time = inputs.shape[2]
        return self.piece[:, :, at * n_time : (at + 1) * n_time], targets


class Trainer:
    """What changes while an ensemble trains, and how it is saved and resumed."""

    ADAM: dict[str, Any] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0}
    ADAM |= {"fused": True, "amsgrad": False, "maximize": False}
    DIVERGED = 20 * math.log(2)  # such a loss, 20 times that of guessing, will not come back
    SAVED = ("configs", "done", "loss_hist", "confusion_hist", "seconds")

    def __init__(self, configs: Sequence[Config], device: torch.device):
        self.configs, self.device = list(configs), device
        self.seeds = [seeds_of(config) for config in configs]
        self.tasks = [make_task(c, s["task"]) for c, s in zip(configs, self.seeds, strict=True)]
        self.model = Model(configs)
        self.model.draw(self.seeds)
        self.model.to(device)
        trials = [generator(seeds["data"], device) for seeds in self.seeds]
        sizes = configs[0]["batch_sz"], configs[0]["trial_num"]
        self.data = EncodedBatches(self.model.encoder, self.tasks, trials, *sizes)
        self.noise = [generator(seeds["noise"], device) for seeds in self.seeds]
        self.done = 0  # batches
        self.loss_sum = torch.zeros(len(configs), device=device)  # since the last log line
        self.loss_hist: list[Tensor] = []  # (net,)
        self.confusion_hist: list[Tensor] = []  # (net, 2, 2)
        self.seconds = 0.0  # of training, over all its parts
        self.prepare()

    def prepare(self) -> None:
        """Make what depends on which networks there are.

        All trained parameters become views of one vector, so that Adam makes one pass.
        """
        self.weights = loss_weights(self.configs, self.tasks[0], self.device)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.vector = torch.cat([p.detach().flatten() for p in self.trained])
        for parameter, view in zip(self.trained, self.views(self.vector), strict=True):
            parameter.data = view
        self.adam = {name: torch.zeros_like(self.vector) for name in ("exp_avg", "exp_avg_sq")}
        self.adam["step"] = torch.zeros((), device=self.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.is_warm = False

    def views(self, vector: Tensor) -> list[Tensor]:
        """A vector as views in the shapes of the trained parameters."""
        parts = vector.split([p.numel() for p in self.trained])
        return [part.view_as(p) for part, p in zip(parts, self.trained, strict=True)]

    def step(self) -> tuple[Tensor, Tensor]:
        """One batch for every network. Returns logits and targets."""
        batch = self.draw_batch()
        logits = self.replay(batch) if self.device.type == "cuda" else self.compute(**batch)
        self.done += 1
        return logits, batch["targets"]

    def draw_batch(self) -> dict[str, Tensor]:
        """Fresh trials and noise for every network, by name."""
        inputs, targets = next(self.data)
        (n_trial, n_time), trial_num = inputs.shape[1:3], self.configs[0]["trial_num"]
        noise = self.model.draw_noise(n_trial, n_time, self.noise, trial_num)
        if self.configs[0]["rand_pen"]:
            noise["penalty"] = draw_penalty(n_trial, n_time, trial_num, self.noise)
        return {"inputs": inputs, "targets": targets, **noise}

    def compute(self, inputs, targets, penalty=None, **noise) -> Tensor:
        """Forward, backward and Adam; what a CUDA graph captures. Returns logits."""
        logits = self.model.respond(inputs, **noise)
        loss = loss_of(logits, targets, self.tasks[0], self.weights, self.configs[0], penalty)
        self.update(loss)
        self.loss_sum += loss.detach()
        return logits.detach()

    def update(self, loss: Tensor) -> None:
        """One step of Adam on each network's loss (net,); networks do not touch each other."""
        gradients = torch.autograd.grad(loss.sum(), self.trained)
        gradient = torch.cat([g.flatten() for g in gradients])
        mean, square, step = ([x] for x in self.adam.values())
        options = {"lr": self.configs[0]["lr"], **self.ADAM}  # torch.optim's object takes longer
        adam([self.vector], [gradient], mean, square, [], step, **options)

    def replay(self, batch: dict[str, Tensor]) -> Tensor:
        """`compute` on a GPU: the first batch as it is, then captured once and replayed."""
        if not self.is_warm:
            self.is_warm, side = True, torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # a capture wants its warm-up on a side stream
                logits = self.compute(**batch)
            torch.cuda.current_stream().wait_stream(side)
            return logits
        if self.graph is None:
            self.held = {name: x.clone() for name, x in batch.items()}
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.held_logits = self.compute(**self.held)
        for name, fresh in batch.items():
            self.held[name].copy_(fresh)
        self.graph.replay()
        return self.held_logits

    def take_log(self, logits: Tensor, targets: Tensor, n_since: int, times: int) -> None:
        """Add mean loss since the last log, `n_since` batches ago, and confusion to the history."""
        loss = (self.loss_sum / n_since).cpu()
        self.loss_sum.zero_()
        self.loss_hist += [loss] * times
        self.confusion_hist += [confusion(logits, targets, self.tasks[0]).cpu()] * times

    def find_diverged(self) -> list[int]:
        """Indices of networks whose loss or weights are beyond hope."""
        unit = self.tasks[0].largest_action ** 2  # of the squared error of wider targets
        bad = ~(self.loss_hist[-1] < self.DIVERGED * unit)  # true for nan too
        for parameter in self.model.parameters():
            bad |= ~parameter.detach().flatten(1).isfinite().all(1).cpu()
        return bad.nonzero().flatten().tolist()

    def keep(self, nets: Sequence[int]) -> None:
        """Go on with these networks only; what Adam knows of them comes along."""
        places, adam_before = self.views(torch.arange(len(self.vector))), self.adam
        self.model.keep(nets)
        self.data.keep(nets)
        for name in ("configs", "seeds", "tasks", "noise"):
            setattr(self, name, [getattr(self, name)[net] for net in nets])
        self.loss_sum = self.loss_sum[nets]
        self.loss_hist = [x[nets] for x in self.loss_hist]
        self.confusion_hist = [x[nets] for x in self.confusion_hist]
        self.prepare()
        pairs = zip(places, self.trained, strict=True)  # the widest network may have gone
        kept = torch.cat([x[nets][..., : p.shape[-1]].flatten() for x, p in pairs])
        for name, value in adam_before.items():
            self.adam[name] = value[kept] if value.dim() else value

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed training needs to end with the same weights, bit for bit."""
        return {
            **{name: getattr(self, name) for name in self.SAVED},
            "device": self.device.type,
            "model": self.model.state_dict(),
            "adam": self.adam,
            "data": self.data.state_dict(),
            "noise": [rng.get_state() for rng in self.noise],
            "loss_sum": self.loss_sum,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        for name in self.SAVED:
            setattr(self, name, state[name])
        self.model.load_state_dict(state["model"])
        for name, value in self.adam.items():
            value.copy_(state["adam"][name])
        self.data.load_state_dict(state["data"])
        for rng, saved in zip(self.noise, state["noise"], strict=True):
            rng.set_state(saved)
        self.loss_sum.copy_(state["loss_sum"])
