// Loaded into a server with LD_PRELOAD: notes how long each fdatasync and fsync of that process takes, in /dev/shm/gantry_bench_sync.<pid>,
// a Histogram that another process reads at any moment. It measures the syncs that the server makes anyway; a probe that made its
// own would slow the very disk it measures. It costs two clock reads a sync.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "bench/histogram.h"
#include "bench/tool.h"

using gantry::bench::Histogram;

// A process that can't make its file is measured without: the probe never fails the program it sits in.
static Histogram* shared_histogram() {
    char path[64];
    std::snprintf(path, sizeof path, "/dev/shm/gantry_bench_sync.%d", int(getpid()));
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(Histogram)) != 0) return nullptr;
    void* at = mmap(nullptr, sizeof(Histogram), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at == MAP_FAILED ? nullptr : static_cast<Histogram*>(at);
}

static int timed(int (*sync)(int), int fd) {
    static Histogram* histogram = shared_histogram();
    auto before = gantry::bench::now_ns();
    int rc = sync(fd);
    int error = errno;
    if (histogram) {
        auto took = std::uint64_t(gantry::bench::now_ns() - before);
        std::atomic_ref(histogram->counts[Histogram::index(took)]).fetch_add(1, std::memory_order_relaxed);
    }
    errno = error;
    return rc;
}

template <class F>
static F next(char const* name) {
    return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

extern "C" int fdatasync(int fd) {
    static auto real = next<int (*)(int)>("fdatasync");
    return timed(real, fd);
}
extern "C" int fsync(int fd) {
    static auto real = next<int (*)(int)>("fsync");
    return timed(real, fd);
}
