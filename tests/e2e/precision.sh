#!/bin/sh
# The choice of precision: what `auto` makes of stored weights, who is asked before whom, what a checkpoint keeps, and that every run says which and why.
. "$(dirname "$0")/lib.sh"
only=
two_tokenizers
build forth.calm -o app                                      # two models stored in BF16
field() { sed -n "s/^ *\"$1\": \([^,]*\),*/\1/p" "$2" | head -1; }
sizes="--steps 2 --seed 3 --data rows.jsonl"

# --- every command that computes has the flag, and takes none but its words
for command in "train --data rows.jsonl" "eval --data rows.jsonl" "generate --prompt a" "score --data rows.jsonl --out never.st" "verify --ref never.st" info; do
  for word in fp8 F32 f16 "" " f32" 1 "auto "; do
    expect 2 "--precision: expected auto, f32 or bf16, found \"$word\"" ./app $command --precision "$word"
  done
  expect 2 '--precision is given twice' ./app $command --precision f32 --precision f32
  expect 2 '--precision needs a value' ./app $command --precision
  ./app ${command%% *} --help | grep -q '^  --precision NAME .*f32.*bf16' || fail "$command --help says nothing of --precision"
done
for command in tokenize "verify-files x"; do expect 2 'precision' ./app $command --precision f32; done
[ ! -e app.run ] && [ ! -e never.st ] || fail "something was left of command lines that were refused"

# --- info and the first line of every run
says() { grep -q -e "$1" "$2" || fail "no '$1' in: $(cat "$2")"; }
./app info --precision f32 >info; says '^f32: --precision says so$' info
./app info --json --precision f32 | grep -q '"precision": "f32"' || fail "info --json has no precision"
./app train $sizes --precision f32 --out f32 2>err || fail "train: $(cat err)"
head -1 err >first; says ', f32: --precision says so, ' first
[ "$(field precision f32/last/theta.json)" = '"f32"' ] || fail "theta.json: $(field precision f32/last/theta.json)"
for command in "eval --data rows.jsonl" "generate --prompt a --max-tokens 2" "score --data rows.jsonl --out s.st"; do
  ./app $command --params f32/last >out 2>err || fail "$command: $(cat err)"
  head -1 err >first; says '^forth.calm: avx[0-9]*, f32: the parameters were trained in it$' first
  ./app $command --params f32/last/theta.safetensors --precision f32 >out 2>err || fail "$command: $(cat err)"
  head -1 err >first; says '^forth.calm: avx[0-9]*, f32: --precision says so$' first
done

# --- a train block's comes before what is stored, and behind a flag and what trained the parameters
{ cat forth.calm; echo 'train { precision = f32 }'; } >told.calm
build told.calm -o told
./told info >info; says '^f32: the train block says so$' info
./told info --precision auto >info; says "^[bf0-9]*: base's weights are stored in BF16" info
./told train --help | grep -q '^  --precision .*(default: f32)' || fail "told train --help: $(./told train --help)"
./told eval --data rows.jsonl 2>err >out || fail "$(cat err)"
says '^told.calm: avx[0-9]*, f32: the train block says so$' err
./told eval --data rows.jsonl --params f32/last 2>err >out || fail "$(cat err)"
says '^told.calm: avx[0-9]*, f32: the parameters were trained in it$' err
./told train $sizes --out of_spec 2>err || fail "$(cat err)"
says ', f32: the train block says so, ' err

# --- an earlier calm's checkpoint says nothing: it was f32. One that cannot be is refused by its key
old() { rm -rf old; cp -r f32 old; sed -i -e '/^  "sha256"/d' -e "$1" old/last/theta.json; }
old '/^  "precision"/d'
./app eval --data rows.jsonl --params old/last >out 2>err || fail "$(cat err)"
says ', f32: the parameters were trained in it$' err
old 's/^  "precision": "f32"/  "precision": "fp8"/'
expect 1 'old/last/theta.json: "precision": expected "f32" or "bf16", found "fp8"' ./app eval --data rows.jsonl --params old/last
expect 1 'old/last/theta.json: "precision": expected "f32" or "bf16", found "fp8"' ./app train --steps 4 --out old --resume

