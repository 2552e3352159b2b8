"""The fast, batched path against the slow, obvious one."""

import math

import pytest
import torch
from torch import nn

import train
import util
from model import Encoder, Model, checkpoint, load_ensemble
from RNN import RNN

KINDS = [
    {},
    {"leaky": False},
    {"activation": "tanh"},
    {"activation": "tanh", "leaky": False},
    {"init": "ortho"},
    {"init": "sparse"},
]


def make(n_task=(2, 5), runs=(0,), n_neu=16, **settings):
    """A Trainer of small networks."""
    config = train.Config(n_task=n_task, runs=runs, n_neu=n_neu, **settings)
    return train.Trainer(train.network_configs(config), torch.device("cpu"))


def slow_rnn(network, net, inputs, alpha=1.0):
    """States (trial, time, unit) of one network by nn.Linear, step by step."""
    state = network.to_file(net)
    inp, rec = nn.Linear(inputs.shape[-1], network.n_neu), nn.Linear(network.n_neu, network.n_neu)
    inp.load_state_dict({k[11:]: v for k, v in state.items() if k.startswith("inp_to_rec")})
    rec.load_state_dict({k[11:]: v for k, v in state.items() if k.startswith("rec_to_rec")})
    f = {"relu": torch.relu, "tanh": torch.tanh}[network.activation]
    r, states = torch.zeros(len(inputs), network.n_neu), []
    for t in range(inputs.shape[1]):
        r = network.keep_r * r + alpha * f(inp(inputs[:, t]) + rec(r))
        states.append(r)
    return torch.stack(states, 1), inp, rec


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_rnn_equals_a_plain_loop_forward_and_backward(settings, alpha):
    trainer = make(**settings)
    network = trainer.model.network
    if alpha != 1:
        network.alpha = alpha
        network.keep_r = 1 - alpha if settings.get("leaky", True) else 1.0
    inputs = trainer.model.encoder(next(trainer.data)[0])
    states = network(inputs)
    assert states.shape == (2, 16, 22, 16)  # net, trial, time, unit
    weighting = torch.randn(states.shape, generator=util.generator(0))
    (states * weighting).sum().backward()
    for net in range(2):
        slow, inp, rec = slow_rnn(network, net, inputs[net], alpha)
        assert torch.allclose(states[net], slow, atol=1e-5)
        (slow * weighting[net]).sum().backward()
        for own, grad in (
            (network.inp_weight, inp.weight.grad.T),
            (network.rec_weight, rec.weight.grad.T),
            (network.inp_bias, inp.bias.grad[None]),
            (network.rec_bias, rec.bias.grad[None]),
        ):
            assert torch.allclose(own.grad[net], grad, atol=1e-4 * grad.abs().max())


def test_step_is_one_step_of_the_forward_pass():
    for settings in KINDS:
        network = (trainer := make(**settings)).model.network
        inputs = trainer.model.encoder(next(trainer.data)[0])
        states, drive = network(inputs), network.drive(inputs)
        r = torch.zeros(2, 16, 16)
        for t in range(22):
            r = network.step(r, drive[:, :, t])
            assert torch.allclose(r, states[:, :, t], atol=1e-6)


def test_gradient_of_the_inputs():
    network = RNN(2, 3, 4)
    for net in range(2):
        network.draw(net, util.generator(net))
    network = network.double()
    inputs = torch.randn(2, 5, 6, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, (inputs,))


def test_network_noise_enters_inside_f():
    network = (trainer := make(n_sd_net=2.0)).model.network
    inputs = trainer.model.encoder(next(trainer.data)[0])
    noise = network.draw_noise(16, 22, trainer.noise)
    assert network.sigma == pytest.approx(0.2)
    drive = network.drive(inputs) + 0.2 * noise
    r = torch.zeros(2, 16, 16)
    for t in range(22):
        r = network.step(r, drive[:, :, t])
    assert torch.allclose(network(inputs, noise)[:, :, -1], r, atol=1e-5)


def test_encoder_equals_its_layers():
    encoder = Encoder(3, 4)
    for net in range(3):
        encoder.draw(net, util.generator(net))
    inputs = torch.randn(3, 5, 6, 5)
    out = encoder(inputs)
    assert out.shape == (3, 5, 6, 41)
    assert torch.equal(out[..., 0], inputs[..., 0])  # the fixation channel bypasses it
    for net in range(3):
        layers = nn.Sequential(
            nn.Linear(4, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 40)
        )
        layers.load_state_dict(encoder.to_file(net))
        assert torch.allclose(out[net, ..., 1:], layers(inputs[net, ..., 1:]), atol=1e-6)
    encoder.keep([2])
    assert torch.allclose(encoder(inputs[2:]), out[2:], atol=1e-6)


def test_initialisations():
    model = make(n_task=(24,), n_neu=64).model
    for weight, n_in in ((model.network.inp_weight, 41), (model.readout.out_weight, 64)):
        assert weight.abs().max() <= n_in**-0.5
        assert weight.std().item() == pytest.approx((3 * n_in) ** -0.5, rel=0.05)
    w = make(init="ortho").model.network.rec_weight[0]
    assert torch.allclose(w @ w.T, torch.eye(16), atol=1e-5)
    w = make(n_neu=64, init="sparse").model.network.rec_weight[0]
    assert ((w != 0).sum(0) == 10).all()  # 15 % of 64 inputs to each unit
    assert w[w != 0].std().item() == pytest.approx(math.sqrt(2 / (0.15 * 64)), rel=0.1)
    assert torch.equal(w, make(n_neu=64, init="sparse").model.network.rec_weight[0])


