"""Train networks on noisy multi-line classification, many side by side.

    python train.py                                              one RNN, N_task = 24
    python train.py --n_task 2 3 6 12 24 --runs 0 1 2 3 4        the 25 networks of Figure 3a

Writes one checkpoint per network into `out`, and a JSON-lines log. A training that was stopped,
by Ctrl-C, kill -9 or a power cut, goes on from its last snapshot with the same command. On a CPU
the networks are split into shards: `train.py --only ...` in a process and with a log of its own.
"""

import contextlib
import copy
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from tqdm import tqdm

import util
from checkpoint import checkpoint, is_trained
from model import Model
from settings import ensemble_name, label, network_configs
from tasks import make_task
from training import Trainer, n_shard_of
from util import Interrupted, UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell. More: docs/protocol.md."""

    # Which networks: one for every n_task and run
    network: str = "RNN"  # architecture: RNN, LSTM, GRU, gpt-2
    n_task: tuple[int, ...] = (24,)  # N_task, classification boundaries; one ensemble for all
    runs: tuple[int, ...] = (0,)  # which of the networks of a condition; the paper has 0 1 2 3 4
    only: tuple[int, ...] = ()  # positions of those to train, in the order n_task, run; none: all
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
    activ_enc: Literal["ReLU", "Quad", "Fourier", "ScaledReLU"] = "ReLU"  # Quad: the square
    enc_scale: float = 0.12  # Fourier: length scale of the first layer; ScaledReLU: as large
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
    n_grid: int = 4  # GridClassification: chambers along each factor
    rule_input: bool = False  # single tasks: a one-hot input says which one it is
    fixation: int = 100  # ms
    stimulus: int = 2000  # ms
    delay: int = 0  # ms
    decision: int = 100  # ms
    dt: int = 100  # ms per step
    # Training
    n_batch: int | Literal["paper"] = "paper"  # batches: 100_000; gpt-2 20_000; 0: untrained
    batch_sz: int = 16  # trials per batch
    lr: float | Literal["paper"] = "paper"  # Adam's learning rate: 1e-3; free reaction time 3e-3
    CE_loss: bool = True  # cross-entropy; no-CE_loss: squared error of tanh outputs
    bal_err: bool = False  # decision steps and all others get half of the weight each
    pen_end: bool = False  # only the last step of a trial is penalised
    rand_pen: bool = False  # only one step of each trial is penalised, drawn at random
    trial_num: int = 1  # trials in a row without a reset of the network
    # Where
    out: Path = Path("trained_networks")  # folder for checkpoints
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: a GPU if there is one
    workers: int = 0  # processes (shards) that share the networks on a CPU; 0: up to one per core
    overwrite: bool = False  # train again what is already there


N_LOG = 100  # log lines per training
N_TRY = 3  # so many shards that were killed are started again
BAR = {"unit": "batch", "dynamic_ncols": True, "disable": None}  # None: off, but on a terminal
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
GOES_ON = "the same command goes on from there"
KILLED = "a shard was killed, and so was each that took its place; "
KILLED += "the same command goes on from the last snapshots"


def show(bar, lines):
    """Show the last lines of logs: in the bar on a terminal, else as one line."""
    n_net = sum(len(x["loss"]) for x in lines)
    rate = sum(x["networks_x_batches_per_s"] for x in lines)
    loss, accuracy = (sum(sum(x[key]) for x in lines) / n_net for key in ("loss", "accuracy"))
    bar.n = min(x["batch"] for x in lines)
    text = f"loss {loss:.4f}, accuracy {accuracy:.3f}, {rate:.0f} networks x batches/s"
    bar.set_postfix_str(text)
    if bar.disable:
        seconds = (bar.total - bar.n) * n_net / max(rate, 0.1)
        print(f"{bar.n}/{bar.total} batches, {text}, {seconds:.0f} s left", flush=True)


def lost_of(networks, folder):
    """Names of the networks that diverged when they were trained last."""
    names = map(label, networks)
    return [name for name in names if (folder / f"{name}.diverged.pth").exists()]


class Shard:
    """Networks that are trained together, in this process or in one of their own."""

    def __init__(self, networks, folder, done=0):
        self.networks, self.folder, name = networks, folder, ensemble_name(networks)
        self.snapshot, self.log = folder / f"{name}.snapshot", folder / f"{name}.jsonl"
        self.done, self.began = done, 0.0  # batches when this command began; when its process did

    # ------------------------------------------------------------ in this process

    def train(self, wanted, device):
        """Train the wanted networks."""
        for left_over in self.folder.glob(f".{self.log.stem}.*.partial"):  # of a killed training
            left_over.unlink()
        self.names = [label(c) for c in wanted]
        with util.stop_requests() as stop_asked:
            trainer = self.resume(wanted, device) if self.snapshot.exists() else None
            if trainer is None:
                trainer = Trainer(wanted, device)
                for name in lost_of(wanted, self.folder):  # in an earlier training
                    (self.folder / f"{name}.diverged.pth").unlink()
                if self.log.exists():
                    self.log.replace(self.log.with_suffix(".previous.jsonl"))
                head = {"networks": self.names, "config": wanted[0], "machine": util.machine()}
                util.write_atomic(self.log, (json.dumps(head) + "\n").encode())
            print(f"training {len(trainer.configs)} networks on {device}; log: {self.log}")
            self.go_on(trainer, stop_asked)
            for net in range(len(trainer.configs)):
                self.save_network(trainer, net)
            self.snapshot.unlink(missing_ok=True)

    def go_on(self, trainer, stop_asked):
        """Train to the end, with logs and snapshots on the way."""
        n_batch, first, before = trainer.configs[0]["n_batch"], trainer.done, trainer.seconds
        log_at = Counter(max(1, round((i + 1) * n_batch / N_LOG)) for i in range(N_LOG))
        logged = max((at for at in log_at if at <= first), default=0)
        good, cost = (copy.deepcopy(trainer.model), first), 0.0
        begin = saved = time.perf_counter()
        with tqdm(total=n_batch, initial=first, **BAR) as bar:
            while trainer.done < n_batch:
                logits, targets = trainer.step()
                bar.update()
                trainer.seconds = before + time.perf_counter() - begin
                if times := log_at[trainer.done]:  # more than 1 where n_batch < 100
                    trainer.take_log(logits, targets, trainer.done - logged, times)
                    logged = trainer.done
                    self.leave_out(trainer, *good, times)
                    speed = (logged - first) / (trainer.seconds - before)
                    self.write_log(trainer, speed, bar)
                    good = copy.deepcopy(trainer.model), logged
                    now = time.perf_counter()
                    if now - saved > 20 * cost:  # snapshots may take a twentieth of the time
                        self.save_snapshot(trainer)
                        saved = time.perf_counter()
                        cost = saved - now
                if stop_asked():
                    self.save_snapshot(trainer)
                    raise Interrupted(f"stopped at batch {trainer.done} of {n_batch}; {GOES_ON}")

    def write_log(self, trainer, speed, bar):
        """Show and log the state of training: batch, loss and accuracy of each network."""
        left, matrix = [label(c) for c in trainer.configs], trainer.confusion_hist[-1]
        loss, accuracy = trainer.loss_hist[-1], matrix.diagonal(dim1=1, dim2=2).sum(1)
        line = {
            "batch": trainer.done,
            "networks": "all" if left == self.names else left,
            "loss": [round(x, 6) for x in loss.tolist()],
            "accuracy": [round(x, 4) for x in accuracy.tolist()],
            "networks_x_batches_per_s": round(speed * len(left), 1),
            "seconds": round(trainer.seconds, 2),
        }
        show(bar, [line])
        with open(self.log, "a") as file:
            file.write(json.dumps(line) + "\n")

    def leave_out(self, trainer, model, batch, times):
        """Keep diverged networks as they were in `model` at `batch`, say so and go on without."""
        lost, done, n_log = trainer.find_diverged(), trainer.done, len(trainer.loss_hist) - times
        for net in lost:
            path = self.save_network(trainer, net, model, n_log, diverged_at=done)
            name, loss = label(trainer.configs[net]), trainer.loss_hist[-1][net]
            line = f"{name} diverged (loss {loss:.3g} before batch {done}) and was left out"
            print(f"train.py: {line}; its state at batch {batch} is in {path}", file=sys.stderr)
        kept = [net for net in range(len(trainer.configs)) if net not in lost]
        if not kept:
            self.snapshot.unlink(missing_ok=True)
            raise UserError(f"no network is left in training, see above: {', '.join(self.names)}")
        if lost:
            trainer.keep(kept)

    def save_network(self, trainer, net, model=None, n_log=None, **extra):
        """Write a checkpoint, with the first `n_log` points of the history, or all."""
        config = {**trainer.configs[net], **trainer.tasks[net].extras, **extra}
        history = trainer.loss_hist[:n_log], trainer.confusion_hist[:n_log]
        path = self.folder / f"{label(trainer.configs[net])}{'.diverged' if extra else ''}.pth"
        util.save_torch(path, checkpoint(model or trainer.model, net, config, *history))
        return path

    def save_snapshot(self, trainer):
        """Save what `resume` needs."""
        sizes = {"log_size": self.log.stat().st_size, "n_thread": torch.get_num_threads()}
        util.save_torch(self.snapshot, {**trainer.state_dict(), "shard": self.networks, **sizes})

    def resume(self, wanted, device):
        """The Trainer of the wanted networks in the snapshot, or None where there are none."""
        state = util.load_torch(self.snapshot)
        try:
            if state["device"] != device.type:
                wish = f"go on with --device {state['device']}, or delete the file to start over"
                raise UserError(f"{self.snapshot}: begun on {state['device']}; {wish}")
            configs, n_thread, log_size = (state[k] for k in ("configs", "n_thread", "log_size"))
            nets = [net for net, config in enumerate(configs) if config in wanted]
            if not nets:  # another training has finished all that this snapshot holds
                return None
            torch.set_num_threads(min(torch.get_num_threads(), n_thread))  # for the same bits
            trainer = Trainer(configs, device)
            trainer.load_state_dict(state)
            if len(nets) < len(configs):
                trainer.keep(nets)
        except util.BROKEN_FILE as error:
            problem = f"not a snapshot of this training ({error!r:.80}); delete it to start over"
            raise UserError(f"{self.snapshot}: {problem}") from None
        if self.log.exists() and self.log.stat().st_size > log_size:
            os.truncate(self.log, log_size)  # lines after the snapshot
        print(f"resuming at batch {trainer.done} of {configs[0]['n_batch']} from {self.snapshot}")
        return trainer

    # ------------------------------------------------------------ in a process of its own

    def start(self, config, every, n_thread):
        """Train these networks in a process; Ctrl-C at a terminal does not reach it."""
        own = {**vars(config), "workers": 1}
        del own["only"]
        own["only"] = [every.index(c) for c in self.networks]
        command = [sys.executable, __file__, *util.flags(own)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(n_thread))
        options = {"env": {**os.environ, **threads}, "start_new_session": True, "text": True}
        self.began, self.process = time.time(), util.start(command, **options, **PIPES)

    def last_words(self):
        """The last line that its process has left on stderr; those before are passed on."""
        *lines, last = self.process.communicate()[1].splitlines() or [""]
        sys.stderr.writelines(line + "\n" for line in lines)
        return KILLED if self.process.returncode < 0 else last.removeprefix("train.py: ")

    def last_line(self):
        """The last line that it has logged."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            line = json.loads(self.log.read_text().splitlines()[-1])
            if self.log.stat().st_mtime > self.began and "batch" in line:
                return line
        return {"batch": 0, "seconds": 0}


