#!/bin/sh
# Without touching C: a gated variant of the paper's operator, and an architecture of an invented name, both written in .calm files.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .

# --- an own operator: the delta times a gate that the anchor's state opens
cat >gated.calm <<'END'
op gated(b[N, D], a[M, E], heads: int) -> delta[N, D] {
  param proj[D, E], wq[heads, D / heads, D], wk[heads, D / heads, D], wv[heads, D / heads, D], gate[D, D]
  param wo[D, D] = zeros
  p = linear(a, proj)
  heads_out[N, D] = attention(linear(b, wq), linear(p, wk), linear(p, wv))
  return linear(heads_out, wo) * sigmoid(linear(b, gate))
}
END
{ echo 'use "gated.calm"'; sed 's/cross_attention/gated/' spec.calm; } >own.calm
build own.calm -o own
./own train --data rows.jsonl --steps 30 --lr 3e-3 --seed 1 --out run 2>err || fail "train: $(cat err)"
awk -F, 'NR == 2 { a = $3 } NR > 1 { b = $3 } END { exit !(b > 0 && b < 0.98 * a) }' run/log.csv || fail "the gated operator does not learn: $(cat run/log.csv)"
./own info | grep -q gate || ./own info --json | grep -q gate || fail "info without the gate"

# --- an own architecture: the library file under another name and architecture string
sed 's/^arch llama for .*{/arch homemade for "HomemadeForCausalLM" {/' "$root/dsl/std/llama.calm" >homemade.calm
grep -q '^arch homemade' homemade.calm || fail "llama.calm begins otherwise: $(grep '^arch' "$root/dsl/std/llama.calm")"
cp -r base renamed
sed 's/LlamaForCausalLM/HomemadeForCausalLM/; s/"model_type": "llama"/"model_type": "homemade"/' base/config.json >renamed/config.json
echo 'anchor base = "base"' >plain.calm
printf 'use "homemade.calm"\nanchor base = "renamed"\n' >home.calm
build plain.calm -o plain
build home.calm -o home
for p in plain home; do ./$p score --data rows.jsonl --hidden base.2 --out $p.st 2>err || fail "score: $(cat err)"; done
"$STCMP" home.st plain.st --key '*.logits' --exact || fail "the renamed architecture computes something else"
echo 'anchor base = "renamed"' >without.calm
expect 1 'HomemadeForCausalLM' "$CALMC" build without.calm -o never
{ echo 'use "homemade.calm"'; sed 's/"base"$/"renamed"/' spec.calm; } >composed.calm
build composed.calm -o composed
./composed train --data rows.jsonl --steps 10 --lr 3e-3 --out run2 2>err || fail "train: $(cat err)"
awk -F, 'NR == 2 { a = $3 } NR > 1 { b = $3 } END { exit !(b > 0 && b < a) }' run2/log.csv || fail "no learning over the own architecture"
echo "own operator, own architecture"
