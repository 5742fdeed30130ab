#!/usr/bin/env python3
"""What transformers' logits processors make of the numbers in tests/unit/test_sample.c: chances, or penalized logits."""
import torch
from transformers.generation.logits_process import (MinPLogitsWarper, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper,
                                                    TopPLogitsWarper)

logits, text = torch.tensor([[2.0, 1.5, 1.0, 0.5, 0.0, -3.0]]), torch.tensor([[0]])


def chances(*processors):
    x = logits.clone()
    for p in processors:
        x = p(text, x)
    print([round(v, 6) for v in torch.softmax(x, -1)[0].tolist()])


chances(TemperatureLogitsWarper(0.8), MinPLogitsWarper(0.25))
chances(TemperatureLogitsWarper(0.8), TopKLogitsWarper(5), TopPLogitsWarper(0.9), MinPLogitsWarper(0.1))
print(TopKLogitsWarper(2)(text, torch.tensor([[1.0, 3, 2, 2, 2, 0]])))
other = torch.tensor([[4.0, 3, -1, -2, 2.5]])
for ids, penalty in (([0], 1.5), ([0, 1], 1.5), ([0, 1], 4.0), ([0, 1, 0, 2, 0], 4.0)):
    print(RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([ids]), other))
