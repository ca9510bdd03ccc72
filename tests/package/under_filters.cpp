// Takes on seccomp filters and becomes another program: what `setpriv --seccomp-filter` does from util-linux 2.40 on.
//   under_filters FILE… -- PROGRAM [ARGUMENT…]     FILE: a classic BPF program, as seccomp_export_bpf(3) writes it
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

namespace {

bool take_on(char const* file) {
    static std::array<sock_filter, BPF_MAXINSNS> program;
    int const fd = ::open(file, O_RDONLY | O_CLOEXEC);
    auto const bytes = ::read(fd, program.data(), sizeof program);
    ::close(fd);
    if (bytes <= 0 || std::size_t(bytes) % sizeof(sock_filter) != 0) return false;
    sock_fprog const filter{static_cast<unsigned short>(std::size_t(bytes) / sizeof(sock_filter)), program.data()};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

int main(int argc, char** argv) {
    int i = 1;
    for (; i < argc && std::strcmp(argv[i], "--") != 0; ++i)
        if (!take_on(argv[i])) return std::perror(argv[i]), 125;
    if (i + 1 >= argc) return 125;
    ::execv(argv[i + 1], argv + i + 1);
    std::perror(argv[i + 1]);
    return 126;
}
