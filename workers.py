"""Share the networks of a training among processes, each with a share of the cores.

Networks do not touch each other, so a core that trains some of them alone never waits for the
others; threads that share each product do, many times a batch. train.py uses this on a CPU.

The main process sends orders, a worker answers with a word, its batch, and something more:
    go, batch, batches since the log    at (now and then); there, with the log, if it gets that far
    halt                                halted, wherever it is
    state                               state, as `Trainer.shared_state`, packed
and, whatever it was asked, failed, when it is out of memory.
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

NO_WORKERS = "--workers is for a CPU, and not for Windows; leave it out"
STOPS = {signal.SIGINT, signal.SIGTERM}  # for the main process; it tells the workers
MIN_WORK = 20_000  # networks x batches; below it workers take longer to start than they save
MIN_SHARE = 4  # networks; fewer of them train as fast in one process, with threads
SHOW = 0.3  # s between two words of a worker on how far it is


class WorkerLost(UserError):
    """A worker's process has ended."""


def are_possible(device):
    """Can there be workers here?"""
    return device.type == "cpu" and hasattr(signal, "pthread_sigmask")


def how_many(n_net, n_batch):
    """Workers that a training is worth on this machine: at most one per `MIN_SHARE` networks."""
    if n_net * n_batch < MIN_WORK:
        return 1
    return max(1, min(torch.get_num_threads(), n_net // MIN_SHARE))


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
        self.at = dict.fromkeys(self.pipes, trainer.done)  # batches, as far as is known
        state = packed(trainer.state_dict())
        for pipe, nets in zip(self.pipes, self.shares, strict=True):
            self.send(pipe, (state, nets))

    def advance(self, target, n_since, tick=lambda done: None, stop_asked=lambda: False):
        """Train up to batch `target`; as `Trainer.advance`.

        Stopped on the way, all networks come to the same batch first. With a log, or stopped, the
        Trainer comes along; else at the next `gather`.

        Raises:
            WorkerLost: a process has ended; the Trainer is where it was.
        """
        logs, is_stopped = {}, False
        self.order("go", target, n_since)
        while len(logs) < len(self.pipes):
            for pipe in wait(self.pipes, timeout=SHOW):
                word, value = self.hear(pipe)
                if word == "there":
                    logs[pipe] = value
            tick(min(self.at.values()))
            if stop_asked() and not is_stopped:
                is_stopped = True
                target, n_since = self.meet(target, n_since, logs)
        if n_since or is_stopped:
            self.gather()
        if not n_since:
            return None
        parts = [unpacked(logs[pipe]) for pipe in self.pipes]
        return tuple(self.joined(values) for values in zip(*parts, strict=True))

    def meet(self, target, n_since, logs):
        """Halt, and go to where the first one is, without a log; or to `target` if one is there.

        Returns:
            batch they go to, and batches since the log.
        """
        self.order("halt")
        for pipe in self.pipes:
            word = ""
            while word != "halted":
                word, value = self.hear(pipe)
                if word == "there":
                    logs[pipe] = value
        if not logs:
            target, n_since = max(self.at.values()), 0
        for pipe in self.pipes:
            if pipe not in logs:
                self.send(pipe, ("go", target, n_since))
        return target, n_since

    def gather(self):
        """Bring the Trainer to where the workers are."""
        self.order("state")
        states = []
        for pipe in self.pipes:
            word = ""
            while word != "state":
                word, value = self.hear(pipe)
            states.append(unpacked(value))
        (done,) = set(self.at.values())
        ours = self.trainer.state_dict()
        self.trainer.load_state_dict({**ours, **self.joined(states), "done": done})

    def order(self, *words):
        """Tell all workers."""
        for pipe in self.pipes:
            self.send(pipe, words)

    def send(self, pipe, words):
        """Tell one worker."""
        try:
            pipe.send(words)
        except OSError:
            while True:  # until its last words, or the end
                self.hear(pipe)

    def hear(self, pipe):
        """Word and value of one worker's next message."""
        try:
            word, self.at[pipe], value = pipe.recv()
        except (EOFError, OSError):
            raise WorkerLost(
                "a worker process was killed, and so was each that took its place; the same "
                "command goes on from the last snapshot, --workers 1 without them"
            ) from None
        if word == "failed":
            raise MemoryError
        return word, value

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
    said = time.monotonic()

    def tick(done):
        nonlocal said
        if time.monotonic() - said > SHOW:
            pipe.send(("at", done, None))
            said = time.monotonic()

    while True:
        order, *values = pipe.recv()
        if order == "go":
            target, n_since = values
            log = trainer.advance(target, n_since, tick, pipe.poll)
            if trainer.done == target:
                pipe.send(("there", target, log and packed(log)))
        elif order == "halt":
            pipe.send(("halted", trainer.done, None))
        else:
            pipe.send(("state", trainer.done, packed(trainer.shared_state())))


def main(fd, n_thread):
    """Be a worker, at the other end of a pipe."""
    pipe = Connection(int(fd))
    torch.set_num_threads(int(n_thread))
    util.flush_denormals()
    try:
        work(pipe)
    except (EOFError, OSError):
        pass  # the main process has gone
    except (MemoryError, RuntimeError) as error:
        if not util.is_out_of_memory(error):
            raise
        pipe.send(("failed", 0, None))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("workers.py: train.py starts this, see its --workers", file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
