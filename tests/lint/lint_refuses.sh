#!/bin/sh
# The lint sees what it is there for: includes against the arrows of the rooms and in circles, however they are spelt and wherever they stand; ops by
# name; comments that name what is not there. Each is tried in a copy of the sources.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp -r "$root/compiler" "$root/dsl" "$root/runtime" "$root/examples" "$root/tests" "$root/bench" "$root/scripts" "$root"/*.md "$dir"
cd "$dir"
sh tests/lint/lint.sh >said || { echo "the copy: $(cat said)"; exit 1; }
refuses() {                    # FILE LINE TEXT: the line at the end of the file, and what the lint must say
  cp "$1" kept
  echo "$2" >>"$1"
  ! sh tests/lint/lint.sh >said 2>&1 || { echo "the lint says nothing of $2 in $1"; exit 1; }
  grep -q -e "$3" said || { echo "the lint says of $2 in $1: $(cat said)"; exit 1; }
  cp kept "$1"
}
refuses runtime/engine/run.c '#include "runtime/commands/commands.h"' 'runtime/engine may include'
refuses runtime/core/rng.c '#include "runtime/files/json.h"' 'runtime/core may include'
refuses runtime/text/bpe.c '#include "runtime/rows/data.h"' 'runtime/text may include'
refuses runtime/text/placed.h '#include "runtime/text/pipeline.h"' 'runtime/text: a circle of includes: .*placed'
refuses runtime/abi/rt_abi.h '#include "graph/graph.h"' 'runtime/abi may include'
refuses runtime/rows/feed.c '#include "runtime/engine/region.h"' 'the door of runtime/engine is'
refuses compiler/graph/graph.c '#include "plan/plan.h"' 'compiler/graph may include'
refuses compiler/llvm/cg.c '#include "runtime/engine/program.h"' 'compiler/llvm may include'
refuses dsl/ast.c '#include "driver.h"' 'dsl may include'
refuses compiler/driver.c '#include <llvm-c/Core.h>' 'only compiler/llvm'
refuses compiler/driver.c '#  include "llvm-c/Core.h"' 'only compiler/llvm'
for spelt in '# include "runtime/commands/commands.h"' '#	include	"runtime/commands/commands.h"' '  #include "runtime/commands/commands.h"' \
             '#include"runtime/commands/commands.h"' '#include <runtime/commands/commands.h>'; do
  refuses runtime/engine/run.c "$spelt" 'runtime/engine may include'
done
refuses compiler/graph/graph.c '#include <plan/plan.h>' 'compiler/graph may include'
refuses compiler/graph/graph.c '#include <driver.h>' 'compiler/graph may include'
refuses runtime/engine/run.c '#include ROOM' 'an include says which file'
refuses runtime/abi/settings.def '#include "runtime/commands/commands.h"' 'runtime/abi may include'
refuses compiler/graph/ops.def '#include "plan/plan.h"' 'compiler/graph may include'
refuses compiler/llvm/tool/mkgen.c '#include "runtime/commands/commands.h"' 'compiler/llvm may include'
refuses dsl/source.h '#include "dsl/parse.h"' 'dsl: a circle of includes: .*source'
refuses compiler/build/build.h '#include "build/ctx.h"' 'compiler/build: a circle of includes: .*ctx'
refuses compiler/passes/cse.c 'int f(OpId op) { return op == OP_add; }' 'asks for an op by name'
refuses compiler/plan/fuse.c 'int f(OpId op) { switch (op) { case OP_sum: return 1; default: return 0; } }' 'asks for an op by name'
refuses compiler/passes/cse.c 'static const int cost[] = {[OP_add] = 1};' 'asks for an op by name'
refuses compiler/llvm/lanes.c 'int f(OpId op) { return strcmp(op_name(op), "add"); }' 'asks for an op by name'
refuses compiler/plan/fuse.h 'static inline int f(OpId op) { return !strncmp("add", op_name(op), 3); }' 'asks for an op by name'
refuses compiler/graph/graph.h '#include "graph/ops.h"' 'compiler/graph: a circle of includes: .*graph'
refuses runtime/engine/region.c '// As nowhere_else.c has it.' 'nowhere_else.c'
refuses runtime/engine/region.c 'int x; /* as nowhere_else.c has it */ int y;' 'nowhere_else.c'
refuses runtime/engine/region.c '/* in two lines,
   as nowhere_else.c has it */' 'nowhere_else.c'
refuses runtime/engine/region.c '// See runtime/region.h.' 'runtime/region.h'
refuses runtime/engine/region.c '// "quoted", and // nowhere_else.c' 'nowhere_else.c'
refuses runtime/work/settings.c 'const char *s = "give --data FILE";' 'names a flag below commands'
refuses compiler/graph/graph.c '// As in llama.' 'names a model family'
refuses compiler/graph/graph.c 'void f(void) { fputs("calmc: error: no", stderr); }' 'errors begin with'
echo 'const char *s = "/* nowhere_else.c"; // fine' >>runtime/core/clock.c
sh tests/lint/lint.sh >said || { echo "a string is no comment: $(cat said)"; exit 1; }
mv runtime/text/README.md kept
! sh tests/lint/lint.sh >said || { echo "the lint says nothing of a room without README"; exit 1; }
mv kept runtime/text/README.md
touch runtime/loose.c
! sh tests/lint/lint.sh >said || { echo "the lint says nothing of a source outside the rooms"; exit 1; }
echo "lint refuses: fine"
