#!/bin/sh
# What a run and its parameters are bound to: models and tokenizers, connections, what operators compute, data by content; not the spec's text, its
# initial values or settings. What differs is named. Whose settings a resumed run takes, and that each change is told.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
cat >own.calm <<'END'
op own(b[N, D], a[M, E], heads: int) -> delta[N, D] {
  param proj[D, E], wq[heads, D / heads, D], wk[heads, D / heads, D], wv[heads, D / heads, D] = fan_in(1)
  param wo[D, D] = zeros
  p = linear(a, proj)
  heads_out[N, D] = attention(linear(b, wq), linear(p, wk), linear(p, wv))
  return linear(heads_out, wo) * 2
}
END
cat >pair.calm <<'END'
use "own.calm"
anchor  base = "base"
augment aug  = "aug"
connect aug[1, 3] -> base[2, 4] with own(heads = 3)
train { data = "rows.jsonl"  steps = 6  batch = 4 rows  shuffle = false
        optimizer = adamw(lr = 2e-3)  schedule = constant(warmup = 0) }
END
build pair.calm -o pair
train() { prog=$1; shift; ./$prog train "$@" 2>err || fail "$prog train $*: $(cat err)"; }
evaluates() { prog=$1; shift; ./$prog eval --data rows.jsonl --json "$@" 2>err | grep '"loss"' | head -1 >loss.$prog || fail "$prog eval $*: $(cat err)"; [ -s loss.$prog ] || fail "$prog eval $*: $(cat err)"; }
same_run() { for f in theta optimizer; do cmp $1/last/$f.safetensors $2/last/$f.safetensors || fail "$3"; done; }
train pair --out whole
train pair --out run --stop-after 3
evaluates pair --params run/last

# --- the spec's text is of no matter: comments, order, functions, other initial values, names; eval, resume and what is trained are as before
cat >own2.calm <<'END'
# another text of the same operator
fn twice(x) = x * 2
fn seen(to, q, of, k, v) = attention(linear(to, q), linear(of, k), linear(of, v))
op own(b[N, D], a[M, E], heads: int) -> delta[N, D] {
  param proj[D, E], wq[heads, D / heads, D], wk[heads, D / heads, D], wv[heads, D / heads, D], wo[D, D] = fan_in(3)
  read = linear(a, proj)
  joined[N, D] = seen(b, wq, read, wk, wv)
  back = linear(joined, wo)
  return twice(back)
}
END
sed 's/own.calm/own2.calm/; s/^anchor/\n# a comment\nanchor/' pair.calm >text.calm
build text.calm -o text
evaluates text --params run/last
cmp loss.pair loss.text || fail "another text of the operator computes something else"
! grep -q 'error\|warning\|force' err || fail "an edited text is a matter: $(cat err)"
rm -rf go; cp -r run go; train text --out go --resume
same_run go whole "a run under another text of the spec goes on otherwise"

# --- what matters is named; --force tells what it lets through, which is other models and tokenizers
refused() {                    # TEXT PROGRAM: with --force too, which is not offered
  for force in '' --force; do
    expect 1 "^error: $1" "./$2" eval --data rows.jsonl --params run/last $force
    ! grep -q -e '--force' said || fail "--force is offered: $(cat said)"
  done
}
./pair eval --help | grep -q -e '--force .*parameters of other models, tokenizers or data' || fail "--help says of --force: $(./pair eval --help | grep -e --force)"
sed 's/\* 2$/* 3/' own.calm >own3.calm
sed 's/own.calm/own3.calm/' pair.calm >three.calm
build three.calm -o three
refused 'run/last: trained by pair.calm, not three.calm: connection aug.1->base.2: its operator differs.*; connection aug.3->base.4: its operator differs' three
expect 1 '^error: run/last: trained by pair.calm, not three.calm: connection aug.1->base.2: its operator differs' ./three train --out run --resume --force
sed 's/aug\[1, 3\] -> base\[2, 4\]/aug[1, 3, 3] -> base[1, 2, 4]/' pair.calm >more.calm
sed 's/aug\[1, 3\] -> base\[2, 4\]/aug[1] -> base[2]/' pair.calm >less.calm
sed 's/aug\[1, 3\]/aug[1, 3].normed/' pair.calm >tap.calm
for p in more less tap; do build $p.calm -o $p; done
mv base/model.safetensors away                      # before any weight is read
ln -s ../away base/model.safetensors
for force in '' --force; do
  expect 1 '^error: run/last: trained by pair.calm, not more.calm: .*connection aug.1->base.1 is new.*connection aug.1->base.2 is gone' ./more eval --data rows.jsonl --params run/last $force
  expect 1 '^error: run/last: .*connection aug.3->base.4 is gone' ./less train --out run --resume $force
