"""The frozen encoders: what of x* can be read from them linearly, without a trained network.

    python encoders.py

A row per encoder of `paper.ENCODERS`. The affine share is that part of the features' variance over
the square which an affine function of x explains; *smoothed* is that of the features averaged over
the noise, which is what an average over a long trial comes to. The other columns are r2 in the
held-out quadrant, decoders by ridge, from Data/results.csv: of the features' average over the
stimulus, with noise and without, and of networks as drawn.

The share alone misleads: it falls with a larger gain or a deeper encoder too, and x still stands in
the linear span of the features. What a decoder reads is the test.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import paper
import table
import theory
import util


@dataclass
class Config:
    """Settings; edit them here or override them from the shell. More: docs/beyond.md."""

    data: Path = Path(__file__).resolve().parent / "Data"  # folder of results.csv
    n_net: int = 5  # encoders drawn
    n_grid: int = 32  # values of each factor
    n_noise: int = 64  # noise samples that features are averaged over
    seed: int = 0


def affine_share(features: np.ndarray, x: np.ndarray) -> float:
    """Share of the variance of features (n, K), all pooled, that x (n, D) explains linearly."""
    design = np.column_stack([x, np.ones(len(x))])
    explained = design @ np.linalg.lstsq(design, features, rcond=None)[0]
    return float(((explained - features.mean(0)) ** 2).sum() / features.var(0).sum() / len(x))


def of_features(encoder: str, config: Config) -> list[str]:
    """Affine share, clean and smoothed, and standard deviation; mean over encoders."""
    values, rng = np.linspace(-0.5, 0.5, config.n_grid), np.random.default_rng(config.seed)
    x, found = np.stack(np.meshgrid(values, values), -1).reshape(-1, 2), []
    for own in paper.configs(f"EncoderClean_{encoder}", (24,), runs=tuple(range(config.n_net))):
        clean = theory.encode(own, x)
        noisy = x + theory.SIGMA * rng.standard_normal((config.n_noise, *x.shape))
        smooth = theory.encode(own, noisy.reshape(-1, 2)).reshape(config.n_noise, *clean.shape)
        sd = np.sqrt(clean.var(0).mean())
        found.append([affine_share(clean, x), affine_share(smooth.mean(0), x), sd])
    return [f"{value:.3f}" for value in np.mean(found, 0)]


def main(config: Config) -> None:
    """Print the table."""
    rows = table.read(config.data / "results.csv")
    wanted = "measure == 'quadrant' and decoder == 'ridge' and series == '' and n_task == 24"
    rows = rows.query(wanted)
    kinds = ("EncoderMean", "EncoderClean", *(f"Untrained_{name}" for name in paper.MIXED))
    lines = []
    for encoder in paper.ENCODERS:
        line = [encoder, *of_features(encoder, config)]
        for kind in kinds:
            name = f"{kind}_{encoder}"
            own = paper.configs(name if name in paper.KINDS else kind, (24,), runs=(0,))[0]
            r2 = rows.loc[rows["condition"] == table.network_columns(own)["condition"], "r2"]
            line.append(util.quartiles(r2) if len(r2) else "-")
        lines.append(line)
    shares = "affine share", "affine share, smoothed", "sd of features"
    names = "average", "average without noise", *(f"untrained {name}" for name in paper.MIXED)
    print(util.markdown(["encoder", *shares, *names], lines))
    print("r2 in the held-out quadrant by ridge, median [quartiles] of networks, splits and fits")


if __name__ == "__main__":
    util.run_script(main, Config)
