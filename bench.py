"""How fast training, decoding and the search for fixed points are (on an idle machine).

    python bench.py > Data/bench.md && python report.py    for docs/performance.md

Ours against the conventional way, written out below: one network, trials from a neurogym Dataset,
a Python loop over steps with nn.Linear, torch.optim.Adam. Rounds of both alternate, so that a
machine that changes its speed changes it for both; numbers are medians over rounds. Also the share
of the machine's matrix-product peak, measured here too, and peak memory. And every architecture
against its stock module (torch.nn, Hugging Face), looped one network at a time. And the search for
fixed points against first-order steps.
"""

import math
import multiprocessing
import os
import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import neurogym
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

import batches
import decoders
import fixed_points
import settings
import tasks
import training
import util
from checkpoint import load_ensemble
from util import UserError


@dataclass
class Config:
    """Settings of the benchmark. More: docs/performance.md."""

    n_net: tuple[int, ...] = (1, 5, 25, 100)  # networks side by side
    n_task: int = 24  # N_task of all of them
    networks: tuple[str, ...] = (
        "RNN",
        "LSTM",
        "GRU",
        "gpt-2",
    )  # architectures against their stock modules
    n_net_stock: tuple[int, ...] = (1, 25)  # networks side by side, against the stock modules
    rounds: int = 7  # of ours and the conventional way in turn
    seconds: float = 1.0  # length of one round of each
    n_fit: int = 5  # decoders per network and split
    recurrent: Path = Path(__file__).parent / "Networks/RNN/RNN_nTask24_run0.pth"  # fixed points
    n_start: int = 128  # of their search
    n_adam: int = 10_000  # steps of the conventional search
    device: Literal["auto", "cpu", "cuda"] = "cpu"  # of our side


class PlainTask(tasks.TrialEnv):
    """The classification task as one would write it for neurogym alone."""

    def __init__(self, dt=100, n_task=24, sigma=0.2):
        super().__init__(dt=dt)
        self.timing = dict(tasks.TIMING)
        self.tan, self.sigma = np.tan((np.arange(n_task) + 0.5) * np.pi / n_task), sigma
        names = {"fixation": 0, "stimulus": [1, 2]}
        self.observation_space = tasks.spaces.Box(-np.inf, np.inf, shape=(3,), name=names)
        self.action_space = tasks.gymnasium.spaces.Box(-1, 1, (n_task,), np.float32)

    def _new_trial(self):
        x = self.rng.uniform(-0.5, 0.5, 2)
        self.add_period(list(tasks.PERIODS), last_period=True)
        self.add_ob(1, period=["fixation", "stimulus", "delay"], where="fixation")
        self.add_ob(x, period="stimulus", where="stimulus")
        self.add_randn(0, self.sigma, period="stimulus", where="stimulus")
        self.set_groundtruth(0)
        self.set_groundtruth(np.where(x[1] > self.tan * x[0], 1, -1), period="decision")
        return {"x": x}

    def _step(self, action):
        return self.ob_now, 0.0, False, False, {"new_trial": False}


class Loop(nn.Module):
    """A vanilla RNN as a Python loop over steps; called as torch.nn.RNN."""

    def __init__(self):
        super().__init__()
        self.inp, self.rec = nn.Linear(41, 64), nn.Linear(64, 64)

    def forward(self, u):
        r, states = torch.zeros(len(u), 64), []
        for u_t in u.unbind(1):
            r = torch.relu(self.inp(u_t) + self.rec(r))
            states.append(r)
        return torch.stack(states, 1), None


class Hugging(nn.Module):
    """Hugging Face's GPT-2 on continuous inputs; called as torch.nn.RNN."""

    def __init__(self):
        super().__init__()
        from transformers import GPT2Config, GPT2Model

        sizes = {"n_embd": 64, "n_layer": 1, "n_head": 8, "n_positions": 22}
        own = GPT2Config(vocab_size=1, bos_token_id=None, eos_token_id=None, **sizes)
        self.project, self.gpt2 = nn.Linear(41, 64), GPT2Model(own)

    def forward(self, u):
        return self.gpt2(inputs_embeds=self.project(u), use_cache=False).last_hidden_state, None


