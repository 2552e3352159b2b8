"""The whole paper: train, decode, analyse and draw every figure, resumably.

    python sweep.py --list                   figures, networks, what is there, time left
    python sweep.py 3a 5b                    these figures
    python sweep.py all                      all of the paper, and REPORT.md
    python sweep.py beyond                   the studies beyond the paper
    python sweep.py all --quick              all of them at a small scale, for a first look
    python sweep.py all --scheduler tcp://node1:8786      on a Dask cluster
    python sweep.py all --task_index 3 --task_count 10    the fourth tenth of all trainings

paper.py says what belongs to a figure. Everything goes below `out`: Networks/, Data/, Figures/,
logs/. Each job (a training, a measurement, a drawing) is one command of the project's scripts in a
process of its own, with every setting named, so that edits at the top of a script change nothing.
Dask runs the jobs, on this machine or on a cluster. The same command goes on after an interruption;
what is there is skipped, unless the networks or rows behind it have changed. A job holds a lock on
its log as long as its process lives, so that no two processes do the same work at once.
"""

import contextlib
import fcntl
import functools
import json
import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import distributed
import tyro
from dask.system import CPU_COUNT
from tqdm import tqdm

import paper
import settings
import table
import util
from util import UserError

ROOT = Path(__file__).resolve().parent
GROUPS = ("all", "beyond")  # figures of the paper and its controls, and studies beyond it


@dataclass
class Config:
    """Settings; edit them here or override them from the shell. More: docs/cluster.md."""

    figures: tyro.conf.Positional[tuple[str, ...]] = ()  # names in paper.py, all, or beyond
    list: bool = False  # say what there is and how long the rest takes; run nothing
    quick: bool = False  # small scale: few batches, two runs, two fits
    out: Path | None = None  # folder for all results; None: sweep, with --quick sweep_quick
    jobs: int = 0  # how many at a time on this machine; 0: one per core, two on a GPU
    scheduler: str = ""  # address of a Dask scheduler whose workers do the jobs
    scheduler_file: Path | None = None  # or the file in which it wrote its address
    task_index: int | None = None  # trainings only: those of this task of an array job, from 0
    task_count: int = 1  # of how many
    overwrite: bool = False  # measure again what was changed by hand

    def check(self) -> None:
        """Raise UserError for settings that cannot be meant."""
        known, index, count = [*GROUPS, *paper.FIGURES], self.task_index, self.task_count
        unknown = [name for name in self.figures if paper.ALIASES.get(name, name) not in known]
        wrong = {
            "name figures, all, or beyond; --list shows them": not self.figures and not self.list,
            f"no figure {', '.join(unknown)}; figures: {', '.join(known)}": unknown,
            f"jobs must be at least 0, not {self.jobs}": self.jobs < 0,
            "scheduler or scheduler_file; choose one": self.scheduler and self.scheduler_file,
            f"task_count must be at least 1, not {count}": count < 1,
            "task_count needs a task_index: which task this is": count > 1 and index is None,
            f"task_index counts from 0 to {count - 1}, not {index}": (
                index is not None and not 0 <= index < count
            ),
        }
        for words, is_wrong in wrong.items():
            if is_wrong:
                raise UserError(words)


QUICK: dict[str, dict[str, Any]] = {  # settings with --quick
    "train": {"runs": (0, 1), "n_batch": 2000},
    "gpt-2": {"n_batch": 500},
    "generalize": {"n_fit": 2, "n_batch": 400, "n_test": 640},
    "sparsity": {"n_stimulus": 200},
    "few_shot": {"n_boundary": 4, "n_test": 400},
    "optimality": {"n_trial": 500},
    "causal": {"n_fit": 512, "n_trial": 256, "n_silenced": 64},
    "analyze": {"n_start": 32, "n_repeat": 8, "n_trial": 64},
    "analyze_transformer": {"n_trial": 64},
    "analyze_readouts": {"n_step": 500},
}
NPZ_ONLY = {"in_distribution": False, "held_out": "quadrant", "every_measure": False}
ASIDE: dict[str, dict[str, Any]] = {  # settings that change no result, said all the same
    "train": {"only": (), "autocorr": False, "device": "auto", "workers": 0},
    "generalize": {**NPZ_ONLY, "assume": (), "save_decoders": True, "device": "auto"},
    "sparsity": {"assume": ()},
    "few_shot": {"assume": ()},
    "analyze": {"assume": (), "pictures": False},
    "analyze_transformer": {"assume": (), "pictures": False},
}
# Networks x batches / s, one core of two in use, of ensembles of 15 to 25 (Intel Xeon, torch 2.13)
RATES = {"RNN": 1800.0, "LSTM": 640.0, "GRU": 450.0, "gpt-2": 260.0}
DECODING = 0.15  # time for all else, as a share of the time for training
N_TRY = 4  # times that a job is begun whose process is killed
CONNECT = 10  # seconds to wait for a scheduler
BAR = "{l_bar}{bar}| {postfix}"


