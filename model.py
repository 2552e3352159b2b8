"""Encoder, network and readout put together, saved and loaded: the one place for each."""

import math

import torch
from torch import nn

from RNN import ACTIVATIONS, RNN, Ensemble, flat, net_blocks, unflat
from util import UserError, generator, load_torch

NETWORKS = {"RNN": RNN}


class Encoder(Ensemble):
    """The frozen random encoder in front of every network (SPEC 3).

    D -> 100 -> 100 -> 40 with ReLU between; the fixation channel bypasses it.

    Args:
        n_net: networks.
        n_dim: D.
    """

    WIDTHS = (100, 100, 40)
    FILE_KEYS = {
        f"layer{i}_{kind}": f"{2 * i}.{kind}" for i in range(3) for kind in ("weight", "bias")
    }

    def __init__(self, n_net, n_dim):
        super().__init__(n_net)
        for i, (n_in, n_out) in enumerate(zip((n_dim, *self.WIDTHS), self.WIDTHS, strict=False)):
            self.add_linear(f"layer{i}", n_in, n_out)
        self.n_out = 1 + self.WIDTHS[-1]
        self.requires_grad_(False)
        self.made_of, self.products = None, None

    def draw(self, net, rng):
        """Fresh weights for one network."""
        for i in range(3):
            self.draw_linear(f"layer{i}", net, rng)

    def layers(self):
        """The three layers as products on columns that end with a 1, (net, out or out + 1, in + 1).

        Bias is the weight from that constant; the last row of the first two passes it on. They are
        made once and kept until a parameter changes.
        """
        made_of = [(p.data_ptr(), p._version) for p in self.parameters()]
        if made_of == self.made_of:
            return self.products
        layers = []
        for i in range(3):
            weight = self.get_parameter(f"layer{i}_weight").transpose(1, 2)
            bias = self.get_parameter(f"layer{i}_bias").transpose(1, 2)
            layer = torch.cat([weight, bias], 2)
            if i < 2:
                constant = torch.zeros_like(layer[:, :1])
                constant[..., -1] = 1
                layer = torch.cat([layer, constant], 1)
            layers.append(layer)
        self.made_of, self.products = made_of, layers
        return layers

    @torch.no_grad()
    def forward(self, inputs):
        """(net, trial, time, 1 + D) -> (net, trial, time, 1 + 40)."""
        n_net, n_trial, n_time, n_channel = inputs.shape
        raw = inputs.new_ones(n_net, n_channel, n_time, n_trial)
        raw[:, :-1] = inputs[..., 1:].permute(0, 3, 2, 1)
        out = inputs.new_empty(n_net, self.n_out, n_time, n_trial)
        out[:, 0] = inputs[..., 0].transpose(1, 2)
        layers = self.layers()
        for nets in net_blocks(out):
            first, second, third = (layer[nets] for layer in layers)
            h = torch.bmm(first, raw[nets].flatten(2)).relu_()
            h = torch.bmm(second, h).relu_()
            out[nets, 1:] = torch.bmm(third, h).unflatten(2, (n_time, n_trial))
        return out.permute(0, 3, 2, 1)


class Readout(Ensemble):
    """Linear map from the representation to one logit per task (SPEC 3).

    Networks with fewer tasks than the widest are padded; the loss never looks at the padding.

    Args:
        n_neu: units.
        n_tasks: tasks of each network.
    """

    FILE_KEYS = {"out_weight": "0.weight", "out_bias": "0.bias"}

    def __init__(self, n_neu, n_tasks):
        super().__init__(len(n_tasks))
        self.n_tasks = list(n_tasks)
        self.add_linear("out", n_neu, max(n_tasks))

    def draw(self, net, rng):
        """Fresh weights for one network."""
        self.draw_linear("out", net, rng, self.n_tasks[net])

    def keep(self, nets):
        """As `Ensemble.keep`."""
        super().keep(nets)
        self.n_tasks = [self.n_tasks[i] for i in nets]
        for name, parameter in list(self.named_parameters()):  # the widest may have gone
            kept = parameter[..., : max(self.n_tasks)].detach().clone()
            self.register_parameter(name, nn.Parameter(kept, parameter.requires_grad))

    def forward(self, rates):
        """(net, trial, time, unit) -> logits (net, trial, time, task)."""
        return unflat(torch.baddbmm(self.out_bias, flat(rates), self.out_weight), rates.shape[1])


