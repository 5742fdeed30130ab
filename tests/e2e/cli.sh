#!/bin/sh
# The command line as users call it: builds, dumps, training with resumption and interruption, parameters that belong
# elsewhere, sampling, evaluation, exit statuses, and what the finished program needs from the machine.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .

# --- building
build spec.calm -o app
build spec.calm -o again
cmp -s app again || fail "two builds of one spec differ"
# every instruction-set path, or one of them
"$CALMC" build spec.calm -o all 2>err || fail "build: $(cat err)"
"$CALMC" build spec.calm --isa avx2 -o one 2>err || fail "--isa avx2: $(cat err)"
[ "$(isas one)" = avx2 ] || fail "--isa avx2 runs: $(isas one)"
expect 1 'CALM_ISA=avx512: no such instruction-set path; this program has: avx2' env CALM_ISA=avx512 ./one info
CALM_ISA=avx2 ./all score --params theta0.safetensors --data rows.jsonl --out all.st 2>err || fail "score: $(cat err)"
./one score --params theta0.safetensors --data rows.jsonl --out one.st 2>err || fail "score: $(cat err)"
cmp all.st one.st || fail "--isa avx2 has other kernels than the path avx2 of all"
expect 1 'CALM_ISA\|no such instruction-set path' env CALM_ISA=vax "$CALMC" build spec.calm --isa native -o never
rm all one
for kind in tree graph plan llvm asm obj; do
  "$CALMC" build spec.calm --emit=$kind -o emitted.$kind 2>err || fail "--emit=$kind: $(cat err)"
  [ -s emitted.$kind ] || fail "--emit=$kind wrote nothing"
done
expect 2 'emit' "$CALMC" build spec.calm --emit=poetry
"$CALMC" build spec.calm -o again --dump=fuse >dumped 2>&1 || "$CALMC" build spec.calm -o again --dump=cse >dumped 2>&1 || fail "--dump: $(cat dumped)"
[ -s dumped ] || fail "--dump wrote nothing"
ldd app | awk '{ print $1 }' | grep -v '^linux-vdso\|^/lib.*ld-linux\|^libc\.so\|^libm\.so' >needs || true
[ ! -s needs ] || fail "the program needs $(cat needs)"

# --- deeper models have the same kernels, and a block at most eight
model() { cat >"$2" <<END
model deep = llama {
  vocab_size = 45  hidden_size = 32  intermediate_size = 48  num_hidden_layers = $1  num_attention_heads = 4  num_key_value_heads = 2
  max_position_embeddings = 64  bos_token_id = 0  eos_token_id = 1  rms_norm_eps = 1e-6  rope_theta = 1000  hidden_act = "silu"
  tie_word_embeddings = false
} tokenizer "chars.json" init { "*norm.weight" = ones  "*" = fan_in(1) }
END
}
cp "$root/tests/parity/tokenizer/synthetic/chars.json" .
model 12 twelve.calm
model 24 more.calm
for s in twelve more; do "$CALMC" build $s.calm --emit=plan -o $s.plan 2>err || fail "$s: $(cat err)"; done
kernels() { sed -n '2s/ kernels$//p' "$1"; }
[ "$(kernels twelve.plan)" -gt 10 ] || fail "no count of kernels in the plan: $(head -3 twelve.plan)"
[ "$(kernels twelve.plan)" = "$(kernels more.plan)" ] || fail "12 layers: $(kernels twelve.plan) kernels, 24: $(kernels more.plan)"
calls() { sed -n 's/^entry loss: \([0-9]*\) calls.*/\1/p' "$1"; }
per_block=$((($(calls more.plan) - $(calls twelve.plan)) / 12))
[ $per_block -ge 1 ] && [ $per_block -le 8 ] || fail "$per_block kernels forward a block"

