// Two threads that move to the other CPU after every spell: one works in `left`, the other twice as
// long in `right`. `wandering MILLISECONDS CPU CPU` says at its end what each had, by its name.

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int cpus[2];
static uint64_t total;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

#define SPELL(NAME, FACTOR)                              \
    __attribute__((noinline)) void NAME(uint64_t until) { \
        volatile uint64_t sink = 0;                      \
        do {                                             \
            for (int i = 0; i < 20000; i++) {            \
                sink = sink * FACTOR + 1;                \
            }                                            \
        } while (now() < until);                         \
    }

SPELL(left, 3)
SPELL(right, 5)

static void *wander(void *name) {
    int is_left = *(char *)name == 'l';
    pthread_setname_np(pthread_self(), name);
    uint64_t end = is_left ? total : 2 * total;
    for (int turn = is_left; now() < end; turn++) {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(cpus[turn % 2], &only);
        sched_setaffinity(0, sizeof only, &only);
        (is_left ? left : right)(now() + 3000000);
    }
    return (void *)now();
}

int main(int argc, char **argv) {
    if (argc != 4) {
        return 2;
    }
    total = strtoull(argv[1], NULL, 10) * 1000000;
    cpus[0] = atoi(argv[2]);
    cpus[1] = atoi(argv[3]);
    char *names[] = {"left", "right"};
    pthread_t threads[2];
    void *spent;
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, wander, names[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &spent);
        printf("%s %llu\n", names[i], (unsigned long long)(uintptr_t)spent);
    }
}
