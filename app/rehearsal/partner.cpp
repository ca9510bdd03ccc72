#include "app/rehearsal/partner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace gantry::app::rehearsal {
namespace {

constexpr std::size_t line_bytes_max = std::size_t{1} << 30;

struct Pipe {
    std::array<int, 2> ends{-1, -1};  // read, write
    bool open() { return ::pipe2(ends.data(), O_CLOEXEC) == 0; }
    int take(int which) { return std::exchange(ends[std::size_t(which)], -1); }
    ~Pipe() {
        for (int fd : ends)
            if (fd >= 0) ::close(fd);
    }
};

}  // namespace

std::unexpected<Problem> Partner::broken(std::string_view what) const {
    return fail(400, "rehearsal_binary_unusable",
                fmt::format("{}: {}; expected a gantry of a release that has the command rehearse-worker", binary_, what));
}

Result<void> Partner::spawn(std::vector<std::string> arguments) {
    Pipe in, out;
    if (!in.open() || !out.open()) return broken(std::strerror(errno));
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in.ends[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
    std::vector<char*> argv{binary_.data()};
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int const error = ::posix_spawnp(&pid_, binary_.c_str(), &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return pid_ = -1, broken(std::strerror(error));
    to_ = in.take(1), from_ = out.take(0);
    return {};
}

Result<std::unique_ptr<Partner>> Partner::start(std::string const& binary, std::string const& service, LogAt const& at) {
    std::unique_ptr<Partner> out(new Partner(binary));
    TRY_VOID(out->spawn({"rehearse-worker", "--service", service, "--log", at.log_directory, "--site-directory", at.site_directory}));
    TRY_ASSIGN(auto line, out->line(hello_timeout_ms));
    auto told = codec::from_json<Told>(line);
    if (told && told->problem) return std::unexpected(problem_of(*told->problem));
    if (!told || !told->hello) return out->broken("it gave no hello");
    if (told->hello->protocol != protocol_version)
        return out->broken(fmt::format("it speaks protocol {} of rehearsals, this binary {}", told->hello->protocol, protocol_version));
    out->hello_ = std::move(*told->hello);
    return out;
}

Partner::~Partner() {
    if (to_ >= 0) ::close(to_);
    if (from_ >= 0) ::close(from_);
    if (pid_ < 0) return;
    ::kill(pid_, SIGTERM);  // it has nothing to lose, and a large state takes long to be freed
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR);
}

Result<std::string> Partner::line(int timeout_ms) {
    for (;;) {
        if (auto end = received_.find('\n'); end != received_.npos) {
            auto line = received_.substr(0, end);
            received_.erase(0, end + 1);
            return line;
        }
        if (received_.size() > line_bytes_max) return broken("it said more than a gigabyte without an end of line");
        pollfd readable{from_, POLLIN, 0};
        int const ready = ::poll(&readable, 1, timeout_ms);
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0) return broken(fmt::format("it said nothing for {} s", timeout_ms / 1000));
        auto const at = received_.size();
        received_.resize(at + (64 << 10));
        auto const n = ::read(from_, received_.data() + at, 64 << 10);
        received_.resize(at + std::size_t(std::max<ssize_t>(n, 0)));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return broken(n == 0 ? "it ended" : std::strerror(errno));
    }
}

Result<Told> Partner::ask(Asked const& asked) {
    auto const text = codec::to_json(asked) + "\n";
    for (std::string_view rest = text; !rest.empty();) {
        auto const n = ::write(to_, rest.data(), rest.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return broken(errno == EPIPE ? "it ended" : std::strerror(errno));
        rest.remove_prefix(std::size_t(n));
    }
    TRY_ASSIGN(auto said, line(-1));
    auto told = codec::from_json<Told>(said);
    if (!told) return broken("it said what is no answer");
    if (told->problem) return std::unexpected(problem_of(*told->problem));
    return told;
}

Result<Digest> Partner::digest_at(std::uint64_t position) {
    TRY_ASSIGN(auto told, ask({position, {}, {}}));
    if (!told.digest) return broken("it gave no digest");
    return std::move(*told.digest);
}

Result<Answered> Partner::get(std::string const& target, std::uint64_t as_of) {
    TRY_ASSIGN(auto told, ask({{}, target, as_of}));
    if (!told.answer) return broken("it gave no answer");
    return std::move(*told.answer);
}

}  // namespace gantry::app::rehearsal
