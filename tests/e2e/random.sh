#!/bin/sh
# What is random follows from --seed and nothing else: initial parameters, the order of rows, sampling. And what else generation promises:
# greedy at temperature 0, top-k, top-p, stop texts, the completion and a newline alone on standard output.
. "$(dirname "$0")/lib.sh"
only=
made new 32 48 2 4 2 64 1000 >new.calm
build new.calm -o new

# --- initial parameters
for s in 1 2 1; do
  rm -rf again; [ ! -d seed$s ] || mv seed$s again
  ./new export seed$s --seed $s 2>err || fail "export: $(cat err)"
done
cmp -s again/model.safetensors seed1/model.safetensors || fail "one seed, two models"
! cmp -s seed2/model.safetensors seed1/model.safetensors || fail "two seeds, one model"

# --- order of rows: eight rows of 3 to 10 tokens, one a step; log.csv adds up their lengths
awk 'BEGIN { for (n = 3; n <= 10; n++) { s = ""; for (k = 0; k < n; k++) s = s (k ? ", " : "") 3 + k; print "{\"input_ids\": [" s "], \"labels\": [" s "]}" } }' >rows.jsonl
order() { rm -rf run; ./new train --data rows.jsonl --batch 1rows --steps 16 --lr 0 --out run "$@" 2>err || fail "train: $(cat err)"
  awk -F, 'NR > 1 { printf "%d ", $2 - before; before = $2 } NR == 9 { print "" }' run/log.csv; }
order --no-shuffle >plain; order --seed 1 >first; order --seed 2 >second; order --seed 1 >third
[ "$(cat plain)" = "$(printf '3 4 5 6 7 8 9 10 \n3 4 5 6 7 8 9 10 ')" ] || fail "--no-shuffle takes $(cat plain)"
cmp -s first third || fail "one seed, two orders: $(cat first third)"
! cmp -s first second || fail "two seeds, one order: $(cat first)"
[ "$(sed -n 1p first)" != "$(sed -n 2p first)" ] || fail "every epoch takes the same order: $(cat first)"
for f in first second; do
  while read -r line; do
    [ "$(echo $line | tr ' ' '\n' | sort -n | tr '\n' ' ')" = "3 4 5 6 7 8 9 10 " ] || fail "an epoch of other rows: $line"
  done <$f
done

# --- generation
made() {
  case " $* " in *' --seed '*) own=;; *) own='--seed 1';; esac
  case " $* " in *' --max-tokens '*) ;; *) own="$own --max-tokens 60";; esac
  ./new generate $own --prompt "12+" --ignore-eos "$@" 2>err || fail "generate $*: $(cat err)"
}
export CALM_THREADS=1
./new train --data rows.jsonl --steps 0 --seed 7 --out model 2>err || fail "train: $(cat err)"
made --params model/last >greedy
[ "$(wc -c <greedy)" -gt 2 ] && [ "$(wc -l <greedy)" = 1 ] || fail "expected a completion and a newline, found: $(cat greedy)"
made --params model/last --temperature 0 --seed 9 >other; cmp -s greedy other || fail "a seed changes greedy decoding"
made --params model/last --temperature 2 --top-k 1 >other; cmp -s greedy other || fail "the likeliest of one is not greedy"
made --params model/last --temperature 2 --top-p 0.000001 >other; cmp -s greedy other || fail "the likeliest of a tiny share is not greedy"
made --params model/last --temperature 2 >a; made --params model/last --temperature 2 --seed 2 >b; made --params model/last --temperature 2 >c
cmp -s a c || fail "one seed, two texts"
! cmp -s a b || fail "two seeds, one text"
! cmp -s a greedy || fail "temperature 2 is greedy"
made --params model/last --max-tokens 0 >other; [ "$(wc -c <other)" = 1 ] || fail "no tokens: $(cat other)"
[ "$(wc -c <a)" -gt 25 ] || fail "sixty tokens of a character each, found: $(cat a)"
# a stop text: what stands before its first place in a text that has it, whole, also where tokens cut it; the earliest of several
for at in 1 7 20; do
  stop=$(cut -c$at-$((at + 2)) a)
  made --params model/last --temperature 2 --stop "$stop" >other
  awk -v t="$(cat a)" -v s="$stop" 'BEGIN { print substr(t, 1, index(t, s) - 1) }' >want
  cmp -s other want || fail "--stop '$stop' in $(cat a): $(cat other)"
done
made --params model/last --temperature 2 --stop "$(cut -c20-22 a)" --stop "$(cut -c7-9 a)" --stop nowhere >other
awk -v t="$(cat a)" -v s="$(cut -c7-9 a)" 'BEGIN { print substr(t, 1, index(t, s) - 1) }' >want
cmp -s other want || fail "the earliest of several stop texts: $(cat other), expected $(cat want)"

# --- threads and instruction-set path are those that were asked for
CALM_THREADS=3 ./new info | grep -q ' 3 threads' || fail "CALM_THREADS=3: $(./new info | sed -n 2p)"
for isa in avx512 avx2; do
  CALM_ISA=$isa ./new info >info 2>/dev/null || { echo "this machine has no $isa"; continue; }
  grep -q "^$isa, " info || fail "CALM_ISA=$isa: $(sed -n 2p info)"
  CALM_ISA=$isa ./new train --data rows.jsonl --steps 1 --out $isa 2>err || fail "train: $(cat err)"
  grep -q "\"isa\": \"$isa\"" $isa/last/theta.json || fail "CALM_ISA=$isa trained on another path"
done
echo "seeds, sampling, stop texts"
