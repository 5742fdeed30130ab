#!/bin/sh
# Rules of layout: file length, direction of includes, who may see LLVM, a README per folder, no op by name where traits are asked, files that
# comments name, no model family's name in the C sources. What is looked for in the sources themselves: lint.awk.
set -eu
cd "$(dirname "$0")/../.."
bad=0
say() { echo "$*"; bad=1; }
# Rooms: a folder, and the folders that its files may include (its own always). An arrow that is not here is not to be.
rooms() {
  cat <<'END'
dsl/base
dsl               dsl/base runtime/abi dsl_gen
runtime/abi
runtime/core
runtime/draw      runtime/core
runtime/files     runtime/core runtime/abi
runtime/text      runtime/core runtime/abi runtime/files
runtime/template  runtime/core
runtime/machine   runtime/core runtime/abi
runtime/engine    runtime/core runtime/abi runtime/files runtime/machine
runtime/rows      runtime/core runtime/abi runtime/files runtime/text runtime/template runtime/engine
runtime/work      runtime/core runtime/abi runtime/files runtime/text runtime/template runtime/machine runtime/engine runtime/rows
runtime/commands  runtime/core runtime/abi runtime/draw runtime/files runtime/text runtime/template runtime/machine runtime/engine runtime/rows runtime/work
runtime/app       runtime/abi runtime/commands
compiler/model    dsl/base runtime/abi runtime/core runtime/files runtime/text
compiler/graph    dsl/base runtime/abi
compiler/autodiff dsl/base runtime/abi compiler/graph
compiler/passes   dsl/base runtime/abi compiler/graph
compiler/plan     dsl/base runtime/abi compiler/graph
compiler/build    dsl/base dsl runtime/abi runtime/core runtime/files runtime/text compiler/model compiler/graph compiler/autodiff compiler/passes
compiler/llvm     dsl/base runtime/abi compiler/graph compiler/plan codegen_gen
compiler          dsl/base dsl runtime/abi runtime/core runtime/files runtime/text runtime/draw runtime/machine compiler/model compiler/graph compiler/autodiff compiler/passes compiler/build compiler/plan compiler/llvm codegen_gen
END
}
for d in $(rooms | sed 's/ .*//'); do [ -d "$d" ] || say "lint: no folder $d"; done
# no loose sources, and no folder that is no room
for f in runtime/*.[ch]; do [ ! -f "$f" ] || say "$f stands in no room"; done
for d in runtime/*/ compiler/*/; do rooms | grep -q "^${d%/}\( \|\$\)" || say "$d is no room of tests/lint/lint.sh"; done

for d in $(rooms | sed 's/ .*//') runtime examples examples/lib examples/kv_arithmetic examples/real_pair examples/low_resource examples/code tests bench; do
  [ -f "$d/README.md" ] || say "$d has no README.md"
done

# nothing stands at the top by mistake: what a test or a build printed, an archive, a spec that was tried
for f in $(git ls-files 2>/dev/null | sed 's/\/.*//' | sort -u); do
  case $f in .ci | .gitignore | CMakeLists.txt | LICENSE | MANUAL.md | README.md | bench | compiler | dsl | examples | runtime | scripts | tests) ;;
    *) say "$f: nothing of that name has its place at the top" ;; esac
done

# names of families, and every arch and architecture of the library
families='llama|gemma|qwen|gpt[-_ ]?[0-9j]|gpt[-_]?neo|phi[-_]?[0-9]|mistral|mixtral|smollm|falcon|olmo|deepseek'
for name in $(sed -n 's/^arch \([A-Za-z0-9_]*\) for \(.*\){$/\1 \2/p' dsl/std/*.calm | sed 's/ like .*//' | tr -d '",' | tr A-Z a-z); do families="$families|$name"; done

# everything else in one pass, because the lint is run often
sources=$(find compiler dsl runtime examples tests bench -name '*.[chly]' -o -name '*.def' | sort)
{ echo "families $families"; rooms; find compiler dsl runtime examples tests bench scripts *.md -type f | sed 's/^/file /'; } | awk -f tests/lint/lint.awk - $sources || bad=1
[ $bad = 0 ] && echo "lint: nothing to say"
exit $bad
