# Sourced by the end-to-end tests. CALMC and STCMP are set by ctest; each test works in its own directory and leaves nothing behind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=$root/../shared/data
dir=$(mktemp -d)
# what a test that failed left running goes with its directory
ended() { jobs -p >"$dir/jobs"; while read -r left; do kill -KILL "$left" 2>/dev/null || :; done <"$dir/jobs"; rm -rf "$dir"; }
trap ended EXIT
cd "$dir"
export XDG_CACHE_HOME="$dir/cache"
fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "skipped: $*"; exit 77; }
# expect STATUS TEXT COMMAND…: the command must end with STATUS and say TEXT (a grep pattern) on standard error or output
expect() {
  want=$1 text=$2; shift 2
  set +e; "$@" >said 2>&1; got=$?; set -e
  [ "$got" = "$want" ] || fail "exit status $got, expected $want: $* ($(cat said))"
  grep -q -e "$text" said || fail "no '$text' from: $* ($(cat said))"
}
# quiet FILE: takes the lines from it in which calmc says what it is at, where a build takes long
quiet() { grep -v '^[^:]*[.]calm: [a-z ]*$' "$1" >"$1.quiet" || :; mv "$1.quiet" "$1"; }
# flip FILE BYTE: its lowest bit
flip() { b=$(od -An -tu1 -j "$2" -N1 "$1"); printf "\\$(printf %o $((b ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }
# build SPEC.calm [-o PROGRAM]: for the path that runs here, which is a third of the work; with `only=` for all of them
only='--isa native'
build() { "$CALMC" build $only "$@" >build.log 2>&1 || fail "calmc build $*: $(cat build.log)"; }
isas() { ./"$1" info --json 2>/dev/null | tr ',' '\n' | grep -o 'avx512\|avx2' | sort -u; }
# The fixture of two tokenizers in this directory: models llama and gemma, four specs.
two_tokenizers() {
  cp -r "$root/tests/parity/two_tokenizers/." .
  cp "$root/tests/parity/tokenizer/synthetic/byte_words.json" llama/tokenizer.json
  cp "$root/tests/parity/tokenizer/synthetic/fallback_prepend.json" gemma/tokenizer.json
}
# made NAME WIDTH INNER BLOCKS HEADS KEY_HEADS CONTEXT THETA: a llama made from nothing, as text of a spec; its tokenizer comes to this directory
made() {
  cp "$root/tests/parity/tokenizer/synthetic/chars.json" .
  cat <<END
model $1 = llama {
  vocab_size = 45  hidden_size = $2  intermediate_size = $3  num_hidden_layers = $4  num_attention_heads = $5  num_key_value_heads = $6
  max_position_embeddings = $7  bos_token_id = 0  eos_token_id = 1  rms_norm_eps = 1e-6  rope_theta = $8  hidden_act = "silu"
  tie_word_embeddings = false
} tokenizer "chars.json" init { "*norm.weight" = ones  "*" = fan_in(1) }
END
}
# tiny: the smallest there is, an arch of its own, likewise
tiny() {
  cp "$root/tests/parity/tokenizer/synthetic/chars.json" .
  cat <<'END'
arch tiny for "TinyLM" {
  config { V = vocab_size  D = hidden_size }
  embed(ids[T]) = lookup(ids, weight("e")[V, D])
  layers i in 0..1 under "l." (x[T, D]) { return x }
  head(x[T, D]) = linear(x, weight("h")[V, D])
}
model m = tiny { vocab_size = 45 hidden_size = 8 } tokenizer "chars.json"
END
}
# Instruction-set paths this machine has, by spec NAME.calm built as NAME.
available_isas() {
  [ -f "$1" ] || build "$1.calm" -o "$1"
  for i in avx512 avx2; do CALM_ISA=$i ./"$1" info >/dev/null 2>&1 && echo $i || echo "this machine has no $i" >&2; done
}
# The composition of NAME.calm, its op's output not zero at the start but of random numbers times GAIN, so that untrained it changes the anchor.
loud() {                       # NAME GAIN
  sed 's/cross_attention/loud/' "$1.calm"
  cat <<END
op loud(b[N, D], a[M, E], heads: int) -> delta[N, D] {
  param proj[D, E], wq[heads, D / heads, D], wk[heads, D / heads, D], wv[heads, D / heads, D], wo[D, D] = fan_in($2)
  p = linear(a, proj)
  o[N, D] = attention(linear(b, wq), linear(p, wk), linear(p, wv))
  return linear(o, wo)
}
END
}
score() { prog=$1 out=$2; shift 2; ./"$prog" score --seed 1 --out "$out" "$@" 2>err || fail "$prog score $*: $(cat err)"; }
# ids of a line that tokenize printed: "1, 2, 3"
ids_of() { sed 's/.*"ids": *\[\([^]]*\)\].*/\1/'; }
# leak_rows VOCAB PROMPT [CUT…]: of each ids line on standard input a row of its ids, and for each CUT (every one, from the longest) a row that agrees
# with it on the first CUT ids and has others of the vocabulary behind; the first PROMPT ids are not labelled.
leak_rows() {
  vocab=$1 prompt=$2; shift 2
  ids_of | awk -F', *' -v vocab="$vocab" -v prompt="$prompt" -v cuts="$*" '{
    srand(9)
    if (cuts == "") for (i = NF - 1; i >= 1; i--) every = every " " i
    n = split(NF " " (cuts == "" ? every : cuts), c, " "); every = ""
    for (j = 1; j <= n; j++) {
      s = t = ""
      for (k = 1; k <= NF; k++) {
        id = k <= c[j] ? $k : ($k + 1 + int(rand() * (vocab - 2))) % vocab
        s = s (k > 1 ? ", " : "") id; t = t (k > 1 ? ", " : "") (k <= prompt ? -100 : id)
      }
      print "{\"input_ids\": [" s "], \"labels\": [" t "]}"
    }
  }'
}
# Rows ROW and 0 of FILE have the same ids up to token CUT and others behind it: the tensors KEY agree bit for bit up to there, and differ after.
same_until() {                 # FILE ROW KEY CUT
  "$STCMP" "$1" "$1" --key "$2.$3" --as "0.$3" --rows "$4" --exact >/dev/null || fail "$1: what comes after token $4 reached back ($3)"
}
differs_after() {              # FILE ROW KEY CUT
  "$STCMP" "$1" "$1" --key "$2.$3" --as "0.$3" --rows "$4" --after --differ 1e-3 >/dev/null || fail "$1: later tokens change nothing"
}
# earlier FORMAT FILE SPEC MODEL…: a theta.json on standard output as calm saved it in format 1 (no hashes of files) or 2, when it belonged to a text of the
# spec (its SHA-256, SPEC) and kept no data; each MODEL a directory of that name.
earlier() {
  format=$1 file=$2 spec=$3 models=; shift 3
  for m; do
    models="$models${models:+, }\"$m\": {\"model.safetensors\": \"$(sha256sum <$m/model.safetensors | cut -c1-64)\", \"config.json\": \"$(sha256sum <$m/config.json | cut -c1-64)\"}"
  done
  awk -v format="$format" -v belongs="{\"spec\": \"$spec\", \"models\": {$models}}" '
    /^  "calm":/ { print "  \"calm\": " format ","; next }
    /^  "(sha256|window)":/ { next }
    /^  "(belongs_to|data|spec_train)": \{$/ || (format == 1 && /^  "files": \{$/) { gone = 1; if (/belongs_to/) print "  \"belongs_to\": " belongs "," }
    gone { if (/^  \}/) gone = 0; next }
    /^  "spec_train": / { next }
    { print }' "$file"
}
# unsigned FILE…: theta.json without the hash of itself, to be changed
unsigned() { sed -i '/^  "sha256":/d' "$@"; }
# until_that PID FILE COMMAND…: waits until the command is true, which process PID, started here, brings about; FILE is what it said, for a failure:
# where the process is gone before, or after two minutes
until_that() {
  process=$1 says=$2 tries=0; shift 2
  until "$@"; do
    tries=$((tries + 1))
    { [ $tries -lt 2400 ] && kill -0 "$process" 2>/dev/null; } || "$@" || fail "not so after $tries looks, while process $process ran: $* ($(cat "$says"))"
    sleep 0.05
  done
}
# stopped PID FILE: no thread of that process runs until it gets SIGCONT, so that what is done meanwhile comes between two of its instructions
stopped() { kill -STOP "$1" && until_that "$1" "$2" no_thread_runs "$1"; }
# opened PID NAME: that process has a file of that name open, itself: until it is the program that it becomes, it has what this shell has open
opened() { [ "$(cat /proc/"$1"/comm 2>/dev/null)" != "$(cat /proc/$$/comm)" ] && ls -l /proc/"$1"/fd 2>/dev/null | grep -q -e "-> .*$2\$"; }
# through PIPE FILE COMMAND…: what the command writes into the pipe comes to FILE; whoever reads it or writes first, the pipe has a reader and keeps what it has
through() {
  pipe=$1 file=$2; shift 2
  exec 7<>"$pipe"
  cat "$pipe" >"$file" 2>cat.err 7>&- & reader=$!
  got=0; "$@" 7>&- || got=$?
  until_that $reader cat.err opened $reader "$pipe"
  exec 7>&-
  wait $reader
  rm cat.err
  return $got
}
no_thread_runs() { ! cat /proc/"$1"/task/*/status 2>/dev/null | grep -q '^State:[[:space:]]*[^T[:space:]]'; }
# group CONTROLLER FILES…: a control group of this test in $group, v2 or v1 (the one that has one of the files), with another inside it, where
# root can make one. inside COMMAND… runs a command in the inner one; drop removes both.
group() {
  controller=$1; shift
  for top in "/sys/fs/cgroup/$controller" /sys/fs/cgroup; do
    for file in "$@"; do
      group=$top/calm-test-$$
      mkdir "$group" 2>/dev/null || continue
      [ -f "$group/$file" ] && mkdir "$group/in" && inside true 2>/dev/null && trap 'drop; ended' EXIT && return 0
      drop
    done
  done
  echo "skipped: no control group with $* can be made here"
  return 1
}
drop() { rmdir "$group/in" "$group" 2>/dev/null || :; trap ended EXIT; }
inside() { GROUP=$group sh -c 'echo $$ >"$GROUP/in/cgroup.procs" && exec "$@"' sh "$@"; }
