# All tests: built on demand (`ninja -C build tests`). A unit test is one file tests/unit/NAME.c, one cmocka executable.
enable_testing()

# --- compiles one kernel and runs it, for tests and for bench/; kernels call back into the executable, so it exports its symbols
add_library(calm_native STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/native_object.c)
target_compile_definitions(calm_native PRIVATE CALM_BINARY_DIR="${CMAKE_BINARY_DIR}")
target_link_libraries(calm_native PUBLIC calm_llvm calm_machine)
target_link_options(calm_native INTERFACE -rdynamic)
add_dependencies(calm_native calm_mmlib)
add_library(calm_testkit STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/kernel_harness.c
            ${CMAKE_SOURCE_DIR}/tests/unit/fence.c ${CMAKE_SOURCE_DIR}/tests/unit/panels.c ${CMAKE_SOURCE_DIR}/tests/unit/openblas.c)
target_link_libraries(calm_testkit PUBLIC calm_native m)

# --- everything below stands on cmocka; where it is not, whoever asks for tests is told what to install, and nobody else is bothered
find_library(CMOCKA_LIB cmocka)
find_path(CMOCKA_INC cmocka.h)
if(NOT CMOCKA_LIB OR NOT CMOCKA_INC)
  set(no_cmocka ${CMAKE_COMMAND} -E echo "calm: the tests need libcmocka-dev: run `sh scripts/setup --tests`, then configure again")
  foreach(target tests tests_unit tests_threads)
    add_custom_target(${target} COMMAND ${no_cmocka} COMMAND ${CMAKE_COMMAND} -E false VERBATIM)
  endforeach()
  add_test(NAME libcmocka-dev_is_missing COMMAND ${no_cmocka})
  set_tests_properties(libcmocka-dev_is_missing PROPERTIES LABELS "unit;threads" WILL_FAIL TRUE)
  return()
endif()

function(calm_unit_test name)
  add_executable(${name} EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/${name}.c)
  target_include_directories(${name} PRIVATE ${INC})
  target_link_libraries(${name} PRIVATE ${ARGN} ${CMOCKA_LIB})
  target_compile_definitions(${name} PRIVATE CALM_SOURCE_DIR="${CMAKE_SOURCE_DIR}" CALM_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit)
  set_property(GLOBAL APPEND PROPERTY CALM_TESTS ${name})
endfunction()

# --- dsl
add_library(calm_mutate STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/mutate.c)       # spoilt specs
target_link_libraries(calm_mutate PUBLIC calm_base)
calm_unit_test(test_dsl calm_dsl calm_mutate)

# --- graph, autodiff
calm_unit_test(test_graph_text calm_graph m)
calm_unit_test(test_eval calm_graph m)
calm_unit_test(test_autodiff calm_autodiff m)

