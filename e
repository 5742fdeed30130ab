lora, seed 1: /tmp/r18/code/results/lora-1.json is there
drew /tmp/r18/code/page.html
