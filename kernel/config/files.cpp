#include "kernel/config/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "kernel/codec/utf8.h"

namespace gantry::config {
namespace {

constexpr std::string_view file_prefix = "file:", credential_prefix = "credential:";

using Refused = std::unexpected<std::string>;

class Descriptor {
   public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor const&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

   private:
    int fd_;
};

std::string why_not_opened(std::string const& path, int error) {
    if (error == ENOENT) {
        char target[PATH_MAX];
        if (auto n = ::readlink(path.c_str(), target, sizeof target); n >= 0)
            return fmt::format("is a link to {}, which is not there", std::string_view(target, std::size_t(n)));
        return "there is no such file";
    }
    if (error == EACCES)
        return fmt::format("permission denied: let the user {} read it and enter the directories above it (chown, chmod)", ::geteuid());
    return std::strerror(error);
}

std::expected<std::string, std::string> read_bounded(int fd, std::size_t bytes_max) {
    std::string text;
    char buffer[16 << 10];
    for (;;) {
        auto const n = ::read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return Refused(std::strerror(errno));
        if (n == 0) return text;
        text.append(buffer, std::size_t(n));
        if (text.size() > bytes_max) return Refused(fmt::format("is larger than {} KiB, which is the most", bytes_max >> 10));
    }
}

}  // namespace

std::expected<ConfigText, std::string> read_config_file(std::string const& path) {
    Descriptor const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return Refused(why_not_opened(path, errno));
    struct stat about{};
    if (::fstat(file.get(), &about) != 0) return Refused(std::strerror(errno));
    if (S_ISDIR(about.st_mode)) return Refused("is a directory: name the file in it");
    auto text = read_bounded(file.get(), config_bytes_max);
    if (!text) return Refused(std::move(text.error()));
    if (auto const scan = codec::scan_utf8(*text); !scan.valid())
        return Refused(fmt::format("is not UTF-8: line {} has a byte that can't be there",
                                   1 + std::count(text->begin(), text->begin() + std::ptrdiff_t(scan.bad_at), '\n')));
    return ConfigText{std::move(*text), (about.st_mode & S_IROTH) != 0};
}

bool is_reference(std::string_view value) { return value.starts_with(file_prefix) || value.starts_with(credential_prefix); }

std::expected<std::string, std::string> path_of_reference(std::string_view reference, std::string_view credentials) {
    if (reference.starts_with(file_prefix)) {
        auto const path = reference.substr(file_prefix.size());
        if (path.starts_with('/')) return std::string(path);
        return Refused(fmt::format("expected file: and an absolute path, found \"{}\"", reference));
    }
    auto const name = reference.substr(credential_prefix.size());
    if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos)
        return Refused(fmt::format("expected credential: and the name of one, without '/', found \"{}\"", reference));
    if (credentials.empty())
        return Refused(
            fmt::format("there is no $CREDENTIALS_DIRECTORY to find {} in: it is set by systemd for a unit with "
                        "LoadCredential={}:/path; elsewhere say file:/path",
                        name, name));
    return fmt::format("{}/{}", credentials, name);
}

std::expected<std::string, std::string> read_secret_file(std::string const& path) {
    // A pipe must not hold the start up, and what is read at the start has to be there for a reload.
    Descriptor const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) return Refused(why_not_opened(path, errno));
    struct stat about{};
    if (::fstat(file.get(), &about) != 0) return Refused(std::strerror(errno));
    if (S_ISDIR(about.st_mode)) return Refused("is a directory: name the file in it");
    if (!S_ISREG(about.st_mode)) return Refused("is no regular file");
    if (about.st_mode & S_IRWXO)
        return Refused(fmt::format("everybody on this machine may use it (mode {:04o}): chmod o-rwx {}", about.st_mode & 07777, path));
    auto text = read_bounded(file.get(), secret_bytes_max);
    if (!text) return Refused(std::move(text.error()));
    if (text->ends_with('\n')) text->pop_back();
    if (text->empty()) return Refused("is empty: put the secret into it");
    return std::move(*text);
}

}  // namespace gantry::config
