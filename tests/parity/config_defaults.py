#!/usr/bin/env python3
"""What a config.json leaves out, or says null of, means what transformers takes it for.

    config_defaults.py CALMC [FAMILY …]      CALMC: build/calmc; FAMILY: as in families/, all without one

Of every checkpoint of families/ one key after another is left out, then null, then left out of what RoPE is given: the graph that calmc makes must be that
of a file in which transformers' own value of the key is written out, or the file must be refused where that one is. Where transformers takes no such file,
or writes the key of no config (the old spellings of RoPE), nothing is compared. Shapes (hidden_size, …) are the weights': a default that does not fit them is refused either way.
"""
import copy, json, logging, os, shutil, subprocess, sys, tempfile
from transformers import AutoConfig

logging.disable(logging.CRITICAL)
families = os.path.join(os.path.dirname(os.path.abspath(__file__)), "families")
calmc = os.path.abspath(sys.argv[1])
NAMES = ("architectures", "model_type", "transformers_version", "dtype", "torch_dtype")


def graph(source, config):
    """calmc's graph of the weights in source under another config.json; None where it is refused."""
    with tempfile.TemporaryDirectory() as d:
        os.mkdir(d + "/m")
        for f in os.listdir(source):
            if f != "config.json": os.symlink(os.path.join(source, f), f"{d}/m/{f}")
        json.dump(config, open(d + "/m/config.json", "w"))
        open(d + "/s.calm", "w").write('anchor base = "m"\n')
        r = subprocess.run([calmc, "build", "--emit=graph", "s.calm"], cwd=d, capture_output=True, text=True)
        return r.stdout if r.returncode == 0 else None


def taken(config):
    """What transformers makes of a config.json; None where it takes none."""
    config = copy.deepcopy(config)
    try: return AutoConfig.for_model(config.pop("model_type"), **config).to_dict()
    except Exception: return None


def changed(config):
    """(what was changed, the config.json, the key, or whose value says what it comes to)"""
    for key in sorted(set(config) - set(NAMES)):
        less = {k: v for k, v in config.items() if k != key}
        yield f"{key} left out", less, key
        if config[key] is not None: yield f"{key} null", {**less, key: None}, key
    for rope in ("rope_parameters", "rope_scaling"):
        for part in [config.get(rope) or {}] + [v for v in (config.get(rope) or {}).values() if isinstance(v, dict)]:
            for key in [k for k, v in part.items() if not isinstance(v, dict)]:
                kept = part.pop(key)
                yield f"{key} left out of {rope}", copy.deepcopy(config), "rope_parameters"
                part[key] = kept


def main():
    compared = wrong = 0
    for name in sorted(n for n in os.listdir(families) if os.path.isdir(os.path.join(families, n)) and (not sys.argv[2:] or n in sys.argv[2:])):
        source = os.path.join(families, name)
        for what, config, key in changed(json.load(open(os.path.join(source, "config.json")))):
            whole = taken(config)
            if whole is None or key not in whole: continue
            said = {k: v for k, v in config.items() if key != "rope_parameters" or k not in ("rope_scaling", "rope_theta", "rope_local_base_freq")}
            want, got = graph(source, {**said, key: whole[key]}), graph(source, config)
            compared += 1
            if got != want and got is not None:
                wrong += 1
                print(f"{name}: {what}: not as with {key} = {json.dumps(whole[key])}")
            elif got != want: print(f"{name}: {what}: refused, where transformers takes {json.dumps(whole[key])[:80]}")
    print(compared, "compared,", wrong, "wrong")
    sys.exit(wrong > 0)


main()
