#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <set>
#include <sstream>

#include "app/doctor/check.h"

namespace gantry::app::doctor {
namespace {

// The inodes of the sockets that listen on a port.
std::set<std::string> listening(Machine const& machine, std::uint16_t port) {
    std::set<std::string> inodes;
    for (auto table : {"/net/tcp", "/net/tcp6"}) {
        std::istringstream in(text_of(machine.proc + table));
        for (std::string line; std::getline(in, line);) {
            // sl local remote state queues timer retransmits uid timeout inode
            std::istringstream fields(line);
            std::string sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
            fields >> sl >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
            if (state == "0A" && local.ends_with(fmt::format(":{:04X}", port))) inodes.insert("socket:[" + inode + "]");
        }
    }
    return inodes;
}

struct Holder {
    int pid = 0;
    std::string name;
};
Holder holder_of_port(Machine const& machine, std::uint16_t port) {
    auto const sockets = listening(machine, port);
    std::error_code ignored;
    for (auto const& process : std::filesystem::directory_iterator(machine.proc, ignored)) {
        auto const digits = process.path().filename().string();
        int pid = 0;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), pid).ec != std::errc()) continue;
        for (std::filesystem::directory_iterator at(process.path() / "fd", ignored), end; !ignored && at != end; at.increment(ignored)) {
            std::error_code gone;
            if (!sockets.contains(std::filesystem::read_symlink(at->path(), gone).string())) continue;
            auto name = text_of(process.path().string() + "/comm");
            while (!name.empty() && name.back() == '\n') name.pop_back();
            return {pid, name};
        }
    }
    return {};
}

union Address {
    sockaddr any;
    sockaddr_in four;
    sockaddr_in6 six;
};

// 0, or the errno of listening there.
int try_to_listen(std::string const& host, std::uint16_t port) {
    Address at{};
    socklen_t size = 0;
    auto const numeric = host == "localhost" ? "127.0.0.1" : host;
    if (::inet_pton(AF_INET, numeric.c_str(), &at.four.sin_addr) == 1)
        at.four.sin_family = AF_INET, at.four.sin_port = htons(port), size = sizeof at.four;
    else if (::inet_pton(AF_INET6, numeric.c_str(), &at.six.sin6_addr) == 1)
        at.six.sin6_family = AF_INET6, at.six.sin6_port = htons(port), size = sizeof at.six;
    else
        return EINVAL;
    int const fd = ::socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    int const yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    int const error = ::bind(fd, &at.any, size) == 0 && ::listen(fd, 1) == 0 ? 0 : errno;
    ::close(fd);
    return error;
}

Check taken(std::string const& where, std::uint16_t port, int own, Machine const& machine) {
    auto const holder = holder_of_port(machine, port);
    if (holder.pid != 0 && holder.pid == own)
        return fine("port", fmt::format("{}: the server of this data listens there, process {}", where, own));
    auto const who =
        holder.pid ? fmt::format("process {} ({})", holder.pid, holder.name) : "a process that this user can't see (try as root)";
    return wrong("port", fmt::format("{} is taken by {}", where, who), "stop that one, or listen elsewhere with --listen");
}

}  // namespace

Check check_port(std::string const& host, std::uint16_t port, int own, Machine const& machine) {
    auto const where = host.find(':') == host.npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
    if (port == 0) return fine("port", "any that is free");
    int const error = try_to_listen(host, port);
    if (error == 0) return fine("port", where + " is free");
    if (error == EADDRINUSE) return taken(where, port, own, machine);
    if (error == EACCES)
        return wrong("port", where + " is privileged, and this user may not listen there",
                     "AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, or a port from 1024 on behind a proxy");
    if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT)
        return wrong("port", where + " is no address of this machine", "listen on one that `ip address` shows");
    return wrong("port", fmt::format("{}: {}", where, std::strerror(error)), "give an IP address and a port to --listen");
}

}  // namespace gantry::app::doctor
