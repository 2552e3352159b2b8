"""The whole paper: train, decode, analyse and draw every figure, resumably (SPEC 7).

    python sweep.py --list                   figures, networks, what is there, time left
    python sweep.py 3a 5b                    these figures
    python sweep.py all                      all of them, and REPORT.md
    python sweep.py all --quick              all of them at a small scale, for a first look
    python sweep.py all --scheduler tcp://node1:8786      on a Dask cluster
    python sweep.py all --task_index 3 --task_count 10    the fourth tenth of all trainings

What belongs to a figure stands in paper.py. Everything goes below `out`: Networks/, Data/,
Figures/, logs/. Each job (a training, a measurement, a drawing) is one command of the project's
own scripts, in a process of its own. The same command goes on after an interruption; what is there
is skipped, unless what it was made from has changed. Two jobs never do the same work: each holds a
lock on its log as long as its process lives, even if the sweep that started it has died.
"""

import ctrl_c  # noqa: F401

# isort: split
import concurrent.futures
import contextlib
import fcntl
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import tyro
from tqdm import tqdm

import paper
import train
import util
from util import UserError

ROOT = Path(__file__).resolve().parent


@dataclass
class Config:
    """Settings; edit them here or override them from the shell."""

    figures: tyro.conf.Positional[tuple[str, ...]] = ()  # names in paper.py, or all
    list: bool = False  # say what there is and how long the rest takes; run nothing
    quick: bool = False  # small scale: few batches, two runs, two fits
    out: Path | None = None  # folder for all results; None: sweep, with --quick sweep_quick
    jobs: int = 0  # how many at a time on this machine; 0: one per core, two on a GPU
    scheduler: str = ""  # address of a Dask scheduler whose workers do the jobs
    scheduler_file: Path | None = None  # or the file in which it wrote its address
    task_index: int | None = None  # trainings only: those of this task of an array job, from 0
    task_count: int = 1  # of how many
    overwrite: bool = False  # measure again what was changed by hand

    def check(self):
        """Raise UserError for settings that cannot be meant."""
        if not self.figures and not self.list:
            raise UserError("name figures, or all; --list shows them")
        for name in self.figures:
            if name != "all" and paper.ALIASES.get(name, name) not in paper.FIGURES:
                names = ", ".join(paper.FIGURES)
                raise UserError(f"no figure {name}; figures: all, {names}")
        if self.jobs < 0:
            raise UserError(f"jobs must be at least 0, not {self.jobs}")
        if self.scheduler and self.scheduler_file:
            raise UserError("scheduler and scheduler_file say the same; choose one")
        if self.task_count < 1:
            raise UserError(f"task_count must be at least 1, not {self.task_count}")
        if self.task_index is None and self.task_count > 1:
            raise UserError("task_count needs a task_index: which of the tasks this is")
        if self.task_index is not None and not 0 <= self.task_index < self.task_count:
            raise UserError(
                f"task_index counts from 0 to {self.task_count - 1}, not {self.task_index}"
            )

    @property
    def chosen(self):
        """Names of the figures, in the order of paper.py."""
        named = {paper.ALIASES.get(name, name) for name in self.figures}
        return [f for f in paper.FIGURES if f in named or "all" in named or not named]


QUICK = {  # what --quick changes: runs, and settings of each script
    "runs": (0, 1),
    "train": {"n_batch": 2000, "gpt-2": 500},
    "generalize": {"n_fit": 2, "n_batch": 400},
    "sparsity": {"n_stimulus": 200},
    "analyze": {"n_start": 32, "n_repeat": 8, "n_trial": 64},
    "analyze_transformer": {"n_trial": 64},
}


# ------------------------------------------------------------------ jobs


MEASURE = ("generalize", "sparsity", "analyze", "analyze_transformer")  # scripts


@dataclass
class Job:
    """One command of the project's scripts, and what it takes and gives.

    Attributes:
        name: 'train RNN', 'generalize Fig3a/r_sq_RNN_CELoss', 'draw Fig3a'.
        command: script and its settings.
        needs: names of jobs that come first.
        outputs: files it writes.
        is_done: says whether there is nothing left to do.
        work, architecture, log: of trainings; networks x batches, and the log of train.py.
    """

    name: str
    command: list
    outputs: list
    is_done: object
    needs: list = field(default_factory=list)
    work: float = 0.0
    architecture: str = ""
    log: Path | None = None


