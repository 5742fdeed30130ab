// main of every compiled program: hands what was compiled to the commands.
#include "runtime/abi/abi.h"
#include "runtime/commands/commands.h"

__attribute__((used)) static const char mark[] = PROGRAM_MARK;

int main(int argc, char **argv) {
  RtProgram p = {.json = calm_program_json, .json_len = calm_program_json_len, .entries = calm_entries, .isas = calm_isas,
                 .isa_count = calm_isa_count, .scratch_bytes = calm_scratch_bytes, .entry_scratch = calm_entry_scratch};
  return cli_main(&p, argc, argv);
}
