// Spends known parts of a thread's CPU time in four functions: a 10 %, b 20 %, c 30 %, d 40 %.
// `duty MILLISECONDS [FILE [OTHER]]` says at its end what each truly had, in nanoseconds of the
// thread's own clock. Before it begins it removes FILE, or renames OTHER to it.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile uint64_t sink;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// Each multiplies by another number, so that no two are folded into one. The clock is looked at every
// 50 µs or so, since within it a program without frame pointers has no callers.
#define DUTY(NAME, FACTOR)                           \
    __attribute__((noinline)) void NAME(uint64_t ns) { \
        uint64_t until = now() + ns;                 \
        do {                                         \
            for (int i = 0; i < 20000; i++) {        \
                sink = sink * FACTOR + 1;            \
            }                                        \
        } while (now() < until);                     \
    }

DUTY(a, 3)
DUTY(b, 5)
DUTY(c, 7)
DUTY(d, 9)

int main(int argc, char **argv) {
    void (*functions[])(uint64_t) = {a, b, c, d};
    if (argc == 3 ? unlink(argv[2]) : argc == 4 ? rename(argv[3], argv[2]) : 0) {
        perror(argv[2]);
        return 1;
    }
    uint64_t spent[4] = {0};
    uint64_t end = now() + (argc > 1 ? strtoull(argv[1], NULL, 10) : 1000) * 1000000;
    uint64_t chance = 1;
    while (now() < end) {
        for (int i = 0; i < 4; i++) {
            // Of uneven length, so that no rate of sampling keeps step with them.
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            uint64_t length = (uint64_t)(i + 1) * (500000 + (chance >> 33) % 1000000);
            uint64_t began = now();
            functions[i](length);
            spent[i] += now() - began;
        }
    }
    for (int i = 0; i < 4; i++) {
        printf("%c %llu\n", "abcd"[i], (unsigned long long)spent[i]);
    }
}