# --- auto: bf16 where frozen weights are stored in it, none of them in f32 or f16, and an instruction multiplies it
multiplies=$(./app info --precision bf16 | sed -n 3p)
case $multiplies in
  'bf16: --precision says so') native=bf16 why=' and this processor multiplies it' ;;
  'bf16: --precision says so; emulated, since no instruction multiplies it here') native=f32 why=', but no instruction multiplies it here' ;;
  *) fail "info --precision bf16: $multiplies" ;;
esac
./app info >info; says "^$native: base's weights are stored in BF16$why$" info
CALM_ISA=avx2 ./app info >info; says "^f32: base's weights are stored in BF16, but no instruction multiplies it here$" info
CALM_ISA=avx2 ./app info --precision bf16 >info; says '^bf16: --precision says so; emulated, ' info
cp -r "$root/tests/parity/families/qwen3_a" one; chmod -R u+w one
mkdir mixed; cp one/config.json mixed; "$STSPLIT" one mixed 3
auto() {                       # WHY DIR [DIR]: of a program of these models
  { echo "anchor base = \"$2\""; [ $# = 2 ] || { echo "augment code = \"$3\""; echo 'connect code[1] -> base[1] with cross_attention(heads = 2)'; }; } >auto.calm
  build auto.calm -o auto
  ./auto info >info; says "$1" info
}
cp -r "$root/tests/parity/fixture/aug" floats
auto "^f32: base's weights are stored in BF16, but also in F32, which bf16 would round$" mixed
auto "^f32: base's weights are stored in F32$" floats
made kv 16 32 1 2 1 32 10000.0 >auto.calm; build auto.calm -o auto; ./auto info >info; says '^f32: no frozen weights are stored in BF16$' info

# --- f16 is no bf16: refused by flag, and by name and place where a train block asks for it
auto "^f32: base's weights are stored in F16$" "$root/tests/parity/families/qwen3_b"
for command in info "score --data rows.jsonl --out never.st" "eval --data rows.jsonl"; do
  expect 1 "^error: precision bf16, since --precision says so: model base's weights are stored in F16, .*(--precision f32)$" ./auto $command --precision bf16
done
echo 'train { precision = bf16 }' >>auto.calm
expect 1 "^auto.calm:2:21: error: precision: weight 'base.model.layers.0.self_attn.q_proj.weight' is stored as F16" "$CALMC" build auto.calm -o never

# --- a checkpoint keeps what trained it, whatever the path emulates it
run() { ./app train $sizes --steps 4 "$@" 2>err || fail "train $*: $(cat err)"; }
sizes="--seed 3 --data rows.jsonl"
run --precision bf16 --out whole
head -1 err >first; says ', bf16: --precision says so' first
[ "$(field precision whole/last/theta.json)" = '"bf16"' ] || fail "theta.json: $(field precision whole/last/theta.json)"
run --precision f32 --out other
! cmp -s whole/last/theta.safetensors other/last/theta.safetensors || fail "a training in bf16 has the bits of one in f32"
run --precision bf16 --out part --stop-after 2
cp -r part emulated; cp -r part narrow; cp -r part spec
run --out part --resume
head -1 err >first; says ', bf16: the parameters were trained in it' first
for f in theta optimizer; do cmp whole/last/$f.safetensors part/last/$f.safetensors || fail "$f of a run in bf16 in two parts"; done
CALM_ISA=avx2 ./app train $sizes --steps 4 --out emulated --resume 2>err || fail "$(cat err)"
says ', bf16: the parameters were trained in it; emulated, since no instruction multiplies it here, ' err
[ "$(field precision emulated/last/theta.json)" = '"bf16"' ] || fail "resumed on avx2: $(field precision emulated/last/theta.json)"
run --out narrow --resume --precision f32
says '^precision bf16 -> f32, from --precision$' err
says ', f32: --precision says so, though the parameters were trained in bf16, ' err
says '^warning: narrow/last was trained in bf16, and goes on in f32: ' err
[ "$(field precision narrow/last/theta.json)" = '"f32"' ] || fail "gone on with in f32: $(field precision narrow/last/theta.json)"
./told train $sizes --steps 4 --out spec --resume 2>err || fail "$(cat err)"      # its train block says f32, and the run's did not
says '^precision bf16 -> f32, from the spec$' err
says ', f32: the train block says so, though the parameters were trained in bf16, ' err
loss() { p=$1; shift; ./$p eval --data rows.jsonl --metric loss --json "$@" 2>err | sed -n 's/^ *"loss": \(.*\),/\1/p' | head -1; }
of_run=$(loss app --params whole/last); says ', bf16: the parameters were trained in it' err
[ "$of_run" = "$(loss told --params whole/last)" ] || fail "a train block comes before what trained the parameters"
[ "$of_run" = "$(loss app --params whole/last --precision bf16)" ] || fail "eval does not keep the precision"
[ "$of_run" != "$(loss app --params whole/last --precision f32)" ] || fail "eval in bf16 gives the loss of f32"
says ', f32: --precision says so, though the parameters were trained in bf16$' err
awk -v a="$of_run" -v b="$(loss app --params whole/last --precision f32)" 'BEGIN { d = a - b; exit !((d < 0 ? -d : d) < 0.01 * b) }' || fail "the loss in bf16 is not within 1 % of f32's"
CALM_ISA=avx2 loss app --params whole/last >slow; says ', bf16: the parameters were trained in it; emulated, ' err
./app generate --prompt a --max-tokens 4 --params whole/last >kept 2>err || fail "$(cat err)"
says ', bf16: the parameters were trained in it' err
./app generate --prompt a --max-tokens 4 --params whole/last --precision bf16 >said_so 2>/dev/null; cmp kept said_so || fail "generate does not keep the precision"

# --- each model has its own: of a BF16 anchor and an F32 augment the anchor has the bits of bf16 and the augment those of f32. Where no instruction multiplies
# it, what trained the parameters says so
ids() { awk -v rows="$1" 'BEGIN { srand(7); for (i = 0; i < rows; i++) { s = ""; for (k = 0; k < 9 + 7 * i; k++) s = s (k ? ", " : "") int(3 + rand() * 50)
  print "{\"input_ids\": [" s "], \"labels\": [" s "]}" } }'; }
ids 4 >ids.jsonl
printf '%s\n' 'anchor base = "one"' 'augment code = "floats"' 'connect code[1] -> base[1] with cross_attention(heads = 2)' >apart.calm
only='--isa native'
build apart.calm --compare -o apart
sed "s#floats#$root/tests/parity/families/qwen3_b#" apart.calm >halved.calm; build halved.calm -o halved
apart='bf16 (base) and f32 (code)' why="base's weights are stored in BF16 and this processor multiplies it; code's weights are stored in F32"
./apart info >info
case $native in
  bf16) says "^$apart: $why$" info ;;
  f32) says "^f32: base's weights are stored in BF16, but no instruction multiplies it here$" info ;;
