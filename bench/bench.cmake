# Benchmarks: built on demand (`ninja -C build bench`), never part of a test's pass condition.
add_custom_target(bench)