def flags(settings):
    """Settings as arguments for the shell."""
    words = []
    for name, value in settings.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        elif isinstance(value, tuple | list):
            words += [f"--{name}", *map(str, value)]
        else:
            words += [f"--{name}", str(value)]
    return words


class Sweep:
    """The jobs of the chosen figures, in folders below `out`.

    Args:
        config: `Config`.
    """

    def __init__(self, config):
        self.config = config
        self.out = (config.out or Path("sweep_quick" if config.quick else "sweep")).resolve()
        self.networks, self.data = self.out / "Networks", self.out / "Data"
        self.figures, self.logs = self.out / "Figures", self.out / "logs"
        self.scale = QUICK if config.quick else {}
        self.runs = self.scale.get("runs", paper.RUNS)
        self.checked = {}  # files looked at already
        self.jobs = {}  # by name, in the order in which they are wanted
        self.of_figure = {name: self.add_figure(name) for name in config.chosen}
        self.add_report()
        self.needless = self.find_needless()

    # ------------------------------------------------------------ which jobs there are

    def add(self, job):
        """Add a job once; returns its name."""
        self.jobs.setdefault(job.name, job)
        return job.name

    def add_figure(self, name):
        """Add all jobs of a figure; returns their names."""
        figure = paper.FIGURES[name]
        products = [self.add_product(product) for product in figure.products]
        needed = [n for p in products for n in self.jobs[p].needs] + products
        return list(dict.fromkeys([*needed, self.add_drawing(name, figure, products)]))

    def find_needless(self):
        """Names of trainings whose results are all there already: not all networks are shipped."""
        made = [job for job in self.jobs.values() if job.name.startswith(MEASURE)]
        left = [job for job in made if not job.is_done()]
        needed = {name for job in left for name in job.needs}
        return {name for name, job in self.jobs.items() if job.work} - needed

    def training(self, kind):
        """Settings with which train.py makes the networks of a kind."""
        k, quick = paper.KINDS[kind], self.scale.get("train", {})
        settings = {"n_task": k.n_tasks, "runs": self.runs, **k.settings}
        if quick:
            settings["n_batch"] = quick.get(k.settings.get("network"), quick["n_batch"])
        return {**settings, "out": self.networks / (k.folder or kind)}

    def network_configs(self, kind, n_tasks=None):
        """Settings of each network of a kind, by its file."""
        config = train.Config(**self.training(kind))
        configs = train.network_configs(config)
        chosen = [c for c in configs if n_tasks is None or c["n_task"] in n_tasks]
        return {config.out / f"{train.label(c)}.pth": c for c in chosen}

    def add_training(self, kind):
        """Add the training of all networks of a kind."""
        settings, configs = self.training(kind), self.network_configs(kind)
        log = settings["out"] / f"{train.ensemble_name(list(configs.values()))}.jsonl"
        snapshot = log.with_suffix(".snapshot")

        def is_done():
            return not snapshot.exists() and all(
                self.is_trained(path, config) for path, config in configs.items()
            )

        first = next(iter(configs.values()))
        work = len(configs) * first["n_batch"]
        command = ["train.py", *flags(settings)]
        job = Job(f"train {kind}", command, list(configs), is_done, [], work, first["network"], log)
        return self.add(job)

    def is_trained(self, path, config):
        """Is this network there, with these settings?"""
        if not path.exists():
            return False
        key = path, path.stat().st_mtime_ns
        if key not in self.checked:
            self.checked[key] = train.is_trained(path, config)
        return self.checked[key]

    def add_product(self, product):
        """Add a measurement, and the trainings of its networks."""
        needs = [self.add_training(kind) for kind, _ in product.networks]
        paths = [p for pair in product.networks for p in self.network_configs(*pair)]
        setting = "network" if product.script.startswith("analyze") else "networks"
        named = {setting: tuple(map(str, paths)), "out": self.data / product.file}
        settings = {**named, **product.options, **self.scale.get(product.script, {})}
        wanted = importlib.import_module(product.script).Config(**settings)
        outputs = self.outputs_of(product)

        def is_done():
            return all(self.is_made(*output, wanted, paths) for output in outputs.items())

        command = [f"{product.script}.py", *flags(settings), "--overwrite"]
        name = f"{product.script} {product.file.removesuffix('.npz')}"
        return self.add(Job(name, command, list(outputs), is_done, needs))

    def outputs_of(self, product):
        """Files that a measurement writes, and of generalize.py the measure in each."""
        out = self.data / product.file
        if product.script.startswith("analyze"):
            return {out / f"{name}.npz": None for name in product.options["keep"]}
        if product.script == "sparsity":
            return {out: None}
        ends = {"": "as_released", "_quadrant": "quadrant", "_ID": "ID"}
        if "n_dim" in paper.KINDS[product.networks[0][0]].settings:  # D > 2
            ends = {"": "quadrant", "_ID": "ID"}
        kinds = ("r_sq", "decoders") if product.options.get("save_decoders", True) else ("r_sq",)
        stem = out.stem.removeprefix("r_sq")
        return {
            out.with_name(f"{kind}{stem}{end}.npz"): measure
            for kind in kinds
            for end, measure in ends.items()
        }

    def is_made(self, file, measure, config, paths):
        """Is this file there, made with these settings from these networks?

        Raises:
            UserError: it was changed by hand, or made with other settings.
        """
        if not file.exists():
            return False
        stop = not (self.config.overwrite or self.config.list)
        key = file, file.stat().st_mtime_ns
        if key not in self.checked:
            try:
                self.checked[key] = util.load_npz(file)
            except UserError:
                if stop:
                    raise
                self.checked[key] = {}
        found = self.checked[key]
        if stop and "sha256" not in found:
            raise UserError(
                f"{file}: not made by this sweep, or changed by hand; move it away, or --overwrite"
            )
        other = util.differs(found, config, paths)
        if measure and str(found.get("measure")) != measure:
            other = "settings"
        if stop and other == "settings":
            raise UserError(
                f"{file}: made with other settings or networks; move it away, or --overwrite"
            )
        return not other

    def add_drawing(self, name, figure, products):
        """Add the drawing of a figure, one job for all figures that share its script."""
        script = ROOT / "Figures" / f"{figure.script or f'Fig{name}'}.py"
        name = f"draw {script.stem}"
        if name in self.jobs:
            products = list(dict.fromkeys([*self.jobs.pop(name).needs, *products]))
        picture = self.figures / f"{script.stem}.png"
        command = [f"Figures/{script.name}", str(self.data), str(self.figures)]
        is_done = self.is_newer(picture, script, products)
        files = [picture, picture.with_suffix(".pdf")]
        return self.add(Job(name, command, files, is_done, products))

    def add_report(self):
        """Add the writing of REPORT.md, after all else."""
        file, script = self.out / "REPORT.md", ROOT / "report.py"
        command = [script.name, *flags({"data": self.data, "out": file})]
        everything = [name for name, job in self.jobs.items() if not job.work]
        is_done = self.is_newer(file, script, everything)
        self.add(Job("write REPORT.md", command, [file], is_done, everything))

    def is_newer(self, file, script, jobs):
        """A function that says whether a file is newer than its script and what jobs wrote."""
        style = [ROOT / "Figures" / name for name in ("style.py", "portraits.py")]
        sources = [script, *style, *(path for name in jobs for path in self.jobs[name].outputs)]

        def is_done():
            if not file.exists():
                return False
            times = [path.stat().st_mtime for path in sources if path.exists()]
            return file.stat().st_mtime >= max(times)

        return is_done

    # ------------------------------------------------------------ how far it is

    def progress_of(self, job):
        """Share of a training that is done, from its log."""
        if job.name in self.needless or all(path.exists() for path in job.outputs):
            return 1.0
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
            return json.loads(last_line(job.log))["batch"] * len(job.outputs) / job.work
        there = sum(path.exists() for path in job.outputs)
        return there / len(job.outputs)

    def work_left(self, names):
        """Seconds of one core that the trainings among these jobs will still take."""
        rates = self.measured_rates()
        left = 0.0
        for job in (self.jobs[name] for name in names):
            if job.work:
                left += (1 - self.progress_of(job)) * job.work / rates[job.architecture]
        return left

    def measured_rates(self):
        """Networks x batches per second and core of each architecture, from logs in `out`."""
        rates = dict(RATES)
        for log in sorted(self.networks.glob("*/ensemble_*[0-9a-f].jsonl")):
            with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
                with open(log) as file:
                    head = json.loads(file.readline())
                last = json.loads(last_line(log))
                n_thread = int(head["machine"].split(" threads")[0].split(", ")[-1])
                rate = last["networks_x_batches_per_s"] / n_thread
                rates[head["config"]["network"]] = rate
        return rates