class Plain:
    """One network, trained or decoded one batch at a time.

    The conventional way: a loop over steps, trials from neurogym's Dataset. A stock module has
    trials from our sampler.
    """

    def __init__(self, body: nn.Module, n_task: int, conventional: bool = False):
        self.body, self.encoder = (
            body,
            nn.Sequential(
                nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 40)
            ).requires_grad_(False),
        )
        self.out, self.decoder = nn.Linear(64, n_task), nn.Linear(64, 2)
        self.adam = torch.optim.Adam([*body.parameters(), *self.out.parameters()], lr=1e-3)
        self.decoder_adam = torch.optim.Adam(self.decoder.parameters(), lr=3e-3)
        if conventional:
            self.data = neurogym.Dataset(PlainTask(n_task=n_task), batch_size=16, seq_len=22)
        else:
            task = tasks.LinearClassificationCentOut(n_task=n_task)
            self.data = batches.Batches([task], [util.generator(0)], 16)

    def batch(self):
        """Inputs (trial, time, channel), representation (trial, time, unit), targets."""
        inputs, targets = next(self.data)
        if isinstance(inputs, np.ndarray):  # (time, trial, ...)
            inputs, targets = (torch.tensor(x).float().transpose(0, 1) for x in (inputs, targets))
        else:  # (1 network, ...), targets of the decision step alone
            inputs, targets = inputs[0], nn.functional.pad(targets[0], (0, 0, 21, 0))
        u = torch.cat([inputs[..., :1], self.encoder(inputs[..., 1:])], -1)
        return u, targets

    def train(self) -> None:
        """One batch of training."""
        u, targets = self.batch()
        logits, goal = self.out(self.body(u)[0]), (targets + 1) / 2
        self.adam.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(logits, goal).backward()
        self.adam.step()

    def decode(self) -> None:
        """One batch of a decoder's training; the target stands in for x*."""
        u, targets = self.batch()
        with torch.no_grad():
            h = self.body(u)[0][:, -1]
        self.decoder_adam.zero_grad()
        nn.functional.mse_loss(self.decoder(h), targets[:, -1, :2]).backward()
        self.decoder_adam.step()


STOCK: dict[str, Callable[[], nn.Module]] = {
    "RNN": lambda: nn.RNN(41, 64, nonlinearity="relu", batch_first=True),
    "LSTM": lambda: nn.LSTM(41, 64, batch_first=True),
    "GRU": lambda: nn.GRU(41, 64, batch_first=True),
    "gpt-2": Hugging,
}


# ------------------------------------------------------------------ measuring


def seconds_per_call(call: Callable[[], Any], seconds: float) -> float:
    """Mean time of `call` over about `seconds`."""
    start, n = time.perf_counter(), 0
    while n == 0 or time.perf_counter() - start < seconds:
        call()
        n += 1
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    return (time.perf_counter() - start) / n


def matrix_peak(device: torch.device, n: int = 2048) -> float:
    """Multiplications and additions per second of a large float32 matrix product."""
    a, b = torch.randn(2, n, n, device=device)
    return max(2 * n**3 / seconds_per_call(lambda: a @ b, 0.2) for _ in range(5))


