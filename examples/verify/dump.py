"""dump.py MODEL OUT.safetensors [TEXT]: what a Hugging Face causal language model computes, for `calmc verify MODEL --ref OUT.safetensors`.
MODEL: a directory (or anything from_pretrained takes). TEXT: "-" and ids ("- 5 17 3") where there is no tokenizer."""
import sys
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

name, out = sys.argv[1:3]
words = sys.argv[3:] or ["The quick brown fox jumps over the lazy dog."]
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, attn_implementation="eager").eval()
ids = [int(w) for w in words[1:]] if words[0] == "-" else AutoTokenizer.from_pretrained(name)(" ".join(words)).input_ids
ids = torch.tensor([ids])
blocks = next(m for n, m in model.named_modules() if isinstance(m, torch.nn.ModuleList) and len(m) == model.config.get_text_config().num_hidden_layers)
states, dump = [], {"input_ids": ids}


def before_first(module, args, kwargs):      # the gradient starts at the embedding output
    x = (args[0] if args else kwargs["hidden_states"]).detach().requires_grad_()
    states.append(x)
    return ((x, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": x})


blocks[0].register_forward_pre_hook(before_first, with_kwargs=True)
for block in blocks: block.register_forward_hook(lambda m, i, o: states.append(o[0] if isinstance(o, tuple) else o))
result = model(ids, labels=ids, use_cache=False)
result.loss.backward()
for k, x in enumerate(states): dump[f"hidden.{k}"] = x.detach()
dump["logits"], dump["grad.hidden.0"] = result.logits.detach(), states[0].grad
save_file({k: v.contiguous().clone() for k, v in dump.items()}, out)
