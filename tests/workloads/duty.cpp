// As duty.c, with names that a compiler mangles.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {
volatile std::uint64_t sink;

std::uint64_t now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1000000000 + static_cast<std::uint64_t>(time.tv_nsec);
}
}  // namespace

namespace duty {
template <int FACTOR>
[[gnu::noinline]] void spin(std::uint64_t ns) {
    auto until = now() + ns;
    do {
        for (int i = 0; i < 20000; i++) {
            sink = sink * FACTOR + 1;
        }
    } while (now() < until);
}
}  // namespace duty

int main(int argc, char **argv) {
    void (*functions[])(std::uint64_t) = {duty::spin<3>, duty::spin<5>, duty::spin<7>, duty::spin<9>};
    std::uint64_t spent[4] = {};
    auto end = now() + (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000) * 1000000;
    std::uint64_t chance = 1;
    while (now() < end) {
        for (int i = 0; i < 4; i++) {
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            auto began = now();
            functions[i](static_cast<std::uint64_t>(i + 1) * (500000 + (chance >> 33) % 1000000));
            spent[i] += now() - began;
        }
    }
    for (int i = 0; i < 4; i++) {
        std::printf("%c %llu\n", "abcd"[i], static_cast<unsigned long long>(spent[i]));
    }
}