# ------------------------------------------------------------------ which jobs there are


@dataclass
class Job:
    """One command of the project's scripts."""

    name: str  # 'train RNN', 'generalize RNN ridge', 'draw Fig3a'
    command: list[str]  # script and its settings; of a measurement all but the networks
    needs: list[str]  # names of jobs that come first
    files: list[Path]  # that it writes alone; or globs
    networks: dict[Path, dict] = field(default_factory=dict)  # a training's, with their settings
    results: dict[str, list[Path]] = field(default_factory=dict)  # see `paper.name_of`; networks
    wanted: dict[str, Any] = field(default_factory=dict)  # settings of a measurement


class Sweep:
    """The jobs of the chosen figures, in folders below `out`, and which of them are done."""

    def __init__(self, config: Config):
        self.config = config
        self.out = (config.out or Path("sweep_quick" if config.quick else "sweep")).resolve()
        self.data, self.quick = self.out / "Data", QUICK if config.quick else {}
        self.jobs: dict[str, Job] = {}  # in the order in which they are wanted
        named = {paper.ALIASES.get(name, name) for name in config.figures or GROUPS}
        chosen = [name for name, figure in paper.FIGURES.items() if named & {name, figure.group}]
        self.of_figure = {name: self.add_figure(name) for name in chosen}
        file, name = self.out / "REPORT.md", "write REPORT.md"
        command = ["report.py", *util.flags({"data": self.data, "out": file})]
        needs = [other for other, job in self.jobs.items() if not job.networks]
        self.jobs[name] = Job(name, command, needs, [file])

    def add_figure(self, name: str) -> list[str]:
        """Add all jobs of a figure; returns the names of its trainings and measurements."""
        figure, names = paper.FIGURES[name], []
        for product in figure.products:
            for kind, n_tasks in product.networks:
                for ensemble in paper.KINDS[kind].ensembles:
                    if some := [n for n in ensemble if n in n_tasks]:
                        names.append(self.add_training(kind, ensemble))
                        names.append(self.add_measurement(product, kind, some, names[-1]))
        stem, folder = figure.script or f"Fig{name}", self.out / "Figures"
        command = [f"Figures/{stem}.py", str(self.data), str(folder)]
        files = [folder / f"{stem}.png", folder / f"{stem}.pdf"]
        drawing = self.jobs.pop(f"draw {stem}", Job(f"draw {stem}", command, [], files))
        drawing.needs += [name for name in names if self.jobs[name].results]
        self.jobs[drawing.name] = drawing  # after all that figures with this script need
        return list(dict.fromkeys(names))

    def add_training(self, kind: str, ensemble: tuple[int, ...]) -> str:
        """Add the training of an ensemble; returns its name."""
        what = kind if ensemble == paper.KINDS[kind].ensembles[0] else f"{kind}_nTask{ensemble[0]}"
        name, folder = f"train {what}", self.out / "Networks" / kind
        network = paper.KINDS[kind].settings.get("network", "")
        changes = {**self.quick.get("train", {}), **self.quick.get(network, {})}
        configs = paper.configs(kind, ensemble, **changes)
        networks = {folder / f"{settings.label(config)}.pth": config for config in configs}
        several = {"n_task": ensemble, "runs": sorted({config["run"] for config in configs})}
        values = {**configs[0], **several, **ASIDE["train"], "out": folder, "overwrite": False}
        del values["run"]
        job = Job(name, ["train.py", *util.flags(values)], [], list(networks), networks)
        return self.jobs.setdefault(name, job).name

    def add_measurement(
        self, product: paper.Product, kind: str, n_tasks: list[int], training: str
    ) -> str:
        """Add a measurement of networks of these N_task; returns its name."""
        script = product.script
        results: dict[str, list[Path]] = {}
        for path, config in self.jobs[training].networks.items():
            if config["n_task"] in n_tasks and config["run"] in (product.runs or [config["run"]]):
                results.setdefault(paper.name_of(product, config, kind), []).append(path)
        where, *_ = results
        if script.startswith("analyze"):  # a folder of its own
            words, out, files = [Path(where).name], self.data / where, [self.data / where / "*"]
        else:
            words, out = training.split()[1:] + where.split("|")[2:], self.data / "results.csv"
            stems = [where.replace("|generalize", "").strip("|") for where in results]
            files = [self.data / "decoders" / f"{stem.replace('|', '_')}.npz" for stem in stems]
        name = " ".join([script, *filter(None, words)])
        own = paper.wanted(product, kind, n_tasks[0])
        wanted = settings.MEASUREMENTS[script] | own | self.quick.get(script, {})
        command = util.flags({**ASIDE.get(script, {}), **wanted, "out": out, "overwrite": True})
        command = [f"{script}.py", *command, "--network" if "keep" in wanted else "--networks"]
        job = self.jobs.setdefault(name, Job(name, command, [training], [], wanted=wanted))
        job.files += files
        job.results |= results
        return name

    # ------------------------------------------------------------ which of them are done

    def is_done(self, name: str) -> bool:
        """Is nothing of a job left to do? Trainings are needless where results or networks are."""
        job = self.jobs[name]
        if job.networks:  # train.py itself looks which are there
            others = [other for other in self.jobs.values() if name in other.needs]
            left = [(other, where) for other in others for where in self.left_of(other)]
            return all(path.exists() for other, where in left for path in other.results[where])
        if job.results:
            return not self.left_of(job)
        shared = "claims.py", "verdicts.py", "intervals.py", "Figures/style.py"
        scripts = [job.command[0], *shared, "Figures/portraits.py"]
        sources = [*(ROOT / script for script in scripts), *map(self.log_of, job.needs)]
        changed = max(path.stat().st_mtime for path in sources if path.exists())
        return all(path.exists() and path.stat().st_mtime > changed for path in job.files)

    def log_of(self, name: str) -> Path:
        """What a job printed."""
        return self.out / f"logs/{name.replace(' ', '_')}.log"

    def left_of(self, job: Job) -> list[str]:
        """Results of a measurement that are not there, or not made from these networks.

        Raises:
            UserError: some were changed by hand, or made with other settings.
        """
        left: dict[str, None] = {}
        script, replace = job.command[0][:-3], self.config.overwrite or self.config.list
        for where, paths in job.results.items():
            files = [self.data / where / f"{name}.npz" for name in job.wanted.get("keep", ())]
            for file in files or [self.data / "results.csv"]:
                changed = file.stat().st_mtime_ns if file.exists() else 0
                found = abouts(file, changed, replace).get(file.stem if files else where)
                other = table.differs(found, script, job.wanted, paths)
                if other == "settings" and not replace:
                    words = "made with other settings or networks; move it away, or --overwrite"
                    raise UserError(f"{self.data}: {where} was {words}")
                left |= {where: None} if other else {}
        return list(left)

    def time_of(self) -> dict[Path, tuple[float, float]]:
        """Seconds of one core left for each network, and in all, by the rates that logs tell."""
        batch: dict[Path, int] = {}
        rates = dict(RATES)
        for log in sorted(self.out.glob("Networks/*/ensemble_*[0-9a-f].jsonl")):  # shards' too
            with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
                first, *_, end = log.read_text().splitlines()
                head, last = json.loads(first), json.loads(end)
                batch |= {log.with_name(f"{name}.pth"): last["batch"] for name in head["networks"]}
                n_thread = int(head["machine"].split(" threads")[0].split(", ")[-1])
                rates[head["config"]["network"]] = last["networks_x_batches_per_s"] / n_thread
        times = {}
        for job in self.jobs.values():
            is_done = all(path.exists() for path in job.networks) or self.is_done(job.name)
            for path, config in job.networks.items():
                n_batch = config["n_batch"]
                rate = rates.get(config["network"], min(rates.values())) / (1 + DECODING)
                done = n_batch if is_done or path.exists() else batch.get(path, 0)
                times[path] = max(0, n_batch - done) / rate, n_batch / rate
        return times

    def report(self, n_core: int) -> str:
        """The table of --list."""
        rows, times = [], self.time_of()
        for figure, names in self.of_figure.items():
            paths = {path for name in names for path in self.jobs[name].networks}
            done = [self.is_done(name) for name in names if self.jobs[name].results]
            left = sum(times[path][0] for path in paths) / n_core
            row = [figure, paper.FIGURES[figure].shows, n_there(paths)]
            rows.append([*row, f"{sum(done)} of {len(done)}", hours(left) if left else "-"])
        left = sum(left for left, _ in times.values()) / n_core
        return (
            f"{util.markdown(['figure', 'shows', 'networks', 'results', 'time left'], rows)}\n"
            f"{n_there(times)} networks in {self.out}/Networks; about {hours(left)} left on "
            f"{n_core} cores\n"
            "Figures share networks: each is trained once, and none whose results are there."
        )


