# Benchmarks: built on demand (`ninja -C build bench`), never part of a test's pass condition.
add_custom_target(bench)
add_executable(bench_tokenizer EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/tokenizer_rate.c)
target_link_libraries(bench_tokenizer PRIVATE calm_rt)
add_dependencies(bench bench_tokenizer)
