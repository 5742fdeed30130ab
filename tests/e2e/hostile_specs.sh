#!/bin/sh
# Specs and config.json of hostile hands: little text that would take time, memory or stack without end, and much text of one kind. Every one
# ends with exit status 1 and a line that names the cause, within memory that honest specs need; what is counted (steps, values, levels) decides
# it, never a clock: the one here only ends what would run for ever. What can be meant, however long, is built.
. "$(dirname "$0")/lib.sh"
[ -z "${CALM_SANITIZE:-}${HOSTILE_SANITIZER:-}" ] && (ulimit -v 1000000; exec "$CALMC" --version) >/dev/null 2>&1 && room=600000 || room=unlimited
limited() { ulimit -c 0; ulimit -v "$room"; exec timeout 120 "$@"; }
# refused NAME TEXT: NAME.calm is refused by a line with TEXT
refused() {
  got=0; (limited "$CALMC" build "$1.calm" --emit=plan -o out.plan) >said 2>&1 </dev/null || got=$?
  [ $got = 1 ] && grep -q -e "error: .*$2" said || fail "$1: exit status $got, expected 1 and '$2': $(head -c 600 said)"
  tried=$((tried + 1))
}
# told TEXT: what was refused last says this, too
told() { grep -q -e "$1" said || fail "no '$1': $(head -c 600 said)"; }
# many N TEXT: N times, with @ the number
many() {
  case $2 in
    *@*) awk -v n="$1" -v f="$2" 'BEGIN { k = split(f, p, "@"); for (i = 0; i < n; i++) { s = p[1]; for (j = 2; j <= k; j++) s = s i p[j]; printf "%s", s } }' ;;
    *) yes "$2" | head -n "$1" | tr -d '\n' ;;
  esac
}
tried=0
cp "$root/tests/parity/tokenizer/synthetic/chars.json" tok.json
model='model m = z { } tokenizer "tok.json"'
sizes='embed(ids[T]) = lookup(ids, weight("e")[45, 4])  head(x[T, D]) = linear(x, weight("e")[45, 4])'
arch() { printf '%s\narch z for "Z" { %s %s }\n' "$model" "$1" "$sizes"; }

# --- time and memory from little
spec() { printf 'anchor a = "none"\n%s\ntrain { steps = %s }\n' "$1" "$2" >s.calm; refused s "$3"; }
twice() { printf 'd('; many 38 'd('; printf '%s' "$1"; many 38 ')'; printf ')'; }
spent='more steps or more memory'
spec 'fn f(n) = n < 1 ? 0 : f(n - 1) + f(n - 1)' 'f(60)' "$spent"
spec 'fn d(s) = s + s' "len($(twice '[1, 2, 3, 4]'))" "$spent"
spec 'fn d(s) = s + s' "$(twice '"aaaaaaaa"')" "$spent"
spec 'fn d(s) = "{s}{s}{s}"' "$(twice '"aaaaaaaa"')" "$spent"
spec '' 'sum([sum([sum([1 for a in 0..1000]) for b in 0..1000]) for c in 0..1000])' "$spent"
spec 'fn d(s) = [s, s]' "$(twice 1) == $(twice 1)" "expected a whole number\|$spent"
spec '' 'len([1 for a in 0..1000000000000])' 'range is too long'
spec '' 'len([1 for a in 0 - 9e15..9e15])' 'range is too long'
spec 'fn f(x) = g(x)
fn g(x) = f(x) + f(x)' 'f(1)' 'without end'
{ printf 'anchor a = "none"\nfn f(x) {\n'; many 20000 'x = [x] '; printf 'return x }\ntrain { data = f(1) }\n'; } >s.calm; refused s 'too deeply in one another'
# fine by themselves, and yet not many times
arch 'fn f(n) = n < 1 ? 0 : f(n - 1) + f(n - 1)  layers i in 0..9999 under "" (x[T, D]) { return x * (f(9) + 1) }' >s.calm; refused s "$spent"

# --- stack
{ printf 'fn f(x) = x < 1 ? 0 : '; many 80 'abs('; printf 'f(x - 1)'; many 80 ')'; printf '\ntrain { steps = f(60) }\nanchor a = "none"\n'; } >s.calm; refused s 'nested too deeply'
for open in '(' '[' '{' '-' 'not ' 'f(' '1 + ' 'true ? ' '2 ^ ' 'a.' '[1 for i in '; do
  { printf 'anchor a = "none"\ntrain { steps = '; many 20000 "$open"; } >s.calm; refused s 'nested too deeply\|expected'
