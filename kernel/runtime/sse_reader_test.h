#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>

#include "kernel/base/slowed_for_test.h"

namespace gantry::runtime {

struct SseEvent {
    std::string name, id, data, comment, retry;
};

// How long to wait for what has to come.
inline constexpr int patience_ms = 5000 * slowed;

// A reader of an event stream on a socket of its own, as slow as a test wants it.
class SseReader {
   public:
    SseReader(std::string const& url, std::string const& target, std::string const& headers = {}, std::string const& host = "127.0.0.1") {
        auto const port = std::stoi(url.substr(url.rfind(':') + 1));
        fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        // Small segments keep the sender's buffer small as well.
        int const window = 4096, segment = 536;
        setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
        setsockopt(fd_, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
        sockaddr_in at{};
        at.sin_family = AF_INET, at.sin_port = htons(std::uint16_t(port)), at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
        std::string const request = "GET " + target + " HTTP/1.0\r\nHost: " + host + "\r\n" + headers + "\r\n";
        EXPECT_EQ(send(fd_, request.data(), request.size(), MSG_NOSIGNAL), ssize_t(request.size()));
        auto const end = wait_for("\r\n\r\n");
        head_ = buffer_.substr(0, end);
        buffer_.erase(0, std::min(end + 4, buffer_.size()));
    }
    ~SseReader() { leave(); }
    SseReader(SseReader const&) = delete;
    SseReader& operator=(SseReader const&) = delete;
    void leave() {
        if (fd_ >= 0) close(fd_);
        fd_ = -1;
    }
    std::string const& head() const { return head_; }
    int status() const { return head_.size() > 12 ? std::stoi(head_.substr(9, 3)) : 0; }
    // Nothing when none comes in time, or the stream has ended.
    std::optional<SseEvent> next(int wait_ms = patience_ms) {
        auto const end = wait_for("\n\n", wait_ms);
        if (end == std::string::npos) return {};
        SseEvent event;
        auto text = buffer_.substr(0, end + 1);
        buffer_.erase(0, end + 2);
        for (std::size_t at = 0; at < text.size();) {
            auto const line = text.substr(at, text.find('\n', at) - at);
            at += line.size() + 1;
            auto const colon = std::min(line.find(':'), line.size());
            auto value = line.substr(std::min(colon + 1, line.size()));
            if (value.starts_with(' ')) value.erase(0, 1);
            auto const field = line.substr(0, colon);
            if (field.empty()) event.comment = value;
            if (field == "event") event.name = value;
            if (field == "id") event.id = value;
            if (field == "retry") event.retry = value;
            if (field == "data") event.data += value;
        }
        return event;
    }
    // Everything up to the end of the stream.
    std::string rest() {
        wait_for("\n\n\n\n");
        return buffer_;
    }
    bool ended() const { return ended_; }

   private:
    std::size_t wait_for(std::string_view mark, int wait_ms = patience_ms) {
        auto const until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
        for (;;) {
            if (auto found = buffer_.find(mark); found != std::string::npos) return found;
            auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
            pollfd waiting{fd_, POLLIN, 0};
            if (ended_ || left <= 0 || poll(&waiting, 1, int(left)) <= 0) return std::string::npos;
            char bytes[16384];
            auto const n = recv(fd_, bytes, sizeof bytes, 0);
            if (n <= 0) ended_ = true;
            if (n > 0) buffer_.append(bytes, std::size_t(n));
        }
    }
    int fd_ = -1;
    bool ended_ = false;
    std::string head_, buffer_;
};

}  // namespace gantry::runtime