class Model(nn.Module):
    """Encoder, network and readout of an ensemble; the one place where they are put together.

    Args:
        configs: one dict of settings per network (see `train.Config`), alike but for `n_task`,
            `run` and `seed`.
    """

    def __init__(self, configs):
        super().__init__()
        first, n_net = configs[0], len(configs)
        if first["network"] not in NETWORKS:
            raise UserError(f"no network {first['network']}; networks: {', '.join(NETWORKS)}")
        self.encoder = Encoder(n_net, first["n_dim"])
        self.network = NETWORKS[first["network"]](
            n_net,
            self.encoder.n_out,
            first["n_neu"],
            leaky=first["leaky"],
            activation=first["activation"],
            init=first["init"],
            alpha=first["dt"] / first["tau"],
            sigma=first["n_sd_net"] / math.sqrt(first["dt"]),
        )
        self.readout = Readout(first["n_neu"], [config["n_task"] for config in configs])

    @property
    def parts(self):
        """The parts by the name under which a checkpoint keeps them."""
        return {"encoder": self.encoder, "state_dict": self.network, "decoder": self.readout}

    def draw(self, seeds):
        """Fresh weights: `seeds` holds the dict of `util.seeds_for` of each network."""
        for net, seed in enumerate(seeds):
            self.encoder.draw(net, generator(seed["encoder"]))
            rng = generator(seed["weights"])
            self.network.draw(net, rng)
            self.readout.draw(net, rng)

    def keep(self, nets):
        """Go on with these networks only."""
        for part in self.parts.values():
            part.keep(nets)

    def represent(self, inputs, noise=None):
        """inputs (net, trial, time, 1 + D) -> representation (net, trial, time, unit)."""
        return self.network(self.encoder(inputs), noise)

    def forward(self, inputs, noise=None):
        """inputs (net, trial, time, 1 + D) -> logits (net, trial, time, task)."""
        return self.readout(self.represent(inputs, noise))


# ------------------------------------------------------------------ checkpoints (SPEC 8)


def checkpoint(model, net, config, loss_hist, confusion_hist):
    """One network as the content of its file: tensors and plain Python values only.

    Args:
        model: the ensemble.
        net: which of its networks.
        config: that network's settings.
        loss_hist: list of up to 100 tensors (net,).
        confusion_hist: list of up to 100 tensors (net, 2, 2), shares by (true, chosen) class.
    """
    files = {
        name: part.to_file(net, config["n_task"] if name == "decoder" else None)
        for name, part in model.parts.items()
    }
    if model.network.UNUSED_READOUT:  # code that knows the authors' layout wants these keys
        for kind in ("weight", "bias"):
            files["state_dict"][f"rec_to_out.{kind}"] = files["decoder"][f"0.{kind}"].clone()
    return {
        **files,
        "loss_hist": torch.tensor([float(loss[net]) for loss in loss_hist]),
        "conf_matr_hist": torch.stack([c[net].cpu() for c in confusion_hist])
        if confusion_hist
        else torch.zeros(0, 2, 2),
        "config": config,
    }


number = (int, float)
CONFIG = {  # settings a checkpoint must hold, their types and smallest values
    "network": (str, None),
    "activation": (str, None),
    "init": (str, None),
    "task": (str, None),
    "leaky": (bool, None),
    "n_neu": (int, 1),
    "tau": (number, 1),
    "n_sd_net": (number, 0),
    "n_dim": (int, 1),
    "n_sd_in": (number, 0),
    "fixation": (int, 0),
    "stimulus": (int, 1),
    "delay": (int, 0),
    "decision": (int, 1),
    "dt": (int, 1),
    "n_batch": (int, 1),
    "batch_sz": (int, 1),
    "lr": (number, 0),
    "n_task": (int, 1),
    "run": (int, 0),
    "seed": (int, 0),
}
OWN = ("n_task", "run", "seed")  # in what networks of one kind may differ


def check_checkpoint(path, content):
    """The settings in a checkpoint. UserError if it is none, or they cannot be used."""
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a checkpoint of this project")
    missing = {"state_dict", "encoder", "config"} - set(content)
    if missing:
        raise UserError(f"{path}: not a checkpoint of this project, {sorted(missing)} missing")
    config = content["config"]
    if not isinstance(config, dict):
        raise UserError(f"{path}: its config is not a dict")
    for key, (kind, low) in CONFIG.items():
        if key not in config:
            raise UserError(f"{path}: its config has no {key}")
        value = config[key]
        right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not right or (low is not None and not value >= low):
            raise UserError(f"{path}: its config has {key} = {value!r}")
    if "diverged_at" in config:
        raise UserError(f"{path}: this network diverged in training and was not finished")
    if config["activation"] not in ACTIVATIONS:
        raise UserError(f"{path}: its config has activation = {config['activation']!r}")
    return config


def load_ensemble(paths):
    """Load networks of one kind, with any N_task, as one ensemble.

    Args:
        paths: checkpoint files.

    Returns:
        model (frozen), list of the networks' settings.

    Raises:
        UserError: a file that is no such checkpoint, or networks that differ in kind.
    """
    contents = [load_torch(path) for path in paths]
    configs = [check_checkpoint(*pair) for pair in zip(paths, contents, strict=True)]
    for path, config in zip(paths, configs, strict=True):
        for key in CONFIG:
            if key not in OWN and config[key] != configs[0][key]:
                raise UserError(
                    f"{path}: {key} is {config[key]}, in {paths[0]} it is {configs[0][key]}; "
                    "networks that are handled together differ in n_task, run and seed only"
                )
    model = Model(configs)
    for net, (path, content) in enumerate(zip(paths, contents, strict=True)):
        for name, part in model.parts.items():
            n_out = configs[net]["n_task"] if name == "decoder" else None
            try:
                part.from_file(net, content.get(name), n_out)
            except UserError as error:
                raise UserError(f"{path}: {name}: {error}") from None
    return model.requires_grad_(False), configs