esac
steps() { ./apart train --seed 3 --data ids.jsonl --steps 4 "$@" 2>err || fail "train apart $*: $(cat err)"; }
told=; [ $native = bf16 ] || told='--precision f32'
steps $told --out apart.run --stop-after 2
if [ $native = bf16 ]; then
  says ", $apart: $why, " err
else                           # resumed, it goes on in what its checkpoint says
  sed -i -e '/^  "sha256"/d' -e 's/^  "precision": "f32"/  "precision": {"base": "bf16", "code": "f32"}/' apart.run/last/theta.json
fi
both=$(tr -d ' \n' <apart.run/last/theta.json | grep -o '"precision":{[^}]*}') || fail "theta.json: $(cat apart.run/last/theta.json)"
[ "$both" = '"precision":{"base":"bf16","code":"f32"}' ] || fail "theta.json: $both"
cp -r apart.run again; cp -r apart.run narrow.run
for r in apart.run again; do
  steps --out $r --resume
  says ", $apart: the parameters were trained in it" err
done
for f in theta optimizer; do cmp apart.run/last/$f.safetensors again/last/$f.safetensors || fail "$f of a run of two precisions, resumed twice"; done
if [ $native = bf16 ]; then
  steps --out apart.whole --cache off
  for f in theta optimizer; do cmp apart.whole/last/$f.safetensors again/last/$f.safetensors || fail "$f of a run of two precisions in two parts"; done