def peak_memory() -> float:
    """Of this process, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def be_shard(
    pipe: Any, configs: list[settings.Config], device: torch.device, n_thread: int
) -> None:
    """Train as one shard of train.py does, so many batches whenever asked; in a process."""
    torch.set_num_threads(max(1, n_thread))
    util.flush_denormals()
    trainer = training.Trainer(configs, device)
    for n_batch in iter(pipe.recv, 0):
        for _ in range(n_batch):
            trainer.step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        pipe.send(peak_memory())


class Ours:
    """The training of an ensemble, in `n_shard` processes; 0: as many as train.py takes."""

    def __init__(self, n_net: int, network: str, config: Config, n_shard: int = 0):
        kind = {"network": network, "n_task": (config.n_task,), "runs": tuple(range(n_net))}
        configs, device = settings.network_configs(kind), util.pick_device(config.device)
        is_split = device.type == "cpu" and not n_shard
        n_shard = training.n_shard_of(n_net, configs[0]["n_batch"]) if is_split else 1
        self.n_net, self.pipes, context = n_net, [], multiprocessing.get_context("spawn")
        for i in range(n_shard):
            ours, theirs = context.Pipe()
            arguments = theirs, configs[i::n_shard], device, torch.get_num_threads() // n_shard
            context.Process(target=be_shard, args=arguments, daemon=True).start()
            self.pipes.append(ours)
        self.seconds(config.seconds / 2)

    def advance(self, n_batch: int) -> float:
        """Train so many batches more. Returns the peak memory of all processes so far, in GB."""
        for pipe in self.pipes:
            pipe.send(n_batch)
        return sum(pipe.recv() for pipe in self.pipes)

    def seconds(self, at_least: float) -> float:
        """Seconds per network and batch, measured for `at_least` seconds."""
        n_batch, spent = 1, 0.0
        while spent < at_least:
            n_batch = math.ceil(n_batch * (2 if spent < at_least / 4 else 1.1 * at_least / spent))
            begin = time.perf_counter()
            self.advance(n_batch)
            spent = time.perf_counter() - begin
        return spent / n_batch / self.n_net


def compare(
    plain: Plain, network: str, n_net: int, config: Config
) -> tuple[list[Any], float, float]:
    """Ours, in shards and in one process, against a plain way.

    Returns:
        columns of a table: networks, ms per network and batch of ours, of ours in one process, of
        the plain way, and the ratio; share of the matrix peak; peak memory in GB.
    """
    ways = {"ours": Ours(n_net, network, config)}
    if len(ways["ours"].pipes) > 1:
        ways["one process"] = Ours(n_net, network, config, n_shard=1)
    seconds_per_call(plain.train, config.seconds / 2)
    rounds: dict[str, list[float]] = {name: [] for name in ("peak", "plain", *ways)}
    for _ in range(config.rounds):
        rounds["peak"].append(matrix_peak(util.pick_device(config.device)))
        rounds["plain"].append(seconds_per_call(plain.train, config.seconds))
        for name, way in ways.items():
            rounds[name].append(way.seconds(config.seconds))
    memory = ways["ours"].advance(1)
    for pipe in (pipe for way in ways.values() for pipe in way.pipes):
        pipe.send(0)
    found = {name: np.array(values) for name, values in rounds.items()}
    found = {"one process": found["ours"], **found}
    times = [f"{np.median(found[name]) * 1e3:.3f}" for name in ("ours", "one process", "plain")]
    ratio = f"{np.median(found['plain'] / found['ours']):.1f}"
    # Multiplications and additions of the matrix products of one RNN's batch: encoder in 20 steps,
    # forward; input, recurrence and readout in 22, forward, gradient of weights and of states
    encoder, steps = 20 * (2 * 100 + 100 * 100 + 100 * 40), 22 * 64
    operations = 2 * 16 * (encoder + steps * (2 * 41 + 3 * 64 + 3 * config.n_task))
    share = float(np.median(operations / found["ours"] / found["peak"]))
    return [n_net, *times, ratio], share, memory


def bench_training(config: Config) -> list[list[Any]]:
    """Rows of the training table, against the conventional way."""
    plain, rows = Plain(Loop(), config.n_task, conventional=True), []
    for n_net in config.n_net:
        row, share, memory = compare(plain, "RNN", n_net, config)
        rows.append([*row, f"{share:.0%}", f"{memory:.2f}"])
    return rows


def bench_architectures(config: Config) -> list[list[Any]]:
    """Rows of the table of architectures, against the stock modules."""
    return [
        [network, *compare(Plain(STOCK[network](), config.n_task), network, n_net, config)[0]]
        for network in config.networks
        for n_net in config.n_net_stock
    ]


def bench_decoding(config: Config) -> list[list[Any]]:
    """Rows of the decoding table: ID and OOD, 4 splits x n_fit fits, of the largest ensemble.

    Adam is timed on one chunk of batches; ridge on all it does, shown per decoder.
    """
    device, n_net = util.pick_device(config.device), min(25, max(config.n_net))
    kind = {"n_task": (config.n_task,), "runs": tuple(range(n_net))}
    configs, n_decoder = settings.network_configs(kind), n_net * config.n_fit * 8
    own = SimpleNamespace(**settings.MEASUREMENTS["generalize"])
    own.n_fit, own.n_batch = config.n_fit, decoders.CHUNK
    model = training.Trainer(configs, device).model.requires_grad_(False).eval()
    source = decoders.States(model, configs, decoders.Splits(2))
    plain = Plain(Loop(), config.n_task, conventional=True)

    def seconds(fit: Callable[..., Any]) -> float:
        rngs = [decoders.fit_generators(own, configs, f, device) for f in range(config.n_fit)]
        return seconds_per_call(lambda: fit(source, configs, own, rngs, tqdm(disable=True)), 0)

    seconds(decoders.fit_adam)
    rounds = np.empty((config.rounds, 3))
    for times in rounds:
        times[0] = seconds_per_call(plain.decode, config.seconds)
        times[1] = seconds(decoders.fit_adam) / n_decoder / decoders.CHUNK
        times[2] = seconds(decoders.fit_ridge) / n_decoder
    ratio = f"{np.median(rounds[:, 0] / rounds[:, 1]):.0f}"
    plain_ms, adam, ridge = np.median(rounds, 0) * 1e3
    full = f"{n_decoder * adam * 2:.0f}"
    return [
        ["adam", n_decoder, f"{adam:.4f} a batch", f"{plain_ms:.2f}", ratio, full],
        ["ridge", n_decoder, f"{ridge:.2f} in all", "", "", f"{n_decoder * ridge / 1e3:.0f}"],
    ]


def descend_with_adam(F: Any, starts: Tensor, n_step: int, lr: float = 0.01) -> Tensor:
    """Fixed points the conventional way: first-order steps down q, all starts (net, start, n)."""
    states = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([states], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_step)
    for _ in range(n_step):
        fixed_points.speed(F, states).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return states.detach()


def bench_fixed_points(config: Config) -> list[list[Any]]:
    """Rows of the table of fixed points: q where either search ends, from the same starts.

    Starts are states of an RNN at the last stimulus step of noisy trials, plus U(0, 6).
    """
    model, configs = load_ensemble([config.recurrent])
    task, rng, network = tasks.make_task(configs[0]), util.generator(0), model.network.double()
    shown = slice(task.steps["stimulus"].stop)
    inputs, _, _ = batches.sample([task], [rng], 256)
    seen, rest = (model.encoder(u).double() for u in (inputs, task.noiseless(torch.zeros(1, 1, 2))))
    drive, ends = network.drive(rest)[:, :, shown.stop - 1], network(seen[:, :, shown])[:, :, -1]
    starts = fixed_points.draw_starts(ends, config.n_start, (0, 6), [rng])
    F, rows = lambda state: network.step(state, drive), []
    for name, search in (
        ("damped Gauss-Newton", lambda: fixed_points.find(F, starts, low=0)["state"]),
        (f"Adam, {config.n_adam} steps", lambda: descend_with_adam(F, starts, config.n_adam)),
    ):
        begin = time.perf_counter()
        q = fixed_points.speed(F, search())
        seconds = time.perf_counter() - begin
        ends_at = [f"{q.quantile(share):.1e}" for share in (0.25, 0.5, 0.75)]
        rows.append([name, config.n_start, f"{seconds:.1f}", *ends_at])
    return rows


def show(title: str, header: str, rows: list[list[Any]]) -> None:
    """Print a table."""
    print(f"\n{title}\n\n{util.markdown(header.split('|'), rows)}", flush=True)


def main(config: Config) -> None:
    """Measure and print."""
    util.flush_denormals()
    warnings.filterwarnings("ignore", category=UserWarning, module="gymnasium")
    if unknown := set(config.networks) - set(STOCK):
        raise UserError(f"no network {unknown.pop()}; networks: {', '.join(STOCK)}")
    counts = (*config.n_net, *config.n_net_stock, config.rounds)
    if min(*counts, config.n_fit, config.n_start, config.n_adam) < 1:
        raise UserError("n_net, rounds, n_fit, n_start and n_adam must be at least 1")
    load = os.getloadavg()[0]
    print(f"{util.machine()}; load before the start {load:.2f}")
    if load > 0.5:
        print("this machine is busy; the numbers below are not to be trusted")
    peak = matrix_peak(util.pick_device(config.device)) / 1e9
    print(f"matrix peak {peak:.0f} Gflop/s (float32, 2048 x 2048)")
    times = "networks|ms per network and batch|in one process"
    header = f"{times}|conventional ms|times as fast|share of peak|peak memory, GB"
    title = f"Training, N_task = {config.n_task}, 22 steps, batch 16, {config.rounds} rounds"
    show(title, header, bench_training(config))
    title, header = "looped one network at a time", f"architecture|{times}|stock ms|times as fast"
    show(f"Training, against the stock module {title}", header, bench_architectures(config))
    header = "decoder|side by side|ms per decoder|conventional ms|times as fast|s for all (adam: "
    title = f"Decoding, ID and OOD, 4 splits x {config.n_fit} fits"
    show(title, f"{header}2000 batches)", bench_decoding(config))
    title = f"Fixed points of {config.recurrent.stem}, float64, all starts at once"
    header = "search|starts|seconds|q: lower quartile|median|upper quartile"
    show(title, header, bench_fixed_points(config))
    print(f"\npeak memory of this process {peak_memory():.2f} GB")


if __name__ == "__main__":
    util.run_script(main, Config)