# --- one run finds the errors of every stage
sed -e 's/base\[2, 4\]/base[2, 99]/' -e 's/cross_attention/cross_attentoin/' -e 's/steps = 10/steps = "ten"/' spec.calm >wrong.calm
cp -r base lacks && sed -i '/"num_attention_heads"/d' lacks/config.json && sed -i 's/= "base"/= "lacks"/' wrong.calm
expect 1 '^4 errors$' "$CALMC" build wrong.calm -o never
for text in 'no op is called' 'num_attention_heads' 'no layer 99' 'steps: expected'; do grep -q "$text" said || fail "no '$text' among: $(cat said)"; done
rm -r wrong.calm lacks

# --- a path that is no UTF-8 cannot be held by a program; the spec's own name may be anything
odd=$(printf 'caf\351')
mkdir "$odd" && cp -r base aug spec.calm "$odd"
expect 1 'no UTF-8' "$CALMC" build "$odd/spec.calm" -o never
cp spec.calm "$odd.calm"
build "$odd.calm" -o odd
./odd info >info || fail "info of a spec with an odd name"
rm -r "$odd" "$odd.calm" odd

# --- info
./app info >info 2>&1 || fail "info: $(cat info)"
for word in base aug wq; do grep -q "$word" info || ./app info --json | grep -q "$word" || fail "info without $word"; done
./app info --json | grep -q 'sha256' || fail "info --json without hashes"

# --- what is no regular file is written in place, and a full standard output is an error
mkfifo pipe
"$CALMC" build spec.calm --emit=plan >plain.plan 2>err || fail "--emit=plan: $(cat err)"
through pipe through "$CALMC" build spec.calm --emit=plan -o pipe 2>err || fail "--emit to a pipe: $(cat err)"
cmp -s through plain.plan && [ -p pipe ] || fail "a pipe was not written, but replaced"
through pipe through "$CALMC" build spec.calm $only -o pipe 2>err || fail "a program to a pipe: $(cat err)"
cmp -s through app && [ -p pipe ] || fail "a pipe was not written, but replaced by a program"
through pipe through ./app score --data rows.jsonl --out pipe 2>err || fail "score to a pipe: $(cat err)"
./app score --data rows.jsonl --out plain.st 2>err || fail "score: $(cat err)"
cmp -s through plain.st && [ -p pipe ] || fail "a pipe was not written, but replaced by a program's output"
if [ -c /dev/full ]; then
  for c in "$CALMC --help" "$CALMC build spec.calm --emit=plan" "./app --help" "./app info" "./app eval --data rows.jsonl --json"; do
    got=0
    $c >/dev/full 2>said || got=$?
    [ $got = 1 ] && grep -q 'standard output' said || fail "a full standard output: exit status $got from $c ($(cat said))"
  done
fi

# --- usage and the environment
expect 2 'usage\|commands' ./app
expect 2 'frobnicate' ./app frobnicate
expect 2 'unknown\|no such\|--frob' ./app train --frob
expect 2 'top-p: expected a number from 0 to 1, found "2"' ./app generate --prompt x --top-p 2
expect 2 '--steps: expected a whole number of 0 or more, found "1.5"' ./app train --steps 1.5
expect 1 'CALM_ISA=z80' env CALM_ISA=z80 ./app score --data rows.jsonl --out x.st
expect 1 'CALM_THREADS=none' env CALM_THREADS=none ./app score --data rows.jsonl --out x.st
./app --help >help 2>&1 || fail "--help"
for c in train eval generate score info; do grep -q "$c" help || fail "--help without $c"; done

# every flag that takes a value tells its default or says what is done without one; train's settings are this program's own
for c in train eval generate score info tokenize export verify verify-files; do
  ./app $c --help >help || fail "$c --help"
  grep -v '(default: ' help | sed -n 's/^  --\([a-z-]*\) [^ ].*/\1/p' | while read -r flag rest; do
    case $c/$flag in
      */model | generate/prompt | generate/prompt-file | generate/stop | eval/out | score/data | score/out | score/hidden | verify/ref) ;;   # nothing is done without
      *) grep -q "^  --$flag  " help || fail "$c --help tells no default of --$flag" ;;
    esac
  done