# Networks x batches / s, one core of two in use, of ensembles of 15 to 25 (Intel Xeon, torch 2.13)
RATES = {"RNN": 1800, "LSTM": 640, "GRU": 450, "gpt-2": 260}
DECODING = 0.15  # time for all else, as a share of the time for training


def last_line(path):
    """The last line of a file that is not empty."""
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 20_000))
        return file.read().rstrip().splitlines()[-1]


def hours(seconds):
    """A time as text."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d}" if minutes >= 60 else f"{minutes} min"


def report(sweep, n_core):
    """The table of --list."""
    header = ["figure", "shows", "networks", "results", "time left"]
    rows = []
    for name, names in sweep.of_figure.items():
        jobs = [sweep.jobs[n] for n in names]
        files = [path for job in jobs if job.work for path in job.outputs]
        there = sum(path.exists() for path in files)
        products = [job for job in jobs if job.name.startswith(MEASURE)]
        n_done = sum(job.is_done() for job in products)
        left = sweep.work_left(names) * (1 + DECODING) / n_core
        shows = paper.FIGURES[name].shows
        rows.append([name, shows, f"{there} of {len(files)}", f"{n_done} of {len(products)}"])
        rows[-1].append(hours(left) if left else "-")
    files = {path for job in sweep.jobs.values() if job.work for path in job.outputs}
    there = sum(path.exists() for path in files)
    left = hours(sweep.work_left(sweep.jobs) * (1 + DECODING) / n_core)
    return (
        f"{util.table(header, rows)}\n{there} of {len(files)} networks in {sweep.networks}; about "
        f"{left} left on {n_core} cores\nFigures share networks: each is trained once, "
        "and none whose results are there already."
    )


# ------------------------------------------------------------------ doing them

AGAIN = "again"  # another process did, or does, this job
RUNNING = set()  # processes of this one's jobs
STOP = []  # not empty: begin no more
N_TRY = 4  # a job whose process is killed is begun again so many times less one


def run_job(root, command, log, outputs, n_thread):
    """Run one job in a process of its own; on this machine or on a worker of a cluster.

    The log is locked as long as the process lives, whatever happens to its parent. Half-written
    outputs of one that was killed are removed first.

    Returns:
        exit code, or `AGAIN`.
    """
    log = Path(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a") as file:
        if STOP:
            return AGAIN
        if is_locked(file):
            while not STOP and is_locked(file):
                time.sleep(1)
            return AGAIN
        for path in map(Path, outputs):
            for left_over in path.parent.glob(f".{path.name}.*.partial"):
                left_over.unlink()
        threads = {"OMP_NUM_THREADS": str(n_thread), "MKL_NUM_THREADS": str(n_thread)}
        file.write(f"$ {' '.join(command)[:2000]}\n")
        file.flush()
        process = subprocess.Popen(
            [sys.executable, str(Path(root) / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C reaches it through `stop_jobs` alone, once
        )
        RUNNING.add(process)
        if STOP:  # it came while the process began
            process.terminate()
        try:
            return process.wait()
        finally:
            RUNNING.discard(process)


def is_locked(file):
    """Does another process hold this file's lock? If not, this one does from now on."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def stop_jobs():
    """Ask the processes of this machine's jobs to save what they have and stop."""
    STOP.append(True)
    for process in list(RUNNING):
        process.terminate()


