"""Matrix products of frozen and of trained weights through oneDNN, the frozen ones packed beforehand, both ways. torch.nn.Linear packs a bf16 weight anew
in every call; in f32 it is MKL, which is slow on AMD processors. The products are operators of torch's own kind, so that torch.compile takes them as
they are: what oneDNN packed it cannot trace through, so operators name a packed weight by its number."""
import torch, torch.nn as nn

onednn = torch.ops.mkldnn
ROWS = 1024                      # that packing reckons with; other numbers of rows work as well
PACKED = []


def pack_weight(w):
    """The number of w [o, i], packed."""
    PACKED.append(onednn._reorder_linear_weight(w.detach().contiguous(), ROWS))
    return len(PACKED) - 1


def product(x, w): return onednn._linear_pointwise(x, w, None, "none", [], "")


@torch.library.custom_op("calm_bench::frozen", mutates_args=())
def frozen(x: torch.Tensor, w: int, wt: int, n: int) -> torch.Tensor:
    """x [t, i] times the packed w [n, i] transposed; wt is w transposed, packed, for the gradient (or -1)."""
    return product(x, PACKED[w])


@frozen.register_fake
def _(x, w, wt, n): return x.new_empty(x.shape[0], n)


@torch.library.custom_op("calm_bench::live", mutates_args=())
def live(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor: return product(x, w)


@live.register_fake
def _(x, w): return x.new_empty(x.shape[0], w.shape[0])


def keep_frozen(ctx, inputs, output):
    x, ctx.w, ctx.wt, _ = inputs
    ctx.i = x.shape[1]


def keep_live(ctx, inputs, output): ctx.save_for_backward(*inputs)


def back_live(ctx, g):
    x, w = ctx.saved_tensors
    g = g.contiguous()
    return live(g, w.t().contiguous()) if ctx.needs_input_grad[0] else None, live(g.t().contiguous(), x.t().contiguous())


frozen.register_autograd(lambda ctx, g: (frozen(g.contiguous(), ctx.wt, ctx.w, ctx.i), None, None, None), setup_context=keep_frozen)
live.register_autograd(back_live, setup_context=keep_live)


def flat(f, x, *w):
    y = f(x.reshape(-1, x.shape[-1]).contiguous(), *w)
    return y.view(*x.shape[:-1], y.shape[-1])


class FrozenLinear(nn.Module):
    """A frozen nn.Linear; with gradients it keeps its transpose packed too."""
    def __init__(self, lin, gradients):
        super().__init__()
        self.n, self.w, self.wt = lin.weight.shape[0], pack_weight(lin.weight), pack_weight(lin.weight.t()) if gradients else -1

    def forward(self, x): return flat(frozen, x, self.w, self.wt, self.n)


class LiveLinear(nn.Linear):
    def forward(self, x): return flat(live, x, self.weight.to(x.dtype))


def pack(module, gradients):
    """Every nn.Linear below a frozen module."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear): setattr(module, name, FrozenLinear(child, gradients))
        else: pack(child, gradients)
