"""The GPT-2 block stack on continuous inputs, many networks side by side.

Weights and results are those of Hugging Face's GPT2Model on `inputs_embeds`. Inputs are independent
in time, so there is no positional embedding: the table is zero and frozen.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from RNN import Network, net_blocks
from util import UserError


class GPT2(Network):
    """Input projection, GPT-2 blocks, final LayerNorm; its output is the representation.

    `n_neu` is the width of the residual stream, a multiple of `n_head`. While training a share
    `dropout` of the embedding, attention and residual is left out.
    """

    SETTINGS = ("n_neu", "n_layer", "n_head", "dropout")
    UNUSED = r"transformer\.(wte|wpe)\.weight|.*\.attn\.(masked_)?bias"  # embeddings, causal masks
    LAYERS = {  # of a block: key in a file, widths in and out in units
        "attn": ("attn.c_attn", 1, 3),
        "attn_out": ("attn.c_proj", 1, 1),
        "mlp": ("mlp.c_fc", 1, 4),
        "mlp_out": ("mlp.c_proj", 4, 1),
    }
    N_POSITION = 22  # rows of the table of zeros in a file; the network itself takes any length
    SD = 0.02  # of initial weights

    def __init__(self, n_net, n_in, n_neu, n_layer=1, n_head=8, dropout=0.1):
        super().__init__(n_net, n_neu)
        if n_neu % n_head:
            raise UserError(f"n_head = {n_head} does not divide n_neu = {n_neu}")
        self.n_layer, self.n_head, self.dropout = n_layer, n_head, dropout
        self.add_linear("project", n_in, n_neu, "input_projection.{}")
        for layer in range(n_layer):
            name, file = f"h{layer}", f"transformer.h.{layer}"
            for part, (key, wide_in, wide_out) in self.LAYERS.items():
                widths = wide_in * n_neu, wide_out * n_neu
                self.add_linear(f"{name}_{part}", *widths, f"{file}.{key}.{{}}")
            for number in (1, 2):
                self.add_norm(f"{name}_ln{number}", f"{file}.ln_{number}")
        self.add_norm("ln_f", "transformer.ln_f")

    def add_norm(self, name: str, key: str) -> None:
        """Add scale and bias of a LayerNorm, which files call weight and bias."""
        self.add_vector(f"{name}_scale", self.n_neu, f"{key}.weight")
        self.add_vector(f"{name}_bias", self.n_neu, f"{key}.bias")

    @torch.no_grad()
    def draw(self, net, rng):
        """GPT-2's initialisation; the input projection is an nn.Linear and GPT-2 draws it alike."""
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                sd = self.SD / math.sqrt(2 * self.n_layer) if "_out_" in name else self.SD
                parameter[net].normal_(0, sd, generator=rng)
            else:
                parameter[net].fill_(name.endswith("scale"))

    def as_in_file(self, name, net):
        """As `Ensemble.as_in_file`; GPT-2 keeps the weights of its blocks (in, out), as here."""
        value = super().as_in_file(name, net)
        return value.T if name.startswith("h") and name.endswith("weight") else value

    def to_file(self, net):
        """As `Ensemble.to_file`, with the embeddings that GPT2Model has and nothing uses."""
        tokens, positions = torch.zeros(1, self.n_neu), torch.zeros(self.N_POSITION, self.n_neu)
        tables = {"transformer.wte.weight": tokens, "transformer.wpe.weight": positions}
        return {**tables, **super().to_file(net)}

    def from_file(self, net, state):
        """As `Ensemble.from_file`; a positional table that is not zero raises UserError too."""
        super().from_file(net, state)
        positions = state.get("transformer.wpe.weight")
        if not isinstance(positions, Tensor) or positions.any():
            raise UserError("tensor transformer.wpe.weight, the positional table, is not zero")

    def draw_noise(self, n_trial, n_time, generators):
        """Dropout masks while training: 0, or 1 over the share that is kept, as for `forward`."""
        if not self.training or self.dropout == 0:
            return {}
        stream, n_layer = (n_trial, n_time, self.n_neu), self.n_layer
        shapes = {
            "input_mask": stream,
            "attention_mask": (n_layer, n_trial, self.n_head, n_time, n_time),
            "residual_mask": (2 * n_layer, *stream),
        }
        return {name: dropout_mask(s, self.dropout, generators) for name, s in shapes.items()}

    def forward(
        self,
        inputs,
        input_mask=None,
        attention_mask=None,
        residual_mask=None,
        end=False,
        seen=None,
        change=None,
    ):
        """Representation (net, trial, time, unit) for inputs (net, trial, time, channel).

        Args:
            input_mask: (net, trial, time, unit), dropout; None: no dropout, as the others.
            attention_mask: (net, layer, trial, head, time, time).
            residual_mask: (net, 2 layer, trial, time, unit).
            end: give the last step alone; not with masks.
            seen: list that every block adds its queries, keys and values to, see `attend`.
            change: gets the residual stream (net, trial, time, unit) between attention and
                perceptron of the top block, and gives what takes its place.
        """
        x, masks = self.linear("project", inputs), iter(())
        if input_mask is not None:
            x, masks = x * input_mask, iter(residual_mask.unbind(1))
        for layer in range(self.n_layer):
            at_end = end and layer == self.n_layer - 1
            mask = None if attention_mask is None else attention_mask[:, layer]
            attended = self.attend(layer, self.norm(f"h{layer}_ln1", x), mask, at_end, seen)
            x = x[:, :, -1:] if at_end else x
            x = residual(x, self.linear(f"h{layer}_attn_out", attended), next(masks, None))
            x = change(x) if change and layer == self.n_layer - 1 else x
            x = residual(x, self.mlp(layer, self.norm(f"h{layer}_ln2", x)), next(masks, None))
        return self.norm("ln_f", x)

    def last(self, inputs):
        """As `Network.last`; the top block then works for one step only."""
        return self(inputs, end=True)[:, :, 0]

    def attention(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Values and weights of the blocks' attention, without dropout.

        Returns:
            values (net, layer, trial, head, time, channel of the head), weights (net, layer, trial,
            head, time, time), the step that asks first; its weights add up to 1.
        """
        seen: list[tuple[Tensor, Tensor, Tensor]] = []
        self(inputs, seen=seen)
        shape = len(inputs), -1
        values = [v.unflatten(0, shape) for _, _, v in seen]
        weights = [self.weights(q, k).unflatten(0, shape) for q, k, _ in seen]
        return torch.stack(values, 1), torch.stack(weights, 1)

    def linear(self, name: str, x: Tensor) -> Tensor:
        """x W + b for x (net, trial, time, in)."""
        weight, bias = (self.get_parameter(f"{name}_{part}") for part in ("weight", "bias"))
        return torch.baddbmm(bias, x.flatten(1, 2), weight).unflatten(1, x.shape[1:3])

    def mlp(self, layer: int, x: Tensor) -> Tensor:
        """The multi-layer perceptron of one block, (net, trial, time, unit)."""
        names = ("mlp_weight", "mlp_bias", "mlp_out_weight", "mlp_out_bias")
        parameters = [self.get_parameter(f"h{layer}_{name}") for name in names]
        return Perceptron.apply(x.flatten(1, 2), *parameters).view(x.shape)

    def norm(self, name: str, x: Tensor) -> Tensor:
        """LayerNorm with each network's own scale and bias."""
        scale, bias = self.get_parameter(f"{name}_scale"), self.get_parameter(f"{name}_bias")
        return torch.addcmul(bias[:, None], F.layer_norm(x, x.shape[-1:]), scale[:, None])

    def attend(self, layer, x, mask, at_end, seen):
        """Causal self-attention of one block, (net, trial, time, unit), before its projection.

        Queries, keys, values are (net * trial, head, time, channel). `at_end`: the last alone asks.
        """
        qkv = self.linear(f"h{layer}_attn", x).flatten(0, 1).unflatten(-1, (3, self.n_head, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
        if seen is not None:
            seen.append((q, k, v))
        if mask is not None:
            attended = (self.weights(q, k) * mask.flatten(0, 1)) @ v
        else:
            q = q[:, :, -1:] if at_end else q
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=not at_end)
        return attended.transpose(1, 2).reshape(*x.shape[:2], -1, x.shape[-1])

    @staticmethod
    def weights(q: Tensor, k: Tensor) -> Tensor:
        """Causal attention weights (net * trial, head, time, time)."""
        n_time, width = q.shape[-2:]
        later = q.new_full((n_time, n_time), -math.inf).triu(1)
        each_q, each_k = q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2)
        scores = torch.baddbmm(later, each_q, each_k, alpha=1 / math.sqrt(width))
        return scores.softmax(-1).unflatten(0, q.shape[:2])


class Perceptron(torch.autograd.Function):
    """gelu(x W + b) V + c, with its gradient, a few networks at a time, which stay in the cache.

    GPT-2's gelu is h s, s = sigmoid(2 sqrt(2 / pi) (h + 0.044715 h^3)). It is written out because
    the tanh in PyTorch's own is slow on a CPU.
    """

    LINEAR = 2 * math.sqrt(2 / math.pi)
    CUBIC = LINEAR * 0.044715

    @staticmethod
    def forward(ctx, x, w, b, v, c):
        """x (net, row, unit), w (net, unit, hidden), v (net, hidden, unit) -> (net, row, unit)."""
        h = x.new_empty(*x.shape[:2], w.shape[-1])
        s, out = torch.empty_like(h), torch.empty_like(x)
        linear = x.new_full((), Perceptron.LINEAR)
        blocks = net_blocks(h, at_least=2)
        buffer = torch.empty_like(h[blocks[0]])
        for nets in blocks:
            h_now, s_now = h[nets], s[nets]
            gelu = buffer[: len(h_now)]
            torch.baddbmm(b[nets], x[nets], w[nets], out=h_now)
            torch.addcmul(linear, h_now, h_now, value=Perceptron.CUBIC, out=s_now)
            torch.mul(s_now.mul_(h_now).sigmoid_(), h_now, out=gelu)
            torch.baddbmm(c[nets], gelu, v[nets], out=out[nets])
        ctx.save_for_backward(x, w, v, h, s)
        return out

    @staticmethod
    def backward(ctx, grad):
        """`error` is the loss's gradient at the output of gelu first, then at h."""
        x, w, v, h, s = ctx.saved_tensors
        grad_x, grad_w, grad_v = (torch.empty_like(each) for each in (x, w, v))
        grad_b = h.new_empty(len(h), 1, h.shape[-1])
        linear = x.new_full((), Perceptron.LINEAR)
        blocks = net_blocks(h, at_least=2)
        buffers = h.new_empty(3, *h[blocks[0]].shape)
        for nets in blocks:
            h_now, s_now, g = h[nets], s[nets], grad[nets]
            gelu, error, inner = buffers[:, : len(g)]
            torch.mul(h_now, s_now, out=gelu)
            torch.bmm(gelu.transpose(1, 2), g, out=grad_v[nets])
            torch.bmm(g, v[nets].transpose(1, 2), out=error)
            slope = gelu.mul_(error)  # h s (1 - s), the slope of s times h, with the error
            slope.addcmul_(slope, s_now, value=-1)
            torch.addcmul(linear, h_now, h_now, value=3 * Perceptron.CUBIC, out=inner)
            error.mul_(s_now).addcmul_(slope, inner)
            torch.bmm(x[nets].transpose(1, 2), error, out=grad_w[nets])
            torch.bmm(error, w[nets].transpose(1, 2), out=grad_x[nets])
            torch.sum(error, 1, keepdim=True, out=grad_b[nets])
        return grad_x, grad_w, grad_b, grad_v, grad.sum(1, keepdim=True)


def residual(x: Tensor, change: Tensor, mask: Tensor | None) -> Tensor:
    """x + change, the change times a dropout mask, if there is one."""
    return x + change if mask is None else torch.addcmul(x, change, mask)


def dropout_mask(shape: Sequence[int], share: float, generators: Sequence[Generator]) -> Tensor:
    """(net, *shape): 0 with probability `share`, else 1 / (1 - share); one generator per network.

    `share` is rounded to 1 / 65536: sixteen random bits a number, four from each draw of the
    generator, which is what takes time.
    """
    n, device = math.prod(shape), generators[0].device
    n_dropped = min(round(share * 2**16), 2**16 - 1)
    kept = torch.empty(len(generators), n, device=device)
    blocks = net_blocks(kept, at_least=1)
    bits = torch.empty(blocks[0].stop, (n + 3) // 4, dtype=torch.int64, device=device)
    numbers = bits.view(torch.int16)[:, :n]
    for nets in blocks:
        for own, rng in zip(bits, generators[nets], strict=False):
            own.random_(-(2**63), None, generator=rng)
        block = torch.ge(numbers[: len(kept[nets])], n_dropped - 2**15, out=kept[nets])
        block.mul_(1 / (1 - n_dropped / 2**16))
    return kept.view(-1, *shape)
