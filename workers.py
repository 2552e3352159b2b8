"""Share the networks of a training among processes, one core each.

Networks do not touch each other, so a core that trains some of them alone never waits for the
others; threads that share each product do, many times a batch. train.py uses this on a CPU.
"""

import ctrl_c  # noqa: F401

# isort: split
import io
import multiprocessing
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection, wait

import torch
import torch.nn.functional as F

import util
from util import UserError

STOPS = {signal.SIGINT, signal.SIGTERM}  # for the main process; it tells the workers
MIN_WORK = 20_000  # networks x batches; below it workers take longer to start than they save
SHOW = 0.3  # s between two words of a worker on how far it is


def how_many(n_net, n_batch):
    """Workers that a training is worth on this machine: at most one per two networks."""
    if n_net * n_batch < MIN_WORK or not hasattr(signal, "pthread_sigmask"):
        return 1
    return max(1, min(torch.get_num_threads(), n_net // 2))


def packed(state):
    """Tensors and plain values as bytes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def unpacked(data):
    """The reverse of `packed`."""
    return torch.load(io.BytesIO(data), weights_only=True)


class Workers:
    """Processes that each train a share of a Trainer's networks.

    The Trainer itself stands still; `gather` brings it to where the workers are.

    Args:
        trainer: train.Trainer, on a CPU.
        n_worker: processes.
    """

    def __init__(self, trainer, n_worker):
        self.trainer, n_net = trainer, len(trainer.configs)
        self.shares = [list(range(n_net))[i::n_worker] for i in range(n_worker)]
        n_thread = max(1, torch.get_num_threads() // n_worker)
        self.pipes, self.processes = [], []
        held = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # processes are born with it
        try:
            for _ in self.shares:
                ours, theirs = multiprocessing.Pipe()
                fd = theirs.fileno()
                command = [sys.executable, __file__, str(fd), str(n_thread)]
                self.processes.append(subprocess.Popen(command, pass_fds=[fd]))
                self.pipes.append(ours)
                theirs.close()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        state = packed(trainer.state_dict())
        for pipe, nets in zip(self.pipes, self.shares, strict=True):
            self.send(pipe, (state, nets))

    def advance(self, target, n_since, tick=lambda done: None, stop_asked=lambda: False):
        """Train up to batch `target`; as `Trainer.advance`.

        Stopped on the way, all networks come to the same batch first. Without a log, and not
        stopped, the Trainer hears the number of batches alone.
        """
        self.order("go", target, n_since)
        at, logs, stopping = dict.fromkeys(self.pipes, self.trainer.done), {}, False
        while len(logs) < len(self.pipes):
            for pipe in wait(self.pipes, timeout=SHOW):
                self.hear(pipe, at, logs)
            tick(min(at.values()))
            if stop_asked() and not stopping:
                stopping = True
                halted = {}
                self.order("halt")
                for pipe in self.pipes:
                    while pipe not in halted:
                        self.hear(pipe, at, logs, halted)
                if max(halted.values()) < target:  # then nobody has a log yet
                    target, n_since = max(halted.values()), 0
                for pipe in self.pipes:
                    if pipe not in logs:
                        self.send(pipe, ("go", target, n_since))
        self.trainer.done = target
        if n_since or stopping:
            self.gather()
        if not n_since:
            return None
        parts = [unpacked(logs[pipe]) for pipe in self.pipes]
        return tuple(self.joined(values) for values in zip(*parts, strict=True))

    def order(self, *words):
        """Tell all workers."""
        for pipe in self.pipes:
            self.send(pipe, words)

    def send(self, pipe, words):
        """Tell one worker."""
        try:
            pipe.send(words)
        except OSError:
            self.mourn()

    def hear(self, pipe, at, logs, halted=None):
        """Take in one message of one worker."""
        try:
            word, done, value = pipe.recv()
        except (EOFError, OSError):
            self.mourn()
        if word == "failed":
            raise UserError(f"a worker process failed: {value}")
        at[pipe] = done
        if word == "there":
            logs[pipe] = value
        elif word == "halted":
            halted[pipe] = done

    def mourn(self):
        """A worker is gone."""
        raise UserError(
            "a worker process ended, killed or out of memory; the same command goes on from the "
            "last snapshot, --workers 1 without them"
        )

    def gather(self):
        """Bring the Trainer to where the workers are."""
        self.order("state")
        try:
            states = [unpacked(pipe.recv()) for pipe in self.pipes]
        except (EOFError, OSError):
            self.mourn()
        self.trainer.load_state_dict({**self.trainer.state_dict(), **self.joined(states)})

    def joined(self, parts):
        """Values of all networks from those of the shares; networks stand first in each.

        A share's tensors may be narrower, where its widest network has fewer outputs.
        """
        first = parts[0]
        if isinstance(first, dict):
            return {key: self.joined([part[key] for part in parts]) for key in first}
        n_net = sum(len(nets) for nets in self.shares)
        if isinstance(first, list):
            whole = [None] * n_net
            for nets, part in zip(self.shares, parts, strict=True):
                for net, value in zip(nets, part, strict=True):
                    whole[net] = value
            return whole
        if not isinstance(first, torch.Tensor) or first.dim() == 0:  # the same for all
            return first
        width = max(part.shape[-1] for part in parts)
        whole = first.new_zeros(n_net, *first.shape[1:-1], *([width] if first.dim() > 1 else []))
        for nets, part in zip(self.shares, parts, strict=True):
            gap = width - part.shape[-1] if part.dim() > 1 else 0
            whole[nets] = F.pad(part, (0, gap))
        return whole

    def close(self):
        """End the processes."""
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            pipe.close()
            process.kill()
            process.wait()


def work(pipe):
    """A worker: follow orders until the main process is gone."""
    from train import Trainer  # which imports this module

    state, nets = pipe.recv()
    trainer = Trainer.from_state(unpacked(state), nets)
    while True:
        order, *values = pipe.recv()
        if order == "go":
            train_until(pipe, trainer, *values)
        elif order == "halt":
            pipe.send(("halted", trainer.done, None))
        else:
            pipe.send(packed(trainer.shared_state()))


def train_until(pipe, trainer, target, n_since):
    """Train up to batch `target`, or to the next order; say so now and then."""
    said = time.monotonic()
    logits = targets = None
    while trainer.done < target and not pipe.poll():
        logits, targets = trainer.step()
        if time.monotonic() - said > SHOW:
            pipe.send(("on the way", trainer.done, None))
            said = time.monotonic()
    if trainer.done == target:
        log = packed(trainer.log(logits, targets, n_since)) if n_since else None
        pipe.send(("there", target, log))


def main(fd, n_thread):
    """Be a worker, at the other end of a pipe."""
    pipe = Connection(int(fd))
    torch.set_num_threads(int(n_thread))
    util.flush_denormals()
    try:
        work(pipe)
    except (EOFError, ConnectionError):
        pass  # the main process has gone
    except (MemoryError, RuntimeError) as error:
        pipe.send(("failed", 0, f"{error!r:.200}"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("workers.py: train.py starts this, see its --workers", file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
