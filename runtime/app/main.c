// main of every compiled program: hands what was compiled to the commands.
#include "runtime/abi/abi.h"
#include "runtime/commands/commands.h"

__attribute__((used)) static const char mark[] = PROGRAM_MARK;

// The ends of section RT_ALONE_SECTION, by the linker; nowhere in a program without it.
extern const RtProgram *const __start_calm_alone[] __attribute__((weak));
extern const RtProgram *const __stop_calm_alone[] __attribute__((weak));

int main(int argc, char **argv) {
  RtProgram p = {.json = calm_program_json, .json_len = calm_program_json_len, .entries = calm_entries, .isas = calm_isas,
                 .isa_count = calm_isa_count, .scratch_bytes = calm_scratch_bytes, .entry_scratch = calm_entry_scratch,
                 .alone = __start_calm_alone, .nalone = __stop_calm_alone - __start_calm_alone};
  return cli_main(&p, argc, argv);
}
