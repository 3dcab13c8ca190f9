// Functions within functions, and calls whose return address belongs to somebody else.
// `inlined MILLISECONDS` works for so long.

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define INLINED static inline __attribute__((always_inline))

static volatile uint64_t sink;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

INLINED void innermost(uint64_t factor) {
    for (int i = 0; i < 10000; i++) {
        sink = sink * factor + 1;
    }
}

__attribute__((noinline)) void called(uint64_t factor) {
    innermost(factor);
    sink = 1;
}

INLINED void middle(uint64_t factor) {
    innermost(factor);
    called(factor + 2);
    sink = sink / 3;
}

__attribute__((noinline)) void outer(void) {
    middle(3);
    sink = sink + 1;
}

// Nothing follows a call of it: what the call would return to is the next function.
__attribute__((noinline, noreturn)) void work_and_exit(uint64_t until) {
    while (now() < until) {
        outer();
    }
    exit(0);
}

__attribute__((noinline)) void hurry(char **argv) {
    work_and_exit(now() + strtoull(argv[1], NULL, 10) * 1000000);
}

__attribute__((noinline)) void after_hurry(void) { sink = 2; }

int main(int argc, char **argv) {
    if (argc != 2) {
        after_hurry();
        return 1;
    }
    hurry(argv);
    return 0;
}