class Runner:
    """Hands jobs to an executor in the order of the figures, as what they need is there.

    Args:
        sweep: `Sweep`.
        executor: of `concurrent.futures`, or one that looks like it.
        n_slot: function that says how many jobs it does at a time.
        n_core: cores of this machine; 0 for a cluster, whose slots have one each.
    """

    def __init__(self, sweep, executor, n_slot, n_core):
        self.sweep, self.executor, self.n_slot, self.n_core = sweep, executor, n_slot, n_core
        self.n_training = sum(bool(job.work) for job in sweep.jobs.values())
        self.waiting = {name: job for name, job in sweep.jobs.items()}
        self.running = {}  # future -> job
        self.tries, self.done, self.failed = {}, set(), {}

    def run(self, show):
        """Do all jobs. `show` is called every few seconds."""
        while self.waiting or self.running:
            self.submit_ready()
            finished, _ = concurrent.futures.wait(
                self.running, timeout=5, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in finished:
                self.take(self.running.pop(future), future.result())
            show(self)

    def submit_ready(self):
        """Submit what can begin; drop what is done, or can never begin."""
        n_free = self.n_slot() - sum(self.room(job)[0] for job in self.running.values())
        for name, job in list(self.waiting.items()):
            lost = [n for n in job.needs if n in self.failed]
            if lost and not name.startswith(("draw", "write")):  # these take what is there
                self.failed[name] = f"needs {lost[0]}"
            elif all(n in self.done or n in self.failed for n in job.needs):
                if name not in self.sweep.needless and n_free < self.room(job)[0]:
                    continue
                if name in self.sweep.needless or job.is_done():
                    self.done.add(name)
                else:
                    self.submit(job)
                    n_free -= self.room(job)[0]
            else:
                continue
            del self.waiting[name]

    def room(self, job):
        """Slots and threads of a job; a training gets several where there are few in all.

        Those that are done count too, so that one that goes on has as many as before.
        """
        if not self.n_core:
            return 1, 1
        n_slot = self.n_slot()
        n_share = min(n_slot, max(1, self.n_training)) if job.work else n_slot
        return n_slot // n_share, max(1, self.n_core // n_share)

    def submit(self, job):
        """Hand a job to the executor."""
        self.tries[job.name] = self.tries.get(job.name, 0) + 1
        outputs = [str(path) for path in job.outputs]
        arguments = str(ROOT), job.command, str(self.log_of(job)), outputs, self.room(job)[1]
        self.running[self.executor.submit(run_job, *arguments)] = job

    def log_of(self, job):
        """Where a job's words go."""
        return self.sweep.logs / f"{job.name.replace('/', '_').replace(' ', '_')}.log"

    def take(self, job, code):
        """A job's process has ended."""
        killed = isinstance(code, int) and code < 0
        if code == AGAIN or (killed and self.tries[job.name] < N_TRY):
            self.tries[job.name] -= code == AGAIN
            self.waiting[job.name] = job
        elif code == 0:
            self.done.add(job.name)
            say(f"done: {job.name}")
        else:
            log = self.log_of(job)
            words = last_line(log).decode(errors="replace") if log.exists() else "no log"
            self.failed[job.name] = words if not killed else f"killed by signal {-code}"
            say(f"failed: {job.name}: {self.failed[job.name]}")


def say(words):
    """A line, above the bar if there is one."""
    tqdm.write(f"{time.strftime('%H:%M')} {words}", file=sys.stdout)
    sys.stdout.flush()


class Show:
    """How far the whole sweep is: a bar on a terminal; elsewhere a line per percent."""

    def __init__(self, sweep, n_core):
        self.sweep, self.n_core, self.percent = sweep, n_core, -1
        self.trainings = [job for job in sweep.jobs.values() if job.work]
        self.bar = tqdm(total=100, unit="%", disable=None, bar_format="{l_bar}{bar}| {postfix}")

    def __call__(self, runner):
        """Show the state."""
        total = sum(job.work for job in self.trainings)
        done = sum(job.work * self.sweep.progress_of(job) for job in self.trainings)
        files = [path for job in self.trainings for path in job.outputs]
        there = sum(path.exists() for path in files)
        left = self.sweep.work_left(self.sweep.jobs) * (1 + DECODING) / self.n_core
        words = f"{there} of {len(files)} networks, {len(runner.done)} of {len(self.sweep.jobs)} "
        words += f"jobs, about {hours(left)} left"
        percent = int(100 * done / total) if total else 100
        self.bar.n = percent
        self.bar.set_postfix_str(words)
        if self.bar.disable and percent > self.percent:
            print(f"{time.strftime('%H:%M')} {percent} %: {words}", flush=True)
        self.percent = percent

    def close(self):
        """Leave the terminal clean."""
        self.bar.close()


@contextlib.contextmanager
def stops_alike():
    """Within it, SIGTERM does what Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def only_one(sweep):
    """Within it, no other sweep works in the same folder (or on the same part of an array job)."""
    index = sweep.config.task_index
    log = util.make_folder(sweep.logs) / f"sweep{'' if index is None else f'_{index}'}.log"
    with open(log, "a") as file:
        if is_locked(file):
            raise UserError(f"{sweep.out}: another sweep is at work in this folder")
        file.write(f"{time.strftime('%F %T')} {' '.join(sys.argv)[:500]}\n")
        file.flush()
        yield


def count_cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@contextlib.contextmanager
def workers(config):
    """An executor, a function that says how many jobs it does at a time, and this one's cores."""
    if config.scheduler or config.scheduler_file:
        with cluster(config) as (executor, n_slot):
            yield executor, n_slot, 0
        return
    n_core = count_cores()
    on_gpu = util.pick_device("auto").type == "cuda"
    n_job = config.jobs or (2 if on_gpu else n_core)
    with concurrent.futures.ThreadPoolExecutor(n_job) as executor:
        try:
            yield executor, lambda: n_job, n_core
        except BaseException:
            stop_jobs()
            executor.shutdown(cancel_futures=True)
            raise


@contextlib.contextmanager
def cluster(config):
    """An executor whose jobs run on the workers of a Dask scheduler, and how many at a time."""
    try:
        import distributed
    except ImportError:
        raise UserError("a scheduler needs Dask: pip install distributed") from None
    where = config.scheduler or str(config.scheduler_file)
    if config.scheduler_file and not config.scheduler_file.is_file():
        raise UserError(f"no Dask scheduler has written {where}")
    try:
        if config.scheduler_file:
            client = distributed.Client(scheduler_file=where, timeout=CONNECT)
        else:
            client = distributed.Client(config.scheduler, timeout=CONNECT)
    except (OSError, ValueError, TimeoutError) as error:
        raise UserError(f"no Dask scheduler at {where} ({error})") from None
    with client:

        def n_slot():
            """Workers may come and go."""
            return sum(client.nthreads().values())

        if not n_slot():
            raise UserError(f"the scheduler at {where} has no workers")
        yield client.get_executor(retries=N_TRY), n_slot


CONNECT = 10  # seconds to wait for a scheduler


def main(config):
    """Do what is left of the chosen figures."""
    config.check()
    sweep = Sweep(config)
    if config.list:
        print(report(sweep, count_cores()))
        return
    if config.task_index is not None:
        trainings = [name for name, job in sweep.jobs.items() if job.work]
        mine = trainings[config.task_index :: config.task_count]
        sweep.jobs = {name: sweep.jobs[name] for name in mine}
    with stops_alike(), only_one(sweep), workers(config) as (executor, n_slot, n_core):
        runner, show = Runner(sweep, executor, n_slot, n_core), Show(sweep, n_core or n_slot())
        try:
            runner.run(show)
        finally:
            show.close()
    if runner.failed:
        raise UserError(
            f"{len(runner.failed)} of {len(sweep.jobs)} jobs failed, the others are done; logs: "
            f"{sweep.logs}; {'; '.join(f'{k}: {v}' for k, v in runner.failed.items())[:600]}"
        )
    what = ", ".join(config.chosen) if config.task_index is None else f"{len(sweep.jobs)} trainings"
    print(f"done: {what}; in {sweep.out}")


if __name__ == "__main__":
    util.run_script(main, Config)