fi
steps --out narrow.run --resume --precision f32
says "though the parameters were trained in $apart, " err
says "^warning: narrow.run/last was trained in $apart, and goes on in f32: " err
both() { out=$1; shift; ./apart score --data ids.jsonl --params apart.run/last --out "$out" "$@" 2>err || fail "score apart $*: $(cat err)"; }
both both.st --hidden code.1,code.3 --grads
says "^apart.calm: avx[0-9]*, $apart: the parameters were trained in it" err
both anchor.st --ablate code; both one.st --ablate code --precision f32
echo 'anchor base = "one"' >base.calm; echo 'anchor code = "floats"' >code.calm
for m in base code; do build $m.calm -o $m; done
for p in f32 bf16; do
  ./base score --data ids.jsonl --precision $p --out base.$p.st 2>err || fail "$(cat err)"
  ./code score --data ids.jsonl --precision $p --hidden code.1,code.3 --out code.$p.st 2>err || fail "$(cat err)"
done
"$STCMP" anchor.st base.bf16.st --key '*.logits' --exact >/dev/null || fail "the anchor does not compute as alone in bf16"
"$STCMP" one.st base.f32.st --key '*.logits' --exact >/dev/null || fail "told f32, the anchor does not compute as alone in it"
"$STCMP" both.st code.f32.st --key '*.hidden.code.*' --exact >/dev/null || fail "the augment does not compute as alone in f32"
"$STCMP" anchor.st base.f32.st --key '*.logits' --differ 1e-5 >/dev/null || fail "the anchor's bits are those of f32"
"$STCMP" both.st code.bf16.st --key '*.hidden.code.*' --differ 1e-5 >/dev/null || fail "the augment's bits are those of bf16"

# --- of single models by flag: the others' stay what they are, by flag, checkpoint, train block or weights
both each.st --hidden code.1,code.3 --grads --precision f32 --precision base=bf16
says "^apart.calm: avx[0-9]*, $apart: --precision says so; --precision says so of base" err
"$STCMP" each.st both.st --exact >/dev/null || fail "one model's precision by flag: other bits than those of the run that had it"
both swapped.st --hidden code.1,code.3 --precision=base=f32 --precision code=bf16
says ', f32 (base) and bf16 (code): the parameters were trained in it; --precision says so of base, code.*, though the parameters were trained in bf16 (base) and f32 (code)' err
"$STCMP" swapped.st code.bf16.st --key '*.hidden.code.*' --exact >/dev/null || fail "--precision code=bf16 is not bf16"
steps --out each.run --precision f32 --precision base=bf16 --stop-after 2
says ", $apart: --precision says so; " err
steps --out each.run --resume
says ", $apart: the parameters were trained in it" err
./apart train --data ids.jsonl --out each.run --resume --steps 5 --precision base=f32 2>err || fail "$(cat err)"
says '^warning: each.run/last was trained in bf16 (base) and f32 (code), and goes on in f32: ' err
./apart info --precision code=auto >info; says 'says so of code$' info
expect 2 '--precision core=f32: this program has no model of that name' ./apart info --precision core=f32
expect 2 '--precision base=fp8: expected auto, f32 or bf16 behind base=' ./apart train --data ids.jsonl --precision base=fp8 --out never
expect 2 '--precision base=f32: another is given for this model before' ./apart info --precision base=bf16 --precision base=f32
expect 2 '--precision: expected auto, f32 or bf16, found "base"' ./apart info --precision base
expect 1 "model code's weights are stored in F16" ./halved info --precision base=f32 --precision code=bf16
./halved info --precision bf16 --precision code=f32 >info || fail "of one model in F16: $(cat info)"
says '^bf16 (base) and f32 (code): --precision says so; ' info
./apart pack --params apart.run/last --precision base=f32 --out each.pack 2>err || fail "pack: $(cat err)"
expect 1 'each.pack was packed for .* in f32, and this runs on .* in f32 (base) and bf16 (code); make it anew: .* --precision base=f32 --precision code=bf16$' \
  ./apart score --data ids.jsonl --out never.st --pack each.pack --precision code=bf16
