// `becoming MILLISECONDS` works in `parent`, and a child that has never called `exec` in `child`;
// each says its pid. `becoming MILLISECONDS PROGRAM ARGUMENTS…` works in `before` and becomes PROGRAM.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

#define WORK(NAME, FACTOR)                            \
    __attribute__((noinline)) void NAME(uint64_t ns) { \
        volatile uint64_t sink = 0;                   \
        uint64_t until = now() + ns;                  \
        do {                                          \
            for (int i = 0; i < 20000; i++) {         \
                sink = sink * FACTOR + 1;             \
            }                                         \
        } while (now() < until);                      \
    }

WORK(parent, 3)
WORK(child, 5)
WORK(before, 7)

int main(int argc, char **argv) {
    if (argc < 2) {
        return 2;
    }
    uint64_t ns = strtoull(argv[1], NULL, 10) * 1000000;
    if (argc > 2) {
        before(ns);
        execv(argv[2], argv + 2);
        return 1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        child(ns);
        return 0;
    }
    parent(ns);
    waitpid(pid, NULL, 0);
    printf("parent %d\nchild %d\n", getpid(), pid);
}
