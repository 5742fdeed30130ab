#!/bin/sh
# Families of the library that between them use every function of the language, compiled, on small random checkpoints
# (tests/parity/make_family_fixtures.py): hidden states after every block, logits and the gradient by the embedding output against transformers; then
# options that are not in the checkpoints' config.json, which must be seen; then keys and values that are not understood, which must be refused by
# name. All families, and every option that their config.json holds: tests/unit/test_families.c.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/families/." .
# run DIR OUT [OPTION…]: builds a spec of DIR alone and scores rows.jsonl
run() {
  model=$1 out=$2; shift 2
  echo "anchor base = \"$model\"" >spec.calm
  build spec.calm -o app
  ./app score --precision f32 --data rows.jsonl --out "$out" "$@" 2>/dev/null || fail "score of $model"
}
same() {
  "$STCMP" "$1" "$2" --key '*.hidden.base.*' --tol 1e-4 || fail "$3: hidden states"
  "$STCMP" "$1" "$2" --key '*.logits' --tol 1e-4 || fail "$3: logits"
  "$STCMP" "$1" "$2" --key '*.grad.hidden.base.0' --tol 1e-4 || fail "$3: gradient by the embedding output"
}
# The same in bf16, of the program that run made: as near as transformers' own bf16 is to its f32 on these checkpoints (logits: 0.8 to 3.0 %), gradients half as near; cached stepping gives
# the very same logits, and so does the emulation where there is the instruction. Numbers of F16 are no bf16.
twin() {
  if grep -aq '"F16"' "$model/model.safetensors"; then
    expect 1 "model base's weights are stored in F16" ./app score --precision bf16 --data rows.jsonl --out never.safetensors
    return
  fi
  ./app score --precision bf16 --data rows.jsonl --out twin.safetensors --grads --hidden $layers 2>/dev/null || fail "score of $model in bf16"
  "$STCMP" twin.safetensors "$model.golden.safetensors" --key '?.hidden.base.*' --tol 4e-2 || fail "$model in bf16: hidden states"
  "$STCMP" twin.safetensors "$model.golden.safetensors" --key '*.logits' --tol 4e-2 || fail "$model in bf16: logits"
  "$STCMP" twin.safetensors "$model.golden.safetensors" --key '*.grad.hidden.base.0' --tol 8e-2 || fail "$model in bf16: gradient by the embedding output"
  "$STCMP" twin.safetensors got.safetensors --key '*.logits' --differ 1e-4 >/dev/null || fail "$model: bf16 is f32"
  ./app score --precision bf16 --data rows.jsonl --out chunks.safetensors --chunk 1,4,2 2>/dev/null
  "$STCMP" chunks.safetensors twin.safetensors --key '*.logits' --exact || fail "$model in bf16: cached stepping"
  [ ! -e "$model.twin" ] || "$STCMP" twin.safetensors "$model.twin" --exact || fail "$model in bf16: $isa gives other bits"
  mv twin.safetensors "$model.twin"
}
echo 'anchor base = "gpt2_b"' >spec.calm
only= build spec.calm -o app
paths=
for isa in avx512 avx2; do
  if CALM_ISA=$isa ./app info >/dev/null 2>&1; then paths="$paths $isa"; else echo "this machine has no $isa"; fi
done
for model in apertus_a bloom_b gemma2_a gemma3_a gpt2_a gpt_oss_moe_a gptj_a opt_b qwen3_a qwen3_b qwen3_moe_a; do
  layers=base.0,base.1
  ! grep -q '"\(num_hidden_layers\|n_layer\)": [23]' $model/config.json || layers=$layers,base.2
  ! grep -q '"\(num_hidden_layers\|n_layer\)": 3' $model/config.json || layers=$layers,base.3
  for isa in $paths; do
    export CALM_ISA=$isa
    run $model got.safetensors --grads --hidden $layers
    echo "$model $isa"
    same got.safetensors $model.golden.safetensors "$model on $isa"
    if ./app info --precision bf16 >said 2>&1 || grep -q 'stored in F16' said; then twin; else echo "$isa has no bf16 here"; fi
  done
  unset CALM_ISA
  # cached stepping gives the very same logits
  ./app score --precision f32 --data rows.jsonl --out chunks.safetensors --chunk 1,4,2 2>/dev/null
  "$STCMP" chunks.safetensors got.safetensors --key '*.logits' --exact || fail "$model: cached stepping"
done

