"""The ways in which PyTorch is run, named DTYPE-HOW. What a HOW leaves away or adds stands in compose_torch.py and pair_torch.py.

  f32       frozen weights and new parameters widened to f32
  bf16      frozen weights as they are stored, new parameters rounded to bf16: what runs fastest and holds least
  mixed     frozen weights as they are stored, new parameters in f32, under torch.autocast

  written   what one would write at first
  tuned     what pays without leaving PyTorch's own modules
  packed    tuned, with every matrix product through oneDNN on packed weights (onednn.py)
  compiled  packed, through torch.compile; needs a C++ compiler"""
import argparse

DTYPES = {"f32": "float32", "bf16": "bfloat16", "mixed": "bfloat16"}
HOWS = ("written", "tuned", "packed", "compiled")
WAYS = tuple(f"{d}-{h}" for d in DTYPES for h in HOWS)
DEFAULT = ("f32-written", "f32-tuned", "f32-packed", "bf16-written", "bf16-tuned", "bf16-packed", "bf16-compiled")
# How far a loss may be from calm's, relative: before any step, and after some, where what was rounded goes on in the parameters. bf16 has 8
# significant bits, so the first is one unit in the last place of the loss itself.
TOLERANCE = {"f32": (1e-4, 2e-4), "bf16": (2.0 ** -8, 1e-2), "mixed": (2.0 ** -8, 1e-2)}


class Way:
    def __init__(self, name):
        self.name = name
        self.dtype, how = name.split("-")
        self.tuned, self.packed, self.compiled = how != "written", how in ("packed", "compiled"), how == "compiled"
        self.title = f"PyTorch {how}"

    def weights(self):
        """The dtype of the frozen weights, as transformers takes it."""
        return DTYPES[self.dtype]


def chosen(text):
    """The ways that an option names."""
    names = text.split(",")
    wrong = [n for n in names if n not in WAYS]
    if wrong: raise argparse.ArgumentTypeError(f"no way '{wrong[0]}'; there are: {', '.join(WAYS)}")
    return [Way(n) for n in dict.fromkeys(names)]
