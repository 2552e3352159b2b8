"""Checkpoints: one network per file, with the settings it was trained with."""

from pathlib import Path
from typing import Any

import torch

import released
import table
from model import Model
from settings import OWN, PAPER, Config, check_saved
from util import UserError, load_torch


def checkpoint(model: Model, net: int, config: Config, losses, confusions) -> dict[str, Any]:
    """One network as the content of its file: tensors and plain Python values only.

    Histories hold tensors: losses (net,), confusions (net, 2, 2), shares by (true, chosen).
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
    """The settings in a file's content. UserError if it is no checkpoint, or they cannot be used.

    Without `config` it is one of the authors' files; `assumed` are the user's settings for those.
    """
    try:
        missing = {"state_dict", "encoder"} - set(content if isinstance(content, dict) else ())
        if missing:
            raise UserError(f"not a checkpoint of this project, {sorted(missing)} missing")
        if not all(isinstance(content[part], dict) for part in ("state_dict", "encoder")):
            raise UserError("its state_dict or encoder is no dict")
        config = content.get("config")
        found = released.config_of(path, content, assumed or {}) if config is None else config
        return check_saved(found)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def load_ensemble(paths: list[Path], assume: tuple[str, ...] = ()) -> tuple[Model, list[Config]]:
    """Load networks of one kind, with any N_task, as one ensemble, and their settings.

    The model is frozen, in evaluation mode, and has no readout where a file has none. `assume`
    gives settings that the authors' files do not say, as 'n_task=24'. UserError for a file that is
    no such checkpoint, networks that differ in kind, and a network that is there twice.
    """
    assumed = table.parse_settings(assume)
    contents = [released.plain_tensors(load_torch(path)) for path in paths]
    configs = [check_checkpoint(*pair, assumed) for pair in zip(paths, contents, strict=True)]
    first, seen = configs[0], set()
    for path, config in zip(paths, configs, strict=True):
        for name in PAPER:
            if name not in OWN and config[name] != first[name]:
                raise UserError(
                    f"{path}: {name} is {config[name]}, in {paths[0]} it is {first[name]}; "
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
    for name, value in config.items():
        if found.get(name) != value:
            raise UserError(
                f"{path}: there already, trained with {name} = {found.get(name)} instead of "
                f"{value}; choose another --out, or --overwrite"
            )
    return True
