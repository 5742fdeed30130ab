#!/bin/sh
# --scale and --ablate: what connections add counted otherwise, or left out, exactly; eval --contributions agrees with them.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
build spec.calm -o app
echo 'anchor base = "base"' >alone.calm
build alone.calm -o alone
# the same connections: the first adds half as much, the second what is no number
cat >other.calm <<'END'
anchor  base = "base"
augment aug  = "aug"
connect aug[1] -> base[2] with times(heads = 3, by = 0.5)
connect aug[3] -> base[4] with times(heads = 3, by = 1e300)
op times(b[N, D], a[M, E], heads: int, by: float) -> delta[N, D] {
  param proj[D, E], wq[heads, D / heads, D], wk[heads, D / heads, D], wv[heads, D / heads, D], wo[D, D] = zeros
  p = linear(a, proj)
  o[N, D] = attention(linear(b, wq), linear(p, wk), linear(p, wv))
  return by * linear(o, wo)
}
END
build other.calm -o other

head -2 rows.jsonl >few.jsonl
T="--params theta10.safetensors"
run() { prog=$1 out=$2; shift 2; ./$prog score --data few.jsonl --out $out "$@" 2>err || fail "$prog score $*: $(cat err)"; }
same() { "$STCMP" $1 $2 --key '*.logits' --exact >/dev/null || fail "$3"; }
run app as_is.st $T
run alone alone.st
run app x.st $T --scale aug=1 --scale 'aug.3->base.4=1.0'
same x.st as_is.st "--scale 1 changes bits"
run app x.st $T --ablate aug
grep -q '^aug: left out (2 connections)$' err || fail "it is not said: $(cat err)"
same x.st alone.st "without its augment the anchor is another"
"$STCMP" x.st as_is.st --key '*.logits' --differ 1e-3 >/dev/null || fail "the augment changes nothing: nothing is tested here"
# nor are its matrices packed, which are those of 40 rows
packed() { run app x.st $T --profile "$@"; sed -n '/ packing$/,$p' err | grep -c 'x 40$\|pack 40 ' || :; }
[ "$(packed)" = 3 ] && [ "$(packed --scale aug=0)" = 0 ] && [ "$(packed --ablate 'aug.3->base.4')" = 3 ] || fail "what is packed with and without an augment: $(cat err)"
for chunk in "" "--chunk 7"; do
  run app x.st $T --scale 'aug.1->base.2=0.5' --ablate 'aug.3->base.4' $chunk
  run other y.st $T --ablate 'aug.3->base.4' $chunk
  same x.st y.st "half as much, and without what is no number, $chunk"
done
run app x.st $T --ablate 'aug.3->base.4'
run app y.st $T --ablate aug --scale 'aug.1->base.2=1'
same x.st y.st "a connection's own word does not go before its model's"
"$STCMP" x.st as_is.st --key '*.logits' --differ 1e-3 >/dev/null || fail "one connection left out changes nothing"

# --- contributions: each row of the table is the loss without it
loss() { ./app eval --data rows.jsonl $T "$@" 2>err | sed 's/.*loss \([0-9.]*\) .*/\1/' || fail "eval: $(cat err)"; }
./app eval --data rows.jsonl $T --contributions >table 2>err || fail "eval: $(cat err)"
cat >want <<END
aug.1->base.2 $(loss --ablate 'aug.1->base.2')
aug.3->base.4 $(loss --ablate 'aug.3->base.4')
all $(loss --ablate aug)
END
sed -n '3,$p' table | sed 's/all of them/all/' | awk '{ print $1, $2 }' >got
cmp -s got want || fail "contributions: $(cat table; cat want)"
head -1 table | grep -q "loss $(loss) " || fail "another loss: $(cat table)"
./app eval --data rows.jsonl $T --contributions --scale aug=0.5 --json >json 2>err || fail "eval: $(cat err)"
tr -d ' \n' <json | grep -q '"contributions":\[{"without":"aug.1->base.2","loss":[0-9.]*,"change":-\?[0-9.e-]*},{"without":"aug.3->base.4","loss":[0-9.]*,"change":-\?[0-9.e-]*}\],"loss_without_all":' || fail "$(cat json)"
tr -d ' \n' <json | grep -q '"gains":{"aug.1->base.2":0.5,"aug.3->base.4":0.5}' || fail "gains are not in the JSON: $(cat json)"
[ "$(tr -d ' \n' <json | sed 's/.*"loss_without_all":\([0-9.]*\).*/\1/' | cut -c1-7)" = "$(loss --ablate aug | cut -c1-7)" ] || fail "$(cat json)"

# --- what cannot be meant
expect 2 "did you mean 'aug'" ./app eval --data rows.jsonl $T --ablate augg
./app eval --data rows.jsonl $T --scale aug=1e38 >said 2>err || fail "eval: $(cat err)"
grep -q '  loss nan  ' said && grep -q '^warning: .*: the loss is no finite number' err || fail "logits that are no numbers: $(cat said err)"
expect 2 'such as aug.1->base.2' ./app eval --data rows.jsonl $T --scale base=2
expect 2 'expected NAME=X' ./app eval --data rows.jsonl $T --scale aug
expect 2 'expected a number' ./app eval --data rows.jsonl $T --scale aug=much
expect 2 'named twice' ./app eval --data rows.jsonl $T --scale aug=1 --ablate aug
expect 2 'connects nothing' ./alone eval --data rows.jsonl --ablate aug
expect 1 'connects nothing' ./alone eval --data rows.jsonl --contributions
expect 2 'computes none' ./app eval --data rows.jsonl $T --contributions --metric exact_match
expect 2 'as it is trained' ./app score --data few.jsonl --out z.st --grads --ablate aug
echo "left out and scaled, exactly"