# change DIR SED-EXPRESSION: one changed option; a hundred times the tolerance must break
change() {
  rm -rf m; cp -r "$1" m
  tr -d '\n' <"$1/config.json" | sed 's/  */ /g' >m/config.json
  cp m/config.json before.json
  sed -i "$2" m/config.json
  ! cmp -s before.json m/config.json || fail "the change '$2' changes nothing in $1"
}
mutate() {
  change "$1" "$2"
  run m m.safetensors
  "$STCMP" m.safetensors "$1.golden.safetensors" --key '*.logits' --differ 1e-2 >/dev/null || fail "nobody sees the change '$2' of $1"
}
for s in 's/"factor": 4.0/"factor": 4.0, "attention_factor": 1.5/' 's/"beta_fast": 2.0/"beta_fast": 1.0/' 's/"beta_fast": 2.0/"beta_fast": 2.0, "truncate": false/'; do
  mutate qwen3_a "$s"
done
# the two GELUs differ by 5e-4 at most, which this checkpoint magnifies
mutate gpt2_c 's/"gelu"/"gelu_new"/'
echo "every change seen"

# the same text model inside another one's configuration
change gemma3_b 's/.*/{"architectures": ["Gemma3ForConditionalGeneration"], "vision_config": {"hidden_size": 8}, "text_config": &}/'
run m m.safetensors --grads --hidden base.0,base.1,base.2,base.3
same m.safetensors gemma3_b.golden.safetensors "nested text_config"

# both spellings in one file: the old one goes first, and its keys are read where they stand
agree() {      # agree DIR SED SED: the two changes mean the same
  change "$1" "$2"
  run m one.safetensors
  change "$1" "$3"
  run m two.safetensors
  "$STCMP" one.safetensors two.safetensors --key '*.logits' --exact || fail "'$2' and '$3' of $1 differ"
}
agree qwen3_b 's/"rope_theta": 100.0/"rope_theta": 100.0, "rope_parameters": { "rope_type": "default", "rope_theta": 9.0 }/' 's/"use_cache": true/"use_cache": false/'
agree gemma3_b 's/"factor": 2.0/"factor": 2.0, "rope_theta": 77.0/' 's/"rope_theta": 300.0/"rope_theta": 77.0/'
# what transformers takes where a config.json is silent, said: the same graph
alike() {      # alike DIR SED SED
  echo 'anchor base = "m"' >spec.calm
  change "$1" "$2"
  "$CALMC" build --emit=graph spec.calm >one.graph || fail "'$2' of $1"
  change "$1" "$3"
  "$CALMC" build --emit=graph spec.calm >two.graph || fail "'$3' of $1"
  cmp one.graph two.graph || fail "'$2' and '$3' of $1 differ"
}
rope='"rope_parameters": {[^}]*}' yarn='"rope_parameters": {"rope_type": "yarn", "beta_fast": 32.0, "beta_slow": 1.0, "original_max_position_embeddings"'
alike gpt_oss_moe_a "s/ $rope,//" "s/$rope/$yarn: 4096, \"factor\": 32.0, \"truncate\": false}/"
alike ministral3_a "s/ $rope,//" "s/$rope/$yarn: 16384, \"rope_theta\": 1e6, \"factor\": 16.0, \"mscale\": 1.0, \"mscale_all_dim\": 1.0, \"llama_4_scaling_beta\": 0.1}/"
alike apertus_a "s/ $rope,//" "s/$rope/\"rope_parameters\": {\"rope_type\": \"llama3\", \"rope_theta\": 1.2e7, \"factor\": 8.0, \"original_max_position_embeddings\": 8192, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0}/"
alike gemma2_a 's/ "attn_logit_softcapping": [0-9.]*,//; s/ "final_logit_softcapping": [0-9.]*,//' 's/"attn_logit_softcapping": [0-9.]*/"attn_logit_softcapping": 50/; s/"final_logit_softcapping": [0-9.]*/"final_logit_softcapping": 30/'
alike phi3_b 's/ "original_max_position_embeddings": 32, "pad/ "pad/' 's/"original_max_position_embeddings": 32, "pad/"original_max_position_embeddings": 4096, "pad/'
alike neo_a 's/ "attention_layers": \[[^]]*\],//; s/"attention_types": \[.*\] \]/"attention_types": [[["local"], 1], [["global"], 1]]/' 's/"attention_layers": \[[^]]*\]/"attention_layers": ["local", "global"]/'
alike starcoder2_a 's/ "num_key_value_heads": 2,//' 's/"use_cache": true/"use_cache": false/'
alike qwen2_moe_a 's/ "num_experts_per_tok": [0-9]*,//' 's/"num_experts_per_tok": [0-9]*/"num_experts_per_tok": 4/'
# a head of its own in the file goes before the tie, as transformers has it
for own in qwen3_b gemma3_b gpt2_b; do
  change $own 's/"tie_word_embeddings": false/"tie_word_embeddings": true/'
  run m m.safetensors
  "$STCMP" m.safetensors $own.golden.safetensors --key '*.logits' --tol 1e-4 || fail "$own: its own head and tie_word_embeddings"