done
refused 'run/last: .*connection aug.1->base.2 reads normed' tap
# the same of a file of parameters alone, which says of nobody whom it belongs to
cp run/last/theta.safetensors alone.safetensors
expect 1 'alone.safetensors: connection aug.1->base.1 is new: there is no tensor' ./more eval --data rows.jsonl --params alone.safetensors --force
expect 1 'alone.safetensors: connection aug.3->base.4 is gone' ./less eval --data rows.jsonl --params alone.safetensors --force
sed 's/heads = 3/heads = 1/' pair.calm >heads.calm
build heads.calm -o heads
# shapes come before operators
refused 'run/last/theta.safetensors: connection aug.1->base.2: tensor aug.1->base.2.w[qk]: expected shape \[1, .*found \[3, ' heads
expect 1 'connection aug.1->base.2: tensor aug.1->base.2.w[qk]: expected shape \[1, ' ./heads train --out run --resume
sed 's/^augment.*/& reads prompt/' pair.calm >prompt.calm
build prompt.calm -o prompt
refused 'run/last: .*model aug has .reads prompt., and had .reads row.' prompt
echo '{"input_ids": [1, 2, 3], "labels": [1, 2, 3]}' >labelled.jsonl
expect 1 '^error: labelled.jsonl: every token of every row is labelled, so that none has a prompt, which is all that aug reads' ./prompt train --data labelled.jsonl --steps 1 --out none
# another model
cp -r aug other
printf '\001' | dd of=other/model.safetensors bs=1 seek=$(($(wc -c <other/model.safetensors) - 3)) conv=notrunc 2>/dev/null
expect 1 '^error: run/last: they were trained with another model.safetensors of model aug.*--force' ./pair eval --data rows.jsonl --params run/last --model aug=other
./pair eval --data rows.jsonl --params run/last --model aug=other --force >said 2>&1 || fail "--force: $(cat said)"
grep -q '^warning: run/last: they were trained with another model.safetensors of model aug' said || fail "--force does not tell: $(cat said)"

[ "$(./pair info 2>/dev/null | grep -c "sha256     $(sha256sum <aug/model.safetensors | cut -c1-64)  model.safetensors")" = 1 ] || fail "info without the hash: $(./pair info)"

# --- a model made from nothing: what its text computes, whatever it is called
cp "$root/tests/parity/tokenizer/synthetic/chars.json" .
sed 's/^arch llama for .*{/arch mine for "MineForCausalLM" {/' "$root/dsl/std/llama.calm" >mine.calm
cat >made.calm <<'END'
use "mine.calm"
model kv = mine {
  vocab_size = 45  hidden_size = 16  intermediate_size = 24  num_hidden_layers = 2  num_attention_heads = 2  num_key_value_heads = 1
  max_position_embeddings = 64  bos_token_id = 0  eos_token_id = 1  rms_norm_eps = 1e-5  rope_theta = 10000  hidden_act = "silu"
  tie_word_embeddings = false
} tokenizer "chars.json" init { "*norm.weight" = ones  "*" = fan_in(1) }
END
build made.calm -o made
echo '{"text": "1+2=3"}' >sums.jsonl
train made --data sums.jsonl --steps 2 --out made.run
{ echo '# a comment'; sed 's/fan_in(1)/fan_in(2)/' made.calm; } >again.calm
build again.calm -o again
./again export exported --params made.run/last 2>err || fail "export under another text: $(cat err)"
! grep -q warning err || fail "export under another text: $(cat err)"
sed 's/rope_theta = 10000/rope_theta = 500000/' made.calm >theta.calm
build theta.calm -o theta
expect 1 'made.run/last: trained by made.calm, not theta.calm: model kv computes something else: another rope_theta' ./theta export never --params made.run/last
sed 's/rms_norm_eps ?? 1e-6/rms_norm_eps * 2/' mine.calm >yours.calm
! cmp -s mine.calm yours.calm || fail "llama.calm has no rms_norm_eps ?? 1e-6"
sed 's/mine.calm/yours.calm/' made.calm >arch.calm
build arch.calm -o arch
expect 1 'model kv: the text of its arch computes something else' ./arch export never --params made.run/last

# --- as calm saved it until now: one warning, under its own text that theta.json has no hash of itself
spec=$(./pair info --json 2>/dev/null | sed -n 's/.*"spec_sha256": "\([0-9a-f]*\)".*/\1/p')
rm -rf old; cp -r run old; earlier 2 run/last/theta.json "$spec" base aug >old/last/theta.json
! grep -q 'connections\|spec_train' old/last/theta.json || fail "not as an earlier calm saved it: $(cat old/last/theta.json)"
evaluates pair --params old/last
grep -q '^warning: old/last/theta.json has no hash of itself' err && [ "$(grep -c warning err)" = 1 ] || fail "one warning was expected for its own text: $(cat err)"
evaluates text --params old/last
[ "$(grep -c '^warning: .*earlier calm' err)" = 1 ] && [ "$(grep -c warning err)" = 1 ] || fail "one warning was expected: $(cat err)"
cmp loss.pair loss.text || fail "an earlier checkpoint loads otherwise"
expect 1 'old/last.*connection aug.1->base.1 is new' ./more eval --data rows.jsonl --params old/last
train pair --out old --resume
same_run old whole "an earlier calm's run goes on otherwise"

