#include "app/notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace gantry::app {
namespace {

void send_lines(std::string_view lines) {
    char const* named = std::getenv("NOTIFY_SOCKET");
    std::string_view const path = named ? named : "";
    sockaddr_un to{};
    if (path.size() < 2 || path.size() >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) return;
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, path.data(), path.size());
    if (path[0] == '@') to.sun_path[0] = '\0';
    int const fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return;
    auto const length = socklen_t(offsetof(sockaddr_un, sun_path) + path.size());
    // A manager that doesn't read in time misses this one; MSG_NOSIGNAL since one that is gone is no reason to end.
    (void)!::sendto(fd, lines.data(), lines.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr const*>(&to), length);
    ::close(fd);
}

std::optional<std::int64_t> number_in(char const* variable) {
    char const* text = std::getenv(variable);
    std::int64_t value = 0;
    if (!text) return {};
    auto const* end = text + std::strlen(text);
    auto [stopped, error] = std::from_chars(text, end, value);
    return error == std::errc{} && stopped == end && value > 0 ? std::optional(value) : std::nullopt;
}

// A line break would begin the next variable.
std::string one_line(std::string_view text) {
    std::string out(text);
    std::ranges::replace_if(out, [](char c) { return c == '\n' || c == '\0'; }, ' ');
    return out;
}

}  // namespace

void notify_status(std::string_view text) { send_lines(fmt::format("STATUS={}\n", one_line(text))); }

void notify_ready(std::string_view url) { send_lines(fmt::format("READY=1\nSTATUS=serving {}\n", one_line(url))); }

void notify_reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    send_lines(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", std::int64_t(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000));
}

void notify_stopping() { send_lines("STOPPING=1\nSTATUS=finishing what runs\n"); }

void notify_alive() { send_lines("WATCHDOG=1\n"); }

std::optional<std::chrono::microseconds> watchdog_interval() {
    auto const interval_us = number_in("WATCHDOG_USEC");
    if (!interval_us) return {};
    if (std::getenv("WATCHDOG_PID") && number_in("WATCHDOG_PID") != ::getpid()) return {};
    return std::chrono::microseconds(std::max<std::int64_t>(1, *interval_us / 2));
}

}  // namespace gantry::app