@functools.cache
def abouts(path: Path, changed: int, replace: bool) -> dict[str, dict[str, Any] | None]:
    """How results in a file were made, by entry; `changed`: its time, 0 where it is not there.

    Raises:
        UserError: they were changed by hand, unless they may be replaced.
    """
    if not changed:
        return {}
    if path.suffix == ".csv":
        return {**table.about(path, strict=not replace)}
    try:
        arrays = util.load_npz(path)
        if "sha256" not in arrays:
            raise UserError(f"{path}: not made by this sweep, or changed by hand; --overwrite")
    except UserError:
        if not replace:
            raise
        return {}
    return {path.stem: util.about_of(arrays)}


def n_there(paths: Collection[Path]) -> str:
    """How many of these files there are."""
    return f"{sum(path.exists() for path in paths)} of {len(paths)}"


def hours(seconds: float) -> str:
    """A time as text."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d}" if minutes >= 60 else f"{minutes} min"


# ------------------------------------------------------------------ doing them


def run_job(root, command, log, left_overs, n_thread, token):
    """Run a command in a process of its own, in a thread of a Dask worker.

    The process holds the lock on `log` as long as it lives, and dies with the worker. `left_overs`
    are folder and glob of half-written files of one that was killed; `token` the name of the
    sweep's run, see `stop_jobs`.

    Returns:
        '', or how it failed. Where the process is killed it raises, and Dask begins it again.
    """
    sys.path += [root] if root not in sys.path else []  # a cluster's worker does not know it
    from util import start

    jobs = distributed.get_worker().__dict__.setdefault(token, [])
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left_over in [path for folder, glob in left_overs for path in Path(folder).glob(glob)]:
            left_over.unlink(missing_ok=True)
        print("$", *command, file=file, flush=True)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(n_thread))
        options = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        options["start_new_session"] = True  # Ctrl-C reaches it through `stop_jobs` alone, once
        command = [sys.executable, f"{root}/{command[0]}", *command[1:]]
        jobs.append(process := start(command, env={**os.environ, **threads}, **options))
        if None in jobs:
            process.terminate()
        code = process.wait()
    if code < 0:
        raise ChildProcessError(f"killed by signal {-code}")
    return Path(log).read_text(errors="replace").rstrip().splitlines()[-1] if code else ""


def stop_jobs(token, dask_worker):
    """Ask the jobs of one sweep on a worker to save what they have, and wait for their end."""
    jobs = dask_worker.__dict__.setdefault(token, [])
    jobs.append(None)  # one that begins now stops at once
    for process in filter(None, list(jobs)):
        process.terminate()
    for process in filter(None, list(jobs)):
        process.wait()


class Runner:
    """Hands each job of a sweep to Dask once all that it needs has ended.

    `n_slot` jobs run at a time; `n_core` are the cores of this machine, 0 on a cluster.
    """

    def __init__(self, sweep: Sweep, client: distributed.Client, n_slot: int, n_core: int):
        self.sweep, self.client, self.n_slot, self.n_core = sweep, client, n_slot, n_core
        self.token = f"sweep_{uuid.uuid4().hex}"
        self.futures: dict[str, distributed.Future] = {}  # of jobs that have not ended
        self.ended: dict[str, str] = {}  # '', or how they failed
        trainings = [name for name, job in sweep.jobs.items() if job.networks]
        self.n_training, self.wanted = len(trainings), list(sweep.jobs)
        if sweep.config.task_index is not None:
            self.wanted = trainings[sweep.config.task_index :: sweep.config.task_count]

    def run(self) -> None:
        """Do all jobs; interrupted, they save what they have."""
        bar = tqdm(total=100, initial=-1, unit="%", disable=None, bar_format=BAR)
        try:
            while self.begin():
                self.show(bar)
                for _ in range(50):  # 10 s
                    time.sleep(0.2)
                    if ended := [name for name, job in self.futures.items() if job.done()]:
                        break
                for name in ended:
                    self.take(name, self.futures.pop(name))
            self.show(bar)
        except BaseException:
            self.client.cancel(list(self.futures.values()), force=True)
            self.client.run(stop_jobs, self.token)
            raise
        finally:
            bar.close()

    def begin(self) -> bool:
        """Hand over what is left and can begin. Is anything under way?

        A drawing takes what is there, even where something that it needs has failed.
        """
        for name in self.wanted:
            job = self.sweep.jobs[name]
            if name not in self.ended | self.futures and self.ended.keys() >= {*job.needs}:
                if self.sweep.is_done(name):
                    self.ended[name] = ""
                elif job.results and any(self.ended[need] for need in job.needs):
                    self.end(name, "what it needs has failed")
                else:
                    self.submit(job)
        return bool(self.futures)

    def submit(self, job: Job) -> None:
        """Hand a job to Dask."""
        paths = [str(path) for where in self.sweep.left_of(job) for path in job.results[where]]
        slots = min(self.n_slot, self.n_training) if job.networks else self.n_slot
        left_overs = [(str(path.parent), f".{path.name}.*.partial") for path in job.files]
        log, n_thread = str(self.sweep.log_of(job.name)), max(1, self.n_core // slots)
        work = str(ROOT), [*job.command, *paths], log, left_overs, n_thread, self.token
        key, rank = f"{job.name} {uuid.uuid4().hex}", self.wanted.index(job.name)
        cores = {"core": self.n_slot // slots} if self.n_core else None
        self.futures[job.name] = self.client.submit(
            run_job, *work, key=key, priority=-rank, retries=N_TRY - 1, resources=cores
        )

    def take(self, name: str, future: distributed.Future) -> None:
        """Hear how a job has ended."""
        if future.status == "finished":
            words = future.result()
        else:
            words = str(future.exception() if future.status == "error" else future.status)
        if not words and (left := self.sweep.left_of(self.sweep.jobs[name])):
            words = f"{left[0]} is not there"
        self.end(name, words)

    def end(self, name: str, words: str) -> None:
        """Note and say that a job is done, or how it failed."""
        lost = [need for need in self.sweep.jobs[name].needs if self.ended[need]]
        self.ended[name] = words = f"needs {lost[0]}" if words and lost else words
        line = f"failed: {name}: {words}" if words else f"done: {name}"
        tqdm.write(f"{time.strftime('%H:%M')} {line}")
        sys.stdout.flush()

    def show(self, bar: tqdm) -> None:
        """How far the whole sweep is: a bar on a terminal; elsewhere a line per percent."""
        times = self.sweep.time_of()
        left, total = map(sum, zip(*times.values(), strict=True))
        n_done, percent = [*self.ended.values()].count(""), int(100 * (1 - left / (total or 1)))
        words = f"{n_there(times)} networks, {n_done} of {len(self.wanted)} jobs, about "
        words += f"{hours(left / (self.n_core or self.n_slot))} left"
        if bar.disable and percent > bar.n:
            print(f"{time.strftime('%H:%M')} {percent} %: {words}", flush=True)
        bar.n = percent
        bar.set_postfix_str(words)


@contextlib.contextmanager
def connected(config: Config) -> Iterator[tuple[distributed.Client, int, int]]:
    """A client of Dask, how many jobs it does at a time, and this machine's cores or 0."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    address, file = config.scheduler or None, config.scheduler_file
    if file and not file.is_file():
        raise UserError(f"no Dask scheduler has written {file}")
    options: dict[str, Any] = {"address": address, "scheduler_file": file, "timeout": CONNECT}
    if not (where := address or file):
        n_slot = config.jobs or (2 if util.pick_device("auto").type == "cuda" else CPU_COUNT)
        options = {"n_workers": 1, "threads_per_worker": n_slot, "processes": False}
        options |= {"resources": {"core": n_slot}, "memory_limit": None}
        options |= {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    try:
        client = distributed.Client(**options)
    except (OSError, ValueError, TimeoutError) as error:
        raise UserError(f"no Dask scheduler at {where or 'this machine'} ({error})") from None
    with client:
        if not (n_slot := sum(client.nthreads().values())):
            raise UserError(f"the scheduler at {where} has no workers")
        yield client, n_slot, 0 if where else CPU_COUNT


def main(config: Config) -> None:
    """Do what is left of the chosen figures."""
    config.check()
    sweep = Sweep(config)
    if config.list:
        print(sweep.report(CPU_COUNT))
        return
    index = "" if config.task_index is None else f"_{config.task_index}"
    with open(util.make_folder(sweep.out / "logs") / f"sweep{index}.log", "a") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{sweep.out}: another sweep is at work in this folder") from None
        print(time.strftime("%F %T"), *sys.argv, file=log, flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with connected(config) as where:
            runner = Runner(sweep, *where)
            runner.run()
    if failed := [f"{name}: {words}" for name, words in runner.ended.items() if words]:
        words = f"{len(failed)} of {len(runner.wanted)} jobs failed, the others are done; logs: "
        raise UserError(f"{words}{sweep.out}/logs; {'; '.join(failed)[:600]}")
    what = f"{len(runner.wanted)} trainings" if index else ", ".join(sweep.of_figure)
    print(f"done: {what}; in {sweep.out}")


if __name__ == "__main__":
    util.run_script(main, Config)