done

# --- sizes
llama() { printf 'model m = llama { vocab_size = 45 hidden_size = 8 intermediate_size = 8 num_attention_heads = 1 hidden_act = "silu" %s } tokenizer "tok.json"\n' "$1"; }
# the names of the family's keys are the library's
for layers in 100000 10001 9007199254740992 -1 0.5 1e300 '"2"' '[2]' true; do
  llama "num_hidden_layers = $layers" >s.calm; refused s 'blocks\|whole number\|a range\|number'
done
for context in 0 -5 1e300 2.5 '"2048"' 9007199254740992; do
  llama "num_hidden_layers = 1 max_position_embeddings = $context" >s.calm; refused s 'the context of model'
done
for extent in 9007199254740992 1e15 1e300 -4 0 4.5 '"4"' none '2 ^ 62' '3 * 2 ^ 61'; do
  arch "layers i in 0..1 under \"\" (x[T, D]) { return x * weight(\"w\")[$extent] }" >s.calm; refused s 'an extent is'
done
arch 'layers i in 0..1 under "" (x[T, D]) { return x * weight("w")[1048576, 1048577] }' >s.calm; refused s 'more elements than a tensor may have'
arch 'layers i in 0..1 under "" (x[T, D]) { y = x[T, 1] return x + sum(weight("a")[1048576, 1] * weight("b")[1, 1048577]) * 0 }' >s.calm; refused s 'error\|element'
arch 'layers i in 0..1 under "" (x[T, D]) { w = weight("a")[1048576, 1] * weight("b")[1, 1048577] return x + mean(mean(w)) }' >s.calm; refused s 'more elements than a tensor may have'
{ echo "$model"; echo 'arch z for "Z" { layers i in 0..1 under "" (x[T, D]) { return x * rsqrt(mean(x * x) + 1) }'
  echo 'embed(ids[T]) = lookup(ids, weight("e")[45, 8589934592])  head(x[T, D]) = linear(x, weight("e")[45, 8589934592]) }'; } >s.calm; refused s 'runs over at most 4194304 numbers'
spec '' '(9007199254740992 * 1000 - 1) % (9007199254740992 * 1000)' 'steps\|none'
spec '' '1e308 * 10' 'not a finite number'
spec '' '(-1e308) ^ 3' 'not a finite number'
spec '' '(-8) ^ 0.5' 'not a finite number'
spec '' '1 / -0.0' 'division by zero'
printf 'augment b = "none"\nanchor a = "none"\nconnect b[0..9000000000 step 0] -> a[every 0] with cross_attention(heads = 4)\n' >s.calm; refused s 'no such directory'
echo "little text: $tried refused"; tried=0

# --- much text of one kind
begin='anchor a = "none"'
{ echo "$begin"; echo 'train {'; many 20000 's@ = @ '; echo '}'; } >s.calm; refused s "no setting 's0'"; told 'at least'
{ echo "$begin"; many 20000 'fn f@(x) = x '; } >s.calm; refused s 'no such directory'
{ echo "$begin"; many 20000 'fn f(x) = x '; } >s.calm; refused s 'already'
{ echo "$begin"; echo 'fn f(x) {'; many 20000 'v@ = q@ '; echo 'return x }'; } >s.calm; refused s "unknown name 'q0'"
{ echo "$begin"; echo 'fn f(x) {'; many 20000 'v@ = x '; echo 'return v19999 } train { steps = f(0 - 1) }'; } >s.calm; refused s 'steps: expected'
{ echo "$begin"; echo 'arch a for'; many 20000 '"A@",' | sed 's/,$//'; echo '{ }'; } >s.calm; refused s "no 'embed' section"
many 20000 'augment b@ = "none" ' >s.calm; echo "$begin" >>s.calm; refused s 'no such directory'
{ echo "$begin"; many 20000 'eval "e@" { data = "x" } '; } >s.calm; refused s 'no such directory'
{ echo "$begin"; many 20000 'connect a[1] -> a[@] with cross_attention(heads = 4) '; } >s.calm; refused s 'no such directory'
{ echo "$begin"; many 20000 'use "u@.calm" '; } >s.calm; refused s "cannot read 'u0.calm'"
mkdir chain; awk 'BEGIN { for (i = 0; i < 600; i++) { f = "chain/" i ".calm"; printf "use \"%d.calm\"\n", i + 1 >f; close(f) } }'; echo 'fn f(x) = x' >chain/600.calm
{ echo "$begin"; echo 'use "chain/0.calm"'; } >s.calm; refused s 'files that a spec may use'
{ echo "$begin"; printf 'fn f('; many 20000 'a@, '; printf 'x) = 1 train { steps = f('; many 20000 'a@ = 1, '; echo 'x = 1) }'; } >s.calm; refused s 'at most 200 arguments'
for bytes in '(' '[' '{' '}' ')' ']' '([{' '"' '#"' '$' 'x ' '"x" ' 'anchor ' '; ' '= '; do
  { echo "$begin"; many 20000 "$bytes"; } >s.calm; refused s ''
