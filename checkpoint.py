"""Checkpoints: one network per file, with the settings it was trained with."""

from pathlib import Path
from typing import Any

import torch

import released
from model import Model
from settings import OWN, PAPER, Config, check_saved
from util import UserError, load_torch


def checkpoint(model: Model, net: int, config: Config, losses, confusions) -> dict[str, Any]:
    """One network as the content of its file: tensors and plain Python values only.

    Args:
        losses, confusions: histories, tensors (net,) and (net, 2, 2), shares by (true, chosen).
    """
    files = {name: part.to_file(net) for name, part in model.parts.items()}
    if leftover := model.network.LEFTOVER:  # code that knows the authors' layout wants these keys
        for key, value in files["decoder"].items():
            files["state_dict"][key.replace("0", leftover)] = value.clone()
    matrices = [matrix[net].cpu() for matrix in confusions]
    return {
        **files,
        "loss_hist": torch.tensor([float(loss[net]) for loss in losses]),
        "conf_matr_hist": torch.stack(matrices) if matrices else torch.zeros(0, 2, 2),
        "config": config,
    }


def check_checkpoint(path: Path, content: Any, assumed: Config | None = None) -> Config:
    """The settings in a checkpoint. UserError if it is none, or they cannot be used.

    Args:
        content: what is in the file; without `config` it is one of the authors' files.
        assumed: settings given by the user for those.
    """
    try:
        if not isinstance(content, dict):
            raise UserError("not a checkpoint of this project")
        missing = {"state_dict", "encoder"} - set(content)
        if missing:
            raise UserError(f"not a checkpoint of this project, {sorted(missing)} missing")
        if not all(isinstance(content[part], dict) for part in ("state_dict", "encoder")):
            raise UserError("its state_dict or encoder is no dict")
        if content.get("config") is None:
            return check_saved(released.config_of(path, content, assumed or {}))
        return check_saved(content["config"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def load_ensemble(paths: list[Path], assume: tuple[str, ...] = ()) -> tuple[Model, list[Config]]:
    """Load networks of one kind, with any N_task, as one ensemble, and their settings.

    The model is frozen, in evaluation mode, and has no readout where a file has none. `assume`
    gives settings that the authors' files do not say, as 'n_task=24'. UserError for a file that is
    no such checkpoint, networks that differ in kind, and a network that is there twice.
    """
    assumed = released.parse_assumed(assume, PAPER)
    contents = [released.plain_tensors(load_torch(path)) for path in paths]
    configs = [check_checkpoint(*pair, assumed) for pair in zip(paths, contents, strict=True)]
    first, seen = configs[0], set()
    for path, config in zip(paths, configs, strict=True):
        other = [name for name in PAPER if name not in OWN and config[name] != first[name]]
        if other:
            raise UserError(
                f"{path}: {other[0]} is {config[other[0]]}, in {paths[0]} it is {first[other[0]]}; "
                "networks that are handled together differ in n_task, run and seed only"
            )
        own = tuple(config[name] for name in OWN)
        if own in seen:
            raise UserError(f"two networks have n_task {own[0]} and run {own[1]}; name only one")
        seen.add(own)
    model = Model(configs)
    if any("config" not in content for content in contents):
        model.readout = None
    for net, (path, content) in enumerate(zip(paths, contents, strict=True)):
        for name, part in model.parts.items():
            try:
                part.from_file(net, content.get(name))
            except UserError as error:
                raise UserError(f"{path}: {name}: {error}") from None
    return model.requires_grad_(False).eval(), configs


def is_trained(path: Path, config: Config) -> bool:
    """Is this very network there? UserError if another one has its name."""
    if not path.exists():
        return False
    found = check_checkpoint(path, load_torch(path))
    other = [name for name in config if found.get(name) != config[name]]
    if other:
        raise UserError(
            f"{path}: there already, trained with {other[0]} = {found.get(other[0])} instead "
            f"of {config[other[0]]}; choose another --out, or --overwrite"
        )
    return True
