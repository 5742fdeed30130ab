# Benchmarks: built on demand (`ninja -C build bench`), never part of a test's pass condition. They need no package that calm does not.
add_custom_target(bench)
# name, sources from the project's folder, then LIBS what it is linked with
function(calm_bench name)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  list(TRANSFORM arg_UNPARSED_ARGUMENTS PREPEND ${CMAKE_SOURCE_DIR}/)
  add_executable(${name} EXCLUDE_FROM_ALL ${arg_UNPARSED_ARGUMENTS})
  target_include_directories(${name} PRIVATE ${INC})
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  add_dependencies(bench ${name})
endfunction()

calm_bench(rates examples/lib/rates.c LIBS calm_machine)     # an example's program, here to stand beside roofline
calm_bench(roofline bench/roofline.c bench/measure.c LIBS calm_testkit)
calm_bench(dw bench/dw.c bench/measure.c LIBS calm_testkit)
calm_bench(attention bench/attention.c bench/measure.c LIBS calm_testkit)
calm_bench(bench_tokenizer bench/tokenizer_rate.c LIBS calm_rt)
calm_bench(bench_sha256 bench/sha256_rate.c LIBS calm_rt)