def test_time_constant():
    assert make(dt=50, tau=100, fixation=50, decision=50).model.network.alpha == 0.5


def test_loss_is_binary_cross_entropy_of_each_network():
    trainer = make(n_task=(2, 5))
    inputs, targets = next(trainer.data)
    logits = trainer.model(inputs).detach().requires_grad_()
    loss = train.loss_of(logits, targets, trainer.tasks[0], trainer.weights)
    (grad,) = torch.autograd.grad(loss.sum(), logits)
    for net, n_task in enumerate((2, 5)):
        goal = torch.full((16, 22, n_task), 0.5)
        goal[:, -1] = (targets[net, :, :n_task] + 1) / 2
        z = logits[net, ..., :n_task].detach().requires_grad_()
        slow = nn.functional.binary_cross_entropy(torch.sigmoid(z), goal)
        assert loss[net].item() == pytest.approx(slow.item(), rel=1e-5)
        (slow_grad,) = torch.autograd.grad(slow, z)
        assert torch.allclose(grad[net, ..., :n_task], slow_grad, atol=1e-8)
        assert (grad[net, ..., n_task:] == 0).all()


def test_confusion_matrix_counts_own_decisions():
    task = make(n_task=(2,)).tasks[0]
    targets = torch.tensor([[[1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]])  # the third task is padding
    logits = torch.zeros(1, 2, 22, 3)
    logits[0, 0, -1] = torch.tensor([2.0, 3.0, 9.0])
    logits[0, 1, -1] = torch.tensor([-1.0, 1.0, 9.0])
    expected = torch.tensor([[[0.0, 0.25], [0.25, 0.5]]])  # rows true -, +; columns chosen -, +
    assert torch.equal(train.confusion(logits, targets, task), expected)


def test_a_network_trains_alone_as_among_others():
    among, alone = make(n_task=(2, 6), runs=(0, 1)), make(n_task=(6,), runs=(1,))
    position = [(c["n_task"], c["run"]) for c in among.configs].index((6, 1))
    for _ in range(60):
        among.step()
        alone.step()
    for mine, others in zip(alone.model.parameters(), among.model.parameters(), strict=True):
        others = others[position, ..., : mine.shape[-1]]
        assert torch.allclose(mine[0], others, atol=2e-5)


def test_batched_adam_equals_independent_adams():
    trainer = make(n_task=(2, 5))
    model, independent = trainer.model, []
    trained = [p for p in model.parameters() if p.requires_grad]
    for net in range(2):
        copies = [p[net].detach().clone().requires_grad_() for p in trained]
        independent.append((copies, torch.optim.Adam(copies, lr=1e-3)))
    for _ in range(20):
        inputs, targets = next(trainer.data)
        loss = train.loss_of(model(inputs), targets, trainer.tasks[0], trainer.weights)
        trainer.optimizer.zero_grad()
        loss.sum().backward()
        for net, (copies, adam) in enumerate(independent):
            for own, p in zip(copies, trained, strict=True):
                own.grad = p.grad[net].clone()
            adam.step()
        trainer.optimizer.step()
    for net, (copies, _) in enumerate(independent):
        for own, p in zip(copies, trained, strict=True):
            assert torch.allclose(own, p[net], atol=1e-6)


def test_seeds_depend_on_the_network_alone():
    assert util.seeds_for(0, 1, 6, 2) == util.seeds_for(0, 1, 6, 2)
    everyone = [util.seeds_for(s, r, n, 2) for s in (0, 1) for r in (0, 1) for n in (2, 3)]
    numbers = [number for seeds in everyone for number in seeds.values()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("kept", [[1, 3], [0, 1]])  # with and without the widest
def test_keeping_some_networks_changes_nothing_for_them(kept):
    all_of_them, fewer = make(n_task=(2, 5), runs=(0, 1)), make(n_task=(2, 5), runs=(0, 1))
    for _ in range(5):
        all_of_them.step()
        fewer.step()
    fewer.keep(kept)
    for _ in range(fewer.data.BLOCK + 1):  # a new block of trials is drawn on the way
        all_of_them.step()
        fewer.step()
    for whole, part in zip(all_of_them.model.parameters(), fewer.model.parameters(), strict=True):
        assert torch.allclose(whole[kept][..., : part.shape[-1]], part, atol=2e-5)


def test_checkpoint_round_trip(tmp_path):
    trainer = make(n_task=(2, 5))
    paths = []
    for net, config in enumerate(trainer.configs):
        paths.append(tmp_path / f"{net}.pth")
        util.save_torch(paths[-1], checkpoint(trainer.model, net, config, [], []))
    model, configs = load_ensemble(paths)
    assert configs == trainer.configs
    inputs, _ = next(trainer.data)
    assert torch.equal(model(inputs), trainer.model(inputs))
    assert isinstance(model, Model)
