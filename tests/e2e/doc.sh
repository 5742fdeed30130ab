#!/bin/sh
# calmc doc: every name that it lists it also shows; what a spec may call is there.
. "$(dirname "$0")/lib.sh"
"$CALMC" doc >all || fail "doc"
for want in 'linear(x, w, b?, exact?)' 'op cross_attention(b\[N, D\], a\[M, E\], heads: int) -> delta\[N, D\]' 'arch llama for "LlamaForCausalLM"' 'fn rmsnorm(x, w, eps)' 'base\[every 4\]' '= zeros'; do
  grep -q -e "$want" all || fail "no $want in: $(cat all)"
done
# names: what stands before '(' of functions, behind op, arch and fn; all of the table of functions
sed -n 's/^  \([a-z_][a-z_0-9]*\)(.*/\1/p; s/^  \(op\|fn\|arch\) \([A-Za-z_0-9]*\).*/\2/p' all >names
for name in $(sed -n 's/^[FE](\([a-z_0-9]*\),.*/\1/p' "$root/dsl/builtins.def") $(sed -n 's/^\(op\|fn\|arch\) \([A-Za-z_0-9]*\).*/\2/p' "$root"/dsl/std/*.calm); do
  grep -qx "$name" names || fail "$name is not listed: $(cat names)"
  "$CALMC" doc "$name" >one || fail "doc $name"
  grep -q "$name" one || fail "doc $name says: $(cat one)"
  grep -q "^# as in" one || [ "$(grep -c "$name(" one)" -gt 1 ] || grep -q ": $name(" one || grep -q "as in $name(" one || fail "doc $name has no example: $(cat one)"
done
# sentences are whole
grep -A 2 'op flamingo' all | tr -s ' \n' ' ' | grep -q 'as OpenFlamingo has them): attention and a feed-forward behind it, each added through tanh of a gate that begins at zero\.' || fail "flamingo: $(cat all)"
grep -A 1 'op lora' all | grep -q '(down x)\.$' || fail "lora: $(cat all)"
"$CALMC" doc cross_attention >one
grep -q '^# The paper' one && grep -q 'return linear(o, wo)' one && grep -q 'with cross_attention(heads = 8)$' one || fail "doc cross_attention says: $(cat one)"
expect 1 "has no 'lama'; did you mean 'llama'" "$CALMC" doc lama
expect 2 "one at a time" "$CALMC" doc llama gpt2
set +e; "$CALMC" doc >/dev/full 2>err; [ $? = 1 ] || fail "a full disk"; set -e
# help on a command is that command's
"$CALMC" build --help >help && grep -q -e '--compare' help && grep -q '^--emit kinds: tree' help && ! grep -q -e '--ref\|--decode\|^commands' help || fail "build --help: $(cat help)"
"$CALMC" tokenize --help >help && grep -q -e '--decode' help && ! grep -q -e '--output\|passes' help || fail "tokenize --help: $(cat help)"
"$CALMC" --help >help && grep -q '^commands:' help && grep -q -e '--ref' help || fail "--help: $(cat help)"
echo "$(wc -l <names) names"