both chunks.st --chunk 1,4,2
"$STCMP" chunks.st both.st --key '*.logits' --exact >/dev/null || fail "cached stepping of two precisions"
CALM_THREADS=2 both threads.st --grads; CALM_THREADS=1 both thread.st --grads
"$STCMP" threads.st thread.st --exact >/dev/null || fail "threads change bits of two precisions"
./apart info --json >info 2>&1 || fail "info: $(cat info)"
[ $native = f32 ] || tr -d ' \n' <info | grep -q '"precision":{"base":"bf16","code":"f32"}' || fail "info --json: $(cat info)"
./apart pack --params apart.run/last --out apart.pack 2>err || fail "pack: $(cat err)"
says "for avx[0-9]* in $apart; next" err
loss_of() { p=$1; shift; ./$p eval --data ids.jsonl --metric loss --json "$@" 2>err | sed -n 's/^ *"loss": \(.*\),/\1/p' | head -1; }
of_pack=$(loss_of apart --pack apart.pack --profile)
says "^apart.calm: avx[0-9]*, $apart: the pack file is in it" err
says "Gflop in $apart, " err
grep -q ' in bf16$' err && grep -q ' in f32$' err || fail "--profile does not say which kernels were in which: $(cat err)"
[ "$of_pack" = "$(loss_of apart --params apart.run/last)" ] || fail "a pack file of two precisions gives another loss"
expect 1 "apart.pack was packed for .* in $apart, and this runs on .* in f32; make it anew: .* --precision f32" ./apart eval --pack apart.pack --precision f32 --data ids.jsonl
./apart eval --data ids.jsonl --metric loss --compare --params apart.run/last >out 2>err || fail "eval --compare: $(cat err)"
for m in bf16 f32; do says ", $m: the composition computes in it" err; done
sed -e '/^  "sha256"/d' -e 's/"code": "f32"/"other": "f32"/' apart.run/last/theta.json >other.json; mv other.json again/last/theta.json
expect 1 'again/last/theta.json: "precision" says nothing of model code' ./apart eval --data ids.jsonl --params again/last

# --- the losses of an export are those that eval says, in what trained the parameters or what is told
{ head -1 forth.calm; echo 'tune base'; } >tuned.calm; build tuned.calm -o tuned
{ head -1 forth.calm; echo 'adapt base "*.q_proj", "*.v_proj" with lora(rank = 2, alpha = 4)'; } >adapted.calm; build adapted.calm -o adapted
for p in tuned adapted; do
  ./$p train $sizes --steps 4 --precision bf16 --out $p.run 2>err || fail "train $p: $(cat err)"
  merge=; [ $p = tuned ] || merge=--merge
  for told in '' '--precision f32'; do
    ./$p export $p.dir --overwrite $merge --params $p.run/last --data rows.jsonl $told >out 2>err || fail "export $p $told: $(cat err)"
    [ -n "$told" ] || says '^[a-z]*.calm: avx[0-9]*, bf16: the parameters were trained in it' err
    exported=$(sed -n 's/.*: loss \([0-9.]*\) before, .*/\1/p' out)
    [ "$exported" = "$(printf %.6f "$(loss $p --params $p.run/last $told)")" ] || fail "$p $told: eval says another loss than export: $(cat out)"
  done
done
expect 0 '--precision has no effect: there is no --data' ./tuned export plain.dir --params tuned.run/last --precision bf16
echo "chosen, kept and said"
