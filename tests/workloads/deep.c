// Works at the bottom of 10,000 calls of itself, for as many milliseconds of CPU time as it is told.

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static volatile uint64_t sink;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

__attribute__((noinline)) uint64_t dive(int depth, uint64_t ns) {
    if (depth > 0) {
        // Something is left to do after the call, so that it is not made a jump.
        return dive(depth - 1, ns) + sink;
    }
    uint64_t until = now() + ns;
    do {
        for (int i = 0; i < 20000; i++) {
            sink = sink * 3 + 1;
        }
    } while (now() < until);
    return sink;
}

int main(int argc, char **argv) {
    return argc == 2 && dive(10000, strtoull(argv[1], NULL, 10) * 1000000) == 1;
}