# --- model, build
add_library(calm_tiny STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/tiny_model.c)   # model directories for tests
target_compile_definitions(calm_tiny PRIVATE CALM_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
target_link_libraries(calm_tiny PUBLIC calm_files)
calm_unit_test(test_build calm_build calm_tiny calm_mutate)
calm_unit_test(test_families calm_build calm_files m)

# --- passes, plan
add_library(calm_graphkit STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/graph_kit.c)   # small random graphs, evaluated
target_link_libraries(calm_graphkit PUBLIC calm_graph m ${CMOCKA_LIB})
add_library(calm_entrykit STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/entry_kit.c)   # those of small models
target_link_libraries(calm_entrykit PUBLIC calm_passes calm_autodiff calm_graphkit m)
calm_unit_test(test_passes calm_entrykit calm_plan)
calm_unit_test(test_gaps calm_plan)
calm_unit_test(test_cost calm_plan)

# --- llvm
calm_unit_test(test_llvm_row calm_testkit)
calm_unit_test(test_llvm_gemm calm_testkit)
calm_unit_test(test_llvm_experts calm_testkit)
calm_unit_test(test_llvm_xent calm_testkit)
calm_unit_test(test_llvm_dw calm_testkit)
calm_unit_test(test_llvm_gather calm_testkit)
calm_unit_test(test_dtype calm_testkit)
calm_unit_test(test_int8 calm_testkit)
calm_unit_test(test_llvm_epilogue calm_testkit)
calm_unit_test(test_llvm_attention calm_testkit)
# whole plans against the reference evaluator
add_library(calm_planrun STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/plan_runner.c ${CMAKE_SOURCE_DIR}/tests/unit/native_check.c)
target_link_libraries(calm_planrun PUBLIC calm_entrykit calm_native calm_plan)
calm_unit_test(test_native_ops calm_planrun)
calm_unit_test(test_native_graphs calm_planrun)
calm_unit_test(test_native_program calm_planrun calm_build calm_tiny)

# --- runtime
add_library(calm_tokenizer_files STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/tokenizer_files.c   # which to test, on what
            ${CMAKE_SOURCE_DIR}/tests/unit/random_text.c)
target_compile_definitions(calm_tokenizer_files PRIVATE CALM_SOURCE_DIR="${CMAKE_SOURCE_DIR}" CALM_BINARY_DIR="${CMAKE_BINARY_DIR}")
target_link_libraries(calm_tokenizer_files PUBLIC calm_rows ${CMOCKA_LIB})
calm_unit_test(test_tokenizer calm_tokenizer_files)
calm_unit_test(test_image calm_tokenizer_files)
calm_unit_test(test_settled calm_tokenizer_files)
calm_unit_test(test_most calm_tokenizer_files)
calm_unit_test(test_regex calm_tokenizer_files)
calm_unit_test(test_hostile calm_tokenizer_files calm_mutate)
calm_unit_test(test_ends calm_rows)
calm_unit_test(test_sha256 calm_files)
calm_unit_test(test_lines calm_files)
calm_unit_test(test_files calm_files)
calm_unit_test(test_packfile calm_files)
calm_unit_test(test_safetensors calm_files)
calm_unit_test(test_data calm_rows)
calm_unit_test(test_feed calm_rows)
calm_unit_test(test_follow calm_tokenizer_files)
calm_unit_test(test_chat calm_tokenizer_files)
calm_unit_test(test_template calm_template)
calm_unit_test(test_pool calm_machine)
calm_unit_test(test_rates calm_machine)
calm_unit_test(test_limits calm_commands)
calm_unit_test(test_batch calm_rows)
calm_unit_test(test_checkpoint calm_commands)
calm_unit_test(test_precision calm_commands)
calm_unit_test(test_settings calm_work)
calm_unit_test(test_call calm_core)
calm_unit_test(test_signals calm_commands)
calm_unit_test(test_trace calm_commands)
# a program of two small models, and everything that it asks the system for refused in turn
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/test_memory.dir/program.o
  COMMAND sh ${CMAKE_SOURCE_DIR}/tests/unit/test_memory.sh ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/test_memory.dir $<TARGET_FILE:calmc>
  DEPENDS calmc ${CMAKE_SOURCE_DIR}/tests/unit/test_memory.sh)