done
has_default() { ./"$1" "$2" --help | grep -q "^  --$3 .*(default: $4)\$" || fail "$1 $2 --help: not '$4' for --$3: $(./"$1" "$2" --help | grep -e "--$3 ")"; }
has_default app train steps 10
has_default app train batch 4rows
has_default app train lr 0.002
has_default app train schedule constant
has_default app train shuffle false
has_default app train data "$PWD/rows.jsonl"
has_default app train warmup 0
has_default app train eval-every 'a twentieth of the steps, 5 at least'
has_default app eval slots 128
has_default app eval tokens-cap 4096
has_default app score tokens-cap 2048
has_default app generate temperature "that of generation_config.json where it has do_sample, else 0"
has_default app verify tol 1e-3
expect 2 '--threads: expected a whole number from 1 to 1024, found "0"' ./app info --threads 0
expect 2 '--batch: expected a whole number of tokens or rows from 1 to 1000000000, as in 4096tokens or 96rows (in a spec: 96 rows), found "8samples"' ./app train --batch 8samples
expect 2 '--betas: expected two numbers from 0 to below 1, as in (0.9,0.95), found "0.9,1"' ./app train --betas 0.9,1
expect 2 '--tokens-cap: expected a whole number of tokens from 1 to 1000000000, found "0"' ./app train --tokens-cap 0
expect 2 '--slots: expected a whole number from 1 to 1000000000' ./app eval --slots 0

# --- training: what it writes, the same again, and in two parts
./app train --data rows.jsonl --steps 6 --seed 3 --out one 2>err || fail "train: $(cat err)"
for f in last/theta.safetensors last/theta.json last/optimizer.safetensors log.csv; do [ -s one/$f ] || fail "no one/$f"; done
[ "$(wc -l <one/log.csv)" = 7 ] || fail "log.csv: $(cat one/log.csv)"
said=$(sed -n 's/.*: \([0-9]*\) parameters, .*/\1/p' err) listed=$(./app info | sed -n 's/^trained: \([0-9]*\) parameters.*/\1/p')
[ -n "$said" ] && [ "$said" = "$listed" ] || fail "train speaks of $said parameters, info of $listed"
# the mean over the labelled tokens of the whole step: twice the same row, at a time or one after the other, is the row once
head -1 rows.jsonl >once.jsonl; cat once.jsonl once.jsonl >twice.jsonl
norms() { ./app train --params theta0.safetensors --steps 1 --out norms --overwrite "$@" 2>err || fail "train: $(cat err)"; sed -n 2p norms/log.csv | cut -d, -f3,5; }
{ norms --data once.jsonl --batch 1rows; norms --data twice.jsonl --batch 2rows; norms --data twice.jsonl --batch 2rows --tokens-cap 1; } >three
awk -F, 'function off(x, y) { return x > y ? x / y - 1 : y / x - 1 } NR == 1 { l = $1; n = $2 } { if (off($1, l) > 1e-5 || off($2, n) > 1e-5) bad = 1 }
  END { exit bad || NR != 3 || !(n > 0) }' three || fail "loss and norm of the gradient hang on how a step is cut: $(cat three)"
# weight gradients are the program's own: a training opens no other library
LD_DEBUG=files ./app train --data rows.jsonl --steps 6 --seed 3 --out own 2>err || fail "train: $(cat err)"
cmp -s one/last/theta.safetensors own/last/theta.safetensors || fail "the same training ends elsewhere"
grep -q 'file=libc\.so' err || fail "LD_DEBUG shows no libraries"
! grep -qi blas err || fail "a training opens a BLAS: $(grep -i blas err)"
./app train --data rows.jsonl --steps 6 --seed 3 --out two --stop-after 3 2>err || fail "train --stop-after: $(cat err)"
./app train --data rows.jsonl --steps 6 --seed 3 --out two --resume 2>err || fail "train --resume: $(cat err)"
cmp -s one/last/theta.safetensors two/last/theta.safetensors || fail "resumed training ends elsewhere"

