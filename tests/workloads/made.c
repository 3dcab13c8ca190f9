// Works in code that it makes while running, and tells of it in a perf map, after as many lines of
// nonsense as it is told: `made MILLISECONDS LINES`.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// Counts its argument down to 0.
#if defined(__x86_64__)
static const unsigned char code[] = {
    0x55,                    // push %rbp
    0x48, 0x89, 0xe5,        // mov %rsp, %rbp
    0x48, 0xff, 0xcf,        // dec %rdi
    0x75, 0xfb,              // jnz to the dec
    0x5d, 0xc3,              // pop %rbp; ret
};
#elif defined(__aarch64__)
static const unsigned char code[] = {
    0x00, 0x04, 0x00, 0xf1,  // subs x0, x0, #1
    0xe1, 0xff, 0xff, 0x54,  // b.ne to the subs
    0xc0, 0x03, 0x5f, 0xd6,  // ret
};
#endif

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void nonsense(FILE *map, unsigned long long made, unsigned line) {
    switch (line % 8) {
    case 0: fprintf(map, "%llx ffff everything around it %u\n", made - line % 4096, line); break;
    case 1: fprintf(map, "ffffffffffffff%02x ffffffffffffff00 beyond the end\n", line % 256); break;
    case 2: fprintf(map, "%x 20 \xff\xfe\x80 no text %u\n", line * 16, line); break;
    case 3: fprintf(map, "no numbers at all in line %u of this map\n", line); break;
    case 4: fprintf(map, "%llx 0 nothing\n", made); break;
    case 5: fputs(line == 5 ? "0 ffffffffffffffff all there is\n" : "\n", map); break;
    default: fprintf(map, "%llx 30 function_of_its_own_%u\n", 0x7000000000 + line * 64ull, line);
    }
}

int main(int argc, char **argv) {
    if (argc != 3) {
        return 2;
    }
    unsigned char *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(made, code, sizeof code);
    __builtin___clear_cache((char *)made, (char *)made + sizeof code);
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
    FILE *map = fopen(path, "w");
    unsigned lines = (unsigned)strtoul(argv[2], NULL, 10);
    for (unsigned line = 0; line < lines; line++) {
        nonsense(map, (unsigned long long)(uintptr_t)made, line);
    }
    // A name longer than any.
    for (unsigned i = 0; i < lines; i++) {
        fputs(i == 0 ? "1000 10 long" : "_and_longer", map);
    }
    fprintf(map, "\n%llx %zx made_while_running\n", (unsigned long long)(uintptr_t)made, sizeof code);
    fclose(map);
    uint64_t until = now() + strtoull(argv[1], NULL, 10) * 1000000;
    while (now() < until) {
        ((void (*)(uint64_t))made)(100000);
    }
}
