/* A library that does nothing: what it costs to preload anything at all. */
extern const int bench_empty;
const int bench_empty = 0;
