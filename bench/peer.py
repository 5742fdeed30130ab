"""A PyTorch peer's process: steps of training timed one by one, or why this way cannot be run on this machine. Answers with one JSON line."""
import json, os, shutil, time
import torch


def answer(**what): print(json.dumps(dict(what, torch=torch.__version__)), flush=True)


def cannot(way):
    """Why a way does not run here at all; None where it does."""
    if way.packed and way.weights() == "bfloat16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported(): return "oneDNN has no bf16 for this processor"
    if way.compiled and not shutil.which(os.environ.get("CXX", "g++")): return "torch.compile needs a C++ compiler (g++)"
    return None


class Trainer:
    """log: of every step its loss, real tokens, seconds, and processor seconds of all threads."""
    def __init__(self, model, optimizer, way, limit, clip=0):
        self.model, self.forward = model, torch.compile(model, dynamic=True) if way.compiled else model
        self.parameters, self.optimizer, self.clip, self.log = list(model.cross.parameters()), optimizer, clip, []
        self.autocast, self.until = way.dtype == "mixed", time.perf_counter() + limit

    def loss(self, forward, batch):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast): return forward(*batch)

    def rehearse(self, batches):
        """Forward and backward of every batch, nothing trained: what is compiled anew for a batch of another kind is compiled now. Returns seconds."""
        start = time.perf_counter()
        for b in batches: self.loss(self.forward, b).backward()
        return time.perf_counter() - start

    def step(self, batch, tokens):
        """False: the limit has passed."""
        start, cpu = time.perf_counter(), time.process_time()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.forward, batch)
        loss.backward()
        if self.clip: torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        loss = loss.item()
        end = time.perf_counter()
        self.log.append(dict(loss=loss, tokens=tokens, seconds=end - start, cpu=time.process_time() - cpu))
        return end < self.until