done
{ echo "$begin"; printf 'train { data = "'; many 20000 'xxxxxxxx'; echo '" steps = 0.5 }'; } >s.calm; refused s 'steps'
echo "much text: $tried refused"; tried=0

# --- config.json: what a file says is as hostile as what a spec does
mkdir m && cp "$root/tests/parity/fixture/base/model.safetensors" m
config() { printf '{"architectures": ["Z"], %s}\n' "$1" >m/config.json; }
of_config() { printf 'anchor a = "m"\narch z for "Z" { config { %s } layers i in 0..0 under "" (x[T, D]) { return x } %s }\n' "$1" "$sizes" >s.calm; }
nest() { many "$1" "$2"; printf 1; many "$1" "$3"; }
config "\"deep\": $(nest 100000 '{"a":' '}')"; of_config 'x = deep'; refused s 'm/config.json'
config "\"deep\": $(nest 1900 '{"a":' '}')"; of_config 'x = deep'; refused s "config key 'deep.a'"
config "\"deep\": $(nest 1900 '[' ']')"; of_config 'x = [d for d in deep]'; refused s 'weight'
config "\"big\": 123456789012345678901234567890"; of_config 'x = big'; refused s 'm/config.json'
config "$(many 20000 '"k@": @, ') \"last\": 0"; of_config 'x = last'; refused s "config key 'k0'"
config "\"o\": {$(many 20000 '"k@": @, ') \"last\": 0}"; of_config "$(many 20000 'v@ = o.k@ ')"; refused s "config key 'o.last'"
config '"a": {"zz": 1}'; of_config "x = x $(many 60 '?? x ') y = x.zz c = a"; refused s "config key 'a.zz'"
config '"a": {"zz": 1}'; of_config "$(many 300 'v@ = w@ ?? w@ w@ = v@ ?? v@ ') y = v0.zz c = a"; refused s "config key 'a.zz'"
config '"a": 1'; of_config "x = a.b.c"; refused s "no member 'b'"
{ echo 'model m = z { } tokenizer "tok.json" init {'; many 2000 '"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b@" = ones '; echo '}'
  echo "arch z for \"Z\" { layers i in 0..2 under \"$(many 100 a)\" (x[T, D]) { return x * weight(\"$(many 100 a)\")[4] } $sizes }"; } >s.calm
(limited "$CALMC" build s.calm --emit=plan -o out.plan) >said 2>&1 || fail "patterns of init rules: $(head -c 600 said)"
# more blocks than the files hold, and more models than anyone joins
cp "$root/tests/parity/fixture/base/config.json" fixture.json
sed 's/"num_hidden_layers": *[0-9]*/"num_hidden_layers": 9999/' fixture.json >m/config.json
printf 'anchor a = "m"\naugment b = "m"\nconnect b[every 2] -> a[spread] with cross_attention(heads = 1)\n' >s.calm; refused s 'has no weight'
[ "$(grep -c 'error: ' said)" -lt 40 ] || fail "what the first block that is not there lacks is told for others: $(grep -c 'error: ' said) errors"
cp fixture.json m/config.json
{ echo 'anchor a = "m"'; many 8000 'augment b@ = "m"
'; } >s.calm; refused s "'b63' is model number 65: a composition has at most 64"
echo "config.json: $tried refused"

# --- what can be meant is done, in memory that grows with it
for n in 50 200; do
  llama "num_hidden_layers = $n" >s.calm
  (limited "$CALMC" build s.calm --emit=graph -o out.graph) >said 2>&1 || fail "$n blocks: $(head -c 600 said)"
  grep -c 'mlp.up_proj' out.graph >"lines.$n"
done
[ "$(($(cat lines.50) * 4))" = "$(cat lines.200)" ] || fail "200 blocks are not four times 50: $(cat lines.50 lines.200)"