set_source_files_properties(${CMAKE_BINARY_DIR}/test_memory.dir/program.o PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
calm_unit_test(test_memory calm_commands calm_mmlib)
target_sources(test_memory PRIVATE ${CMAKE_BINARY_DIR}/test_memory.dir/program.o)
foreach(f malloc calloc realloc free mmap open openat write fsync rename renameat)
  target_link_options(test_memory PRIVATE -Wl,--wrap=${f})
endforeach()
calm_unit_test(test_sample calm_work)
calm_unit_test(test_textscore calm_work)
calm_unit_test(test_trainlog calm_work)

# --- calmc whose programs are of code that is not optimised, made in a third of the time, for scripts that look at what is around that code (below). In a
# folder of its own, since it looks for its parts beside itself; the matrix kernels are the other's.
set(quick ${CMAKE_BINARY_DIR}/quick)
add_library(calm_codegen_quick MODULE EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/compiler/llvm/object.c
            $<FILTER:$<TARGET_OBJECTS:calm_llvm>,EXCLUDE,/llvm/object[.]c>)
set_target_properties(calm_codegen_quick PROPERTIES PREFIX "" OUTPUT_NAME calm_codegen LINKER_LANGUAGE C LIBRARY_OUTPUT_DIRECTORY ${quick})
target_compile_definitions(calm_codegen_quick PRIVATE CALM_QUICK_CODE)
target_include_directories(calm_codegen_quick PRIVATE ${INC} ${LLVM_INC} ${CMAKE_BINARY_DIR})
add_dependencies(calm_codegen_quick calm_codegen_build)
target_link_libraries(calm_codegen_quick PRIVATE calm_plan ${LLVM_LIB})
add_custom_command(OUTPUT ${quick}/calmc COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:calmc> ${quick}/calmc DEPENDS calmc)
foreach(part calm_app calm_rtlib calm_mmlib)
  set(link ${quick}/$<TARGET_FILE_NAME:${part}>)
  list(APPEND quick_links COMMAND ${CMAKE_COMMAND} -E create_symlink $<TARGET_FILE:${part}> ${link})
endforeach()
add_custom_target(calmc_quick ${quick_links} DEPENDS ${quick}/calmc)
add_dependencies(calmc_quick calm_codegen_quick)

# --- under sanitizers: loops that say what kernels should give are tests' own, and most of the time of the tests that have them. They are optimised and
# not watched; the compiler that is tested is. An error needs few frames of where its memory came from.
get_property(calm_tests GLOBAL PROPERTY CALM_TESTS)
if(CALM_SANITIZE)
  file(GLOB references ${CMAKE_SOURCE_DIR}/tests/unit/test_llvm_*.c)
  foreach(name test_int8 test_dtype test_native_ops test_native_graphs kernel_harness fence panels openblas plan_runner native_check)
    list(APPEND references ${CMAKE_SOURCE_DIR}/tests/unit/${name}.c)
  endforeach()
  set_property(SOURCE ${references} APPEND PROPERTY COMPILE_OPTIONS -O2 -fno-sanitize=all)
  set_property(TEST ${calm_tests} PROPERTY ENVIRONMENT "ASAN_OPTIONS=malloc_context_size=5")
endif()

# --- what is built for a test run: all, or what ctest's labels `unit` and `threads` choose
add_custom_target(tests_unit DEPENDS ${calm_tests})
set(threads_tests test_pool test_feed)                    # those that run under the thread sanitizer
set_property(TEST ${threads_tests} PROPERTY LABELS "unit;threads")
add_custom_target(tests_threads DEPENDS ${threads_tests})
add_custom_target(tests)
add_dependencies(tests tests_unit calmc calmc_quick)

# --- whole programs: shell scripts under tests/e2e and tests/lint; exit status 77 = skipped, saying why. Those of `around` build many
# programs and are about calmc, the graph that it builds, or what a program does with files and words: code that is not optimised will do. The others, with
# those about numbers, speed and memory among them, have calmc as a user has it.
set(around binding calmc_limits chat chat_aligned checkpoints cli experiments families field gains generation limits no_files outputs own pack pairs run_dir taps
    two_tokenizers two_tokenizers_errors verify words)
foreach(tool stcmp stcat stsplit stint8 peak)
  add_executable(${tool} EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/tool/${tool}.c)
  target_include_directories(${tool} PRIVATE ${INC})
  target_link_libraries(${tool} PRIVATE calm_files)
  add_dependencies(tests ${tool})
endforeach()
file(GLOB e2e_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/e2e/*.sh ${CMAKE_SOURCE_DIR}/tests/lint/*.sh)
foreach(script ${e2e_tests})
  get_filename_component(name ${script} NAME_WE)
  if(name STREQUAL lib)
    continue()
  endif()
  add_test(NAME ${name} COMMAND sh ${script})
  set(calmc $<TARGET_FILE:calmc>)
  if(name IN_LIST around)
    set(calmc ${quick}/calmc)
  endif()
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77
    ENVIRONMENT "CALMC=${calmc};STCMP=$<TARGET_FILE:stcmp>;STCAT=$<TARGET_FILE:stcat>;STSPLIT=$<TARGET_FILE:stsplit>;STINT8=$<TARGET_FILE:stint8>;PEAK=$<TARGET_FILE:peak>")
endforeach()

# The longest begin first, so that none of them is left over at the end.
set_tests_properties(test_native_graphs test_native_ops test_llvm_attention test_memory test_hostile test_follow families memory cli limits real real_pair real_pair_example taps two_tokenizers PROPERTIES COST 100)