def split(whole, wanted, n_shard):
    """Shards of the wanted networks: those with a snapshot as they were begun, others anew."""
    networks, folder, shards, left = whole.networks, whole.folder, [], wanted
    for path in sorted(folder.glob("ensemble_*.snapshot")):
        with contextlib.suppress(UserError, KeyError, TypeError):  # another version's
            state = util.load_torch(path)
            begun = [c for c in state["shard"] if c in left]
            untrained = [c for c in state["shard"] if c in wanted]
            if begun == untrained != [] and all(c in networks for c in state["shard"]):
                shards.append(Shard(state["shard"], folder, state["done"]))
                left = [c for c in left if c not in begun]
    n_shard = n_shard or n_shard_of(len(wanted), networks[0]["n_batch"])
    n_new = min(len(left), max(1, n_shard - len(shards)))
    if whole.snapshot.exists() or (n_new == 1 and not shards):
        return [whole]
    return shards + [Shard(left[i::n_new], folder) for i in range(n_new)]


def train_shards(shards, config, every):
    """Train each shard in a process of its own; one that is killed is started again."""
    n_thread, n_batch = max(1, torch.get_num_threads() // len(shards)), every[0]["n_batch"]
    running, n_killed, first = list(shards), 0, min(shard.done for shard in shards)
    with util.stop_requests() as stop_asked, tqdm(total=n_batch, initial=first, **BAR) as bar:
        for shard in shards:
            if shard.done:
                print(f"resuming at batch {shard.done} of {n_batch} from {shard.snapshot}")
            shard.start(config, every, n_thread)
        logs = " ".join(str(shard.log) for shard in shards)
        print(f"training in {len(shards)} shards; logs: {logs}", flush=True)
        try:
            while running:
                time.sleep(0.1)
                codes = {shard: shard.process.poll() for shard in running}
                if stop_asked() or 130 in codes.values():
                    raise Interrupted(f"stopped; {GOES_ON}")
                for shard in [shard for shard, code in codes.items() if code is not None]:
                    if codes[shard] < 0 and n_killed < N_TRY:
                        n_killed += 1
                        shard.start(config, every, n_thread)
                        continue
                    running.remove(shard)
                    words = shard.last_words()
                    lost = lost_of(shard.networks, shard.folder)
                    rest = [name for name in map(label, shard.networks) if name not in lost]
                    ended = all((shard.folder / f"{name}.pth").exists() for name in rest)
                    if codes[shard] and not (lost and ended):
                        raise UserError(words)
                lines = [shard.last_line() for shard in running or shards]
                if min(line["batch"] for line in lines) > bar.n:
                    show(bar, lines)
        except (Interrupted, UserError) as error:
            for shard in running:
                shard.process.terminate()  # it saves, and ends
            for words in [shard.last_words() for shard in running]:
                if isinstance(error, Interrupted) and words.startswith("stopped at"):
                    error = Interrupted(words)
            raise error from None
        finally:
            for shard in shards:
                shard.process.kill()


def main(config):
    """Train what is not there yet, and save each network in a file of its own."""
    if config.workers < 0:
        raise UserError(f"workers must be a number of at least 0, not {config.workers}")
    util.flush_denormals()
    device, every = util.pick_device(config.device), network_configs(config)
    can_split = device.type == "cpu" and sys.platform != "win32"
    if config.workers > 1 and not can_split:
        raise UserError("--workers is for a CPU, and not for Windows; leave it out")
    if not set(config.only) <= set(range(len(every))):
        raise UserError(f"only takes numbers from 0 to {len(every) - 1}")
    networks = [every[i] for i in sorted(set(config.only))] or every
    for c in networks:
        make_task(c)  # checks the task's settings before anything is written
    Model(networks[:1])
    folder = util.make_folder(config.out)
    wanted, whole = networks, Shard(networks, folder)
    if not config.overwrite:
        wanted = [c for c in networks if not is_trained(folder / f"{label(c)}.pth", c)]
    if len(wanted) < len(networks):
        n_there = len(networks) - len(wanted)
        print(f"{n_there} of {len(networks)} networks are trained already, skipped")
    if not wanted:
        whole.snapshot.unlink(missing_ok=True)
        return
    shards = split(whole, wanted, config.workers) if can_split else [whole]
    if len(shards) == 1:
        shards[0].train(wanted, device)
    else:
        train_shards(shards, config, every)
    lost, seconds = lost_of(wanted, folder), max(shard.last_line()["seconds"] for shard in shards)
    print(f"{len(wanted) - len(lost)} networks in {folder}, {seconds:.0f} s on {util.machine()}")
    if lost:
        raise UserError(f"{len(lost)} of {len(networks)} networks diverged: {', '.join(lost)}")


if __name__ == "__main__":
    util.run_script(main, Config)