done

# refuse DIR SED TEXT: exit status 1 and a message that holds TEXT
refuse() {
  change "$1" "$2"
  echo 'anchor base = "m"' >spec.calm
  expect 1 "$3" "$CALMC" build spec.calm -o app
}
refuse qwen3_a 's/"yarn"/"ntk"/' 'kind is "ntk"'
refuse qwen3_a 's/"yarn"/"ntk"/' 'rope_parameters.rope_type'
refuse qwen3_a 's/"sliding_window": 5/"sliding_window": 0/' 'a window (sliding_window) holds a token or more'
refuse gemma3_a 's/"sliding_window": 5/"sliding_window": 0/' 'sliding_window .. 4096) >= 1'
refuse gemma3_b 's/"factor": 2.0/"factor": 2.0, "sliding_attention": { "rope_theta": 5.0 }/' "config key 'rope_scaling.sliding_attention'"
refuse gemma3_b 's/"rope_local_base_freq": 30.0/"rope_local_base_freq": 30.0, "rope_parameters": { "factor": 2.0 }/' "config key 'rope_parameters.factor'"
refuse qwen3_a 's/"silu"/"geglu"/' 'act is "geglu"'
refuse qwen3_a 's/"factor": 4.0/"factor": 4.0, "mscal": 2.0/' 'rope_parameters.mscal'
refuse qwen3_a 's/"factor": 4.0/"factor": 4.0, "partial_rotary_factor": 0.5/' 'rope_parameters.partial_rotary_factor'
refuse qwen3_a 's/"attention_bias": true/"attention_bias": false/' "proj.bias' of model 'base' is not used"
refuse qwen3_b 's/"full_attention"/"chunked_attention"/' 'a kind of layer is not known'
refuse qwen3_b 's/"tie_word_embeddings": false/"tie_word_embeddings": false, "embedding_multiplier": 2/' "config key 'embedding_multiplier'"
refuse gemma3_a 's/"linear"/"ntk"/' 'kind is "ntk"'
refuse gemma3_a 's/"gelu_pytorch_tanh"/"geglu"/' 'is "geglu"'
refuse gemma3_a 's/"attn_logit_softcapping": null/"attn_logit_softcapping": 50.0/' 'attn_logit_softcapping is 50'
refuse gemma3_a 's/"use_bidirectional_attention": [a-z]*/"use_bidirectional_attention": true/' 'use_bidirectional_attention'
refuse gemma3_a 's/"factor": 3.0/"factor": 3.0, "long_factr": 4.0/' 'rope_parameters.full_attention.long_factr'
refuse qwen3_a 's/"silu"/"silu", "quantization_config": { "quant_method": "fp8" }/' 'is quantised (quantization_config of m/config.json: fp8).*dequantize'
refuse gpt2_a 's/"gelu_new"/"geglu"/' 'act is "geglu"'
refuse bloom_a 's/"pretraining_tp": 1/"pretraining_tp": 2/; s/"slow_but_exact": false/"slow_but_exact": true/' 'leaves biases out where slow_but_exact'
refuse gpt2_a 's/"add_cross_attention": false/"add_cross_attention": true/' 'add_cross_attention'
echo "every key and value that is not understood is refused"

# calmc families: the keys that each understands
expect 0 '    rope_parameters: llama_4_scaling_beta ' "$CALMC" families ministral3
expect 0 '^falcon: FalconForCausalLM' "$CALMC" families FalconForCausalLM
grep -q ' alibi ' said && ! grep -q 'rotary_emb_base' said || fail "keys of falcon: $(cat said)"
expect 1 "no family 'mystral'; did you mean 'mistral'" "$CALMC" families mystral

# a window that is left out is the family's own, null is none
change mistral_b 's/"sliding_window": null, //'
echo 'anchor base = "m"' >spec.calm
"$CALMC" build --emit=graph spec.calm | grep -q 'window=4096' || fail "Mistral without a word on its window has none"
change mistral_b 's/"use_cache": true/"use_cache": false/'
! "$CALMC" build --emit=graph spec.calm | grep -q 'window=[1-9]' || fail "Mistral's window is null, and there is one"