# --- settings: flags of now; what the spec says otherwise than it did; what the run used
told() { [ "$(grep -e ' -> ' err)" = "$1" ] || fail "expected the changes '$1': $(cat err)"; }
setting() { sed -n "s/^ *\"$1\": \([^,]*\),*/\1/p" $2/last/theta.json | tail -1; }
rm -rf go; train pair --out go --stop-after 2 --eval-every 4 --lr 5e-3
told ''
train pair --out go --resume --stop-after 3
told ''
[ "$(setting eval_every go)" = 4 ] || fail "--eval-every of the start was lost: $(setting eval_every go)"
sed 's/steps = 6/steps = 8/; s/batch = 4 rows/batch = 2 rows/' pair.calm >edited.calm
build edited.calm -o edited
train edited --out go --resume --stop-after 4 --batch 3rows
told 'steps 6 -> 8, from the spec
batch 4rows -> 3rows, from --batch'
case $(setting lr go) in 0.005*) ;; *) fail "the run's learning rate gave way to the spec's: $(setting lr go)" ;; esac
train edited --out go --resume --stop-after 5                # not edited since
told ''
[ "$(setting steps go)" = 8 ] || fail "steps: $(setting steps go)"
sed '/^train/,$d' pair.calm >bare.calm
build bare.calm -o bare
train bare --out go --resume --stop-after 6                  # what the spec says no more is the run's
told ''
train edited --out go --resume --stop-after 7                # and what it says again is an edit
told 'batch 3rows -> 2rows, from the spec
lr 0.005 -> 0.002, from the spec'
sed 's/steps = 6/steps = 6 seed = 9/' pair.calm >seed.calm
build seed.calm -o seed
expect 1 'seed 9, from the spec.*has seed 0' ./seed train --out run --resume

# --- data: content counts, not where it lies; paths are those of where they were said
rm -rf go; cp -r run go
mkdir far; cp rows.jsonl far/copy.jsonl
train pair --out go --resume --data far/copy.jsonl
same_run go whole "the same data elsewhere"
rm -rf far/go; cp -r run far/go
mkdir near; cp rows.jsonl near/mine.jsonl
(cd near && ../bare train --data mine.jsonl --validate ../rows.jsonl --steps 6 --out ../judged --stop-after 2 2>../err) || fail "train: $(cat err)"
(cd far && ../bare train --out ../judged --resume 2>../err) || fail "resuming from another directory: $(cat err)"
head -3 rows.jsonl >fewer.jsonl
was=$(sha256sum <rows.jsonl | cut -c1-12) is=$(sha256sum <fewer.jsonl | cut -c1-12)
rm -rf go; cp -r run go
expect 1 "^error: fewer.jsonl (.*SHA-256 $is.*$dir/rows.jsonl (.*SHA-256 $was.*--changed-data" ./pair train --out go --resume --data fewer.jsonl
same_run go run "a refused resumption touched the run"
expect 1 "^error: fewer.jsonl (.*judged" ./bare train --out judged --resume --validate fewer.jsonl --steps 9
train pair --out go --resume --data fewer.jsonl --changed-data
grep -q "^warning: fewer.jsonl (.*SHA-256 $is.*$was" err || fail "--changed-data does not tell: $(cat err)"
train pair --out go --resume --steps 9                       # which the run is of from then on
! grep -q '^warning.*SHA-256' err || fail "told again: $(cat err)"
train bare --out judged --resume --validate fewer.jsonl --steps 9 --changed-data
grep -q '^warning: judged/best begins anew' err || fail "best/ of other held-out data: $(cat err)"
mv far/copy.jsonl gone.jsonl; rm -rf go; cp -r run go
train pair --out go --resume --data gone.jsonl --stop-after 4; rm gone.jsonl
expect 1 "cannot open $dir/gone.jsonl\|$dir/gone.jsonl: " ./pair train --out go --resume
# a position that is none of the data's
rm -rf go; cp -r run go; unsigned go/last/theta.json; sed -i 's/^\( *"position": \)[0-9]*/\199/' go/last/theta.json
expect 1 '^error: go/last/theta.json: "position": expected a row of the 4 ' ./pair train --out go --resume
expect 1 'no effect' sh -c './pair train --out never --changed-data --data nowhere.jsonl'
echo "bound to what counts"
