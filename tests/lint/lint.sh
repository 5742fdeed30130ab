#!/bin/sh
# Rules of layout: file length, direction of includes, who may see LLVM, a README per folder, no model family's name in the C sources.
set -eu
cd "$(dirname "$0")/../.."
bad=0
say() { echo "$*"; bad=1; }
sources=$(find compiler dsl runtime examples tests bench -name '*.[chly]' -o -name '*.def' | sort)

for f in $sources; do
  n=$(wc -l <"$f")
  [ "$n" -le 800 ] || say "$f: $n lines, at most 800"
  case $f in compiler/llvm/*) ;; *) ! grep -Hn 'include *<llvm-c/' "$f" || say "$f: only compiler/llvm includes llvm-c" ;; esac
done

# who may include whom: folder, then the folders it may see (its own always)
check() {
  folder=$1; shift
  for f in $(find "$folder" -maxdepth 1 -name '*.[chly]'); do
    for inc in $(sed -n 's/^#include "\([a-z_]*\)\/.*/\1/p' "$f"); do
      ok=no
      for a in "$(basename "$folder")" "$@"; do [ "$inc" = "$a" ] && ok=yes; done
      [ $ok = yes ] || say "$f includes $inc/…; $folder may include: $*"
    done
  done
}
check compiler/base
check dsl base dsl_gen
check runtime
check runtime/app runtime
check compiler/model base runtime
check compiler/graph base
check compiler/autodiff base graph
check compiler/passes base graph
check compiler/plan base graph
check compiler/build base dsl model graph autodiff passes runtime
check compiler/llvm base graph plan runtime          # rt_abi.h: what generated code and the runtime agree on
check compiler base dsl model graph autodiff passes build plan llvm runtime

for d in dsl compiler compiler/base compiler/model compiler/graph compiler/autodiff compiler/passes compiler/build compiler/plan compiler/llvm runtime \
         examples examples/lib examples/kv_arithmetic examples/real_pair tests bench; do
  [ -f "$d/README.md" ] || say "$d has no README.md"
done

# names of families, and every arch and architecture of the library
families='llama|gemma|qwen|gpt[-_ ]?[0-9j]|gpt[-_]?neo|phi[-_]?[0-9]|mistral|mixtral|smollm|falcon|olmo|deepseek'
for name in $(sed -n 's/^arch \([A-Za-z0-9_]*\) for \(.*\){$/\1 \2/p' dsl/std/*.calm | tr -d '",'); do families="$families|$name"; done
for f in $sources; do
  ! grep -HniE "$families" "$f" || say "$f: names a model family; the compiler knows tensor operations"
done
[ $bad = 0 ] && echo "lint: nothing to say"
exit $bad