# longrope: one set of factors for all texts, which is said; --context chooses it and bounds what is read
echo 'anchor base = "phi3_c"' >spec.calm
expect 0 'factors for texts of more than 1 tokens' "$CALMC" build spec.calm -o app
expect 0 'factors for texts of at most 1 tokens' "$CALMC" build --isa native --context 1 spec.calm -o app
./app info | grep -q 'context 1,' || fail "--context 1: $(./app info)"
expect 0 "spec.calm:1:1: warning: model 'base' reads at most [0-9]* tokens, as .*config.json says: --context 99999999 changes" "$CALMC" build --emit=graph --context 99999999 spec.calm
expect 2 'whole number of tokens' "$CALMC" build --context 1k spec.calm -o app

# experts: frozen, also as int8, and read by products of theirs alone
cp "$root/tests/parity/families/qwen3_moe_b/config.json" qwen3_moe_b/config.json
printf 'anchor base = "qwen3_moe_b"\ntune base\n' >spec.calm
expect 1 "'model.layers.1.mlp.experts.0.gate_proj.weight' of model 'base' is one of its experts': they are not trained" "$CALMC" build spec.calm -o never
cat >spec.calm <<'END'
arch mine for "Qwen3MoeForCausalLM" like qwen3_moe {
  fn experts(m[T, D]) = linear(m, weight("mlp.experts.*.gate_proj.weight")[E, Fe, D])
}
anchor base = "qwen3_moe_b"
END
expect 1 'weights of which \* is the number are read by to_experts and from_experts only' "$CALMC" build spec.calm -o never
echo 'anchor base = "qwen3_moe_b" as int8' >spec.calm
build spec.calm -o app
./app score --precision f32 --data rows.jsonl --out int8.safetensors 2>/dev/null
"$STCMP" int8.safetensors qwen3_moe_b.golden.safetensors --key '*.logits' --tol 0.1 || fail "experts as int8"
"$STCMP" int8.safetensors qwen3_moe_b.golden.safetensors --key '*.logits' --differ 1e-3 >/dev/null || fail "experts are no int8"

# routers: of f32 whatever the precision, from weights as stored. What follows from the experts that each names and their shares has f32's bits in bf16;
# all else of the model is read, and counts nothing
cat >spec.calm <<'END'
arch routers for "Qwen3MoeForCausalLM" like qwen3_moe {
  fn experts(m[T, D]) {
    scores = router(m, "mlp.gate", E)
    chosen = largest(scores, each)
    share[T, each] = shares(scores, chosen, alone)
    return sum(pick(scores, chosen) * share) + 0 * routed(m, scores, each, alone, "mlp.experts", "gate_proj", "up_proj", "down_proj", E, Fe, act)
  }
  layers i in 0..L under "layers.{i}." (x[T, D]) {
    h = x + 0 * attend(norm(x, before), i)
    n = norm(h, between)
    return h + ((i not in plain) and E > 0 and (i + 1) % step == 0 ? experts(n) : 0 * feed(n))
  }
}
anchor base = "qwen3_moe_a"
END
build spec.calm -o app
./app score --precision f32 --data rows.jsonl --out f32.safetensors --hidden base.1,base.3 2>/dev/null
./app score --precision bf16 --data rows.jsonl --out bf16.safetensors --hidden base.1,base.3 2>/dev/null
"$STCMP" f32.safetensors bf16.safetensors --key '*.hidden.base.*' --exact || fail "bf16 changes what a router gives"
"$STCMP" f32.safetensors bf16.safetensors --key '*.logits' --differ 1e-4 >/dev/null || fail "this program's bf16 is f32"
for model in gpt_oss_moe_a granite_moe_a mixtral_moe_a olmoe_a qwen2_moe_a qwen3_moe_a; do
  echo "anchor base = \"$model\" as int8" >spec.calm
  "$CALMC" build --emit=graph spec.calm >graph || fail "graph of $model"
  awk '$3 == "weight" { w[$1] } $3 == "linear" && / exact=1 / { n++; bad += !($5 in w) } END { exit bad || n < 2 }' graph || fail "routers of $model are not all f32, of weights as stored"
done
refuse gpt_oss_moe_a 's/"silu"/"silu", "quantization_config": { "quant_method": "mxfp4" }/' 'is quantised (quantization_config of m/config.json: mxfp4).*Mxfp4Config(dequantize=True)).save_pretrained'