# --- interruption saves; resuming ends where an uninterrupted run ends
./app train --data rows.jsonl --steps 100000000 --seed 3 --out cut 2>err & pid=$!
until_that $pid err [ -e cut/log.csv ]
kill -INT $pid
got=0; wait $pid || got=$?
[ $got = 130 ] && [ -s cut/last/theta.safetensors ] || fail "nothing saved at SIGINT: $got, $(cat err)"
steps=$(($(sed -n 's/^ *"step": \([0-9]*\),*$/\1/p' cut/last/theta.json) + 5))
./app train --data rows.jsonl --steps $steps --seed 3 --out cut --resume 2>err || fail "resume after SIGINT: $(cat err)"
./app train --data rows.jsonl --steps $steps --seed 3 --out whole 2>err || fail "train: $(cat err)"
cmp -s whole/last/theta.safetensors cut/last/theta.safetensors || fail "interrupted and resumed training ends elsewhere"

# --- a spec without a train block trains with defaults and flags
sed '/^train/,$d' spec.calm >bare.calm
build bare.calm -o bare
./bare train --data rows.jsonl --steps 2 2>err || fail "no train block: $(cat err)"
[ -s bare.run/last/theta.safetensors ] || fail "default output directory"
expect 1 'no training data (give --data FILE' ./bare train --steps 2 --out nowhere
has_default bare train steps 1000
has_default bare train warmup 'a tenth of the steps, at most 50'
# a line of progress every so many steps, by a flag and by the spec
./bare train --data rows.jsonl --steps 7 --eval-every 0 --log-every 3 --out lines 2>err || fail "train: $(cat err)"
[ "$(grep -o '^step [0-9]*' err | tr '\n' ' ')" = 'step 3 step 6 step 7 ' ] || fail "--log-every 3: $(cat err)"
{ cat bare.calm; echo 'train { data = "rows.jsonl"  steps = 5  log_every = 2 }'; } >every.calm
build every.calm -o every
./every train --out lines2 2>err || fail "train: $(cat err)"
[ "$(grep -o '^step [0-9]*' err | tr '\n' ' ')" = 'step 2 step 4 step 5 ' ] || fail "log_every = 2: $(cat err)"
grep -q '"log_every": 2' lines2/last/theta.json || fail "theta.json without log_every"
has_default every train log-every 2
# all settings by flags are those by the spec
./bare train --data rows.jsonl --steps 4 --batch 4rows --clip 1 --no-shuffle --lr 0.002 --betas 0.9,0.95 --weight-decay 0.1 --eps 1e-8 --schedule constant \
  --warmup 0 --params theta0.safetensors --out flags 2>err || fail "train: $(cat err)"
./app train --steps 4 --params theta0.safetensors --out block 2>err || fail "train: $(cat err)"
cmp -s flags/last/theta.safetensors block/last/theta.safetensors || fail "settings by flags train otherwise than by the spec"

# --- parameters of other models are refused; without any there is a warning
./app eval --data rows.jsonl --json >eval.json 2>err || fail "eval: $(cat err)"
grep -q -i 'param' err || fail "no warning about initial parameters: $(cat err)"
./app eval --data rows.jsonl --json --params one/last >eval.json 2>err || fail "eval: $(cat err)"
for key in loss perplexity; do grep -q "\"$key\"" eval.json || fail "eval --json without $key: $(cat eval.json)"; done
cp -r base other
printf '\0' | dd of=other/model.safetensors bs=1 seek=$(($(wc -c <other/model.safetensors) - 1)) conv=notrunc 2>/dev/null
printf '\77\100\77' | dd of=other/model.safetensors bs=1 seek=$(($(wc -c <other/model.safetensors) - 100)) conv=notrunc 2>/dev/null
expect 1 'base' ./app eval --data rows.jsonl --params one/last --model base=other
echo "command line as promised"
