#pragma once
#include <string.h>
#include <strings.h>

#include <charconv>

#include "bench/queue_socket.h"

namespace gantry::bench {

// A connection for one request at a time; the answer comes with Content-Length or in chunks. Who is refused for load (503 with Retry-After)
// is to ask again then: `again_at_ns`, `again`.
class QueueHttp {
   public:
    explicit QueueHttp(int port) : socket_(port), head_(fmt::format(" HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", port)) {}
    int fd() const { return socket_.fd(); }
    // `body` that ends in a new line is NDJSON.
    std::string request(std::string_view target, std::string_view body) const {
        auto const* type = body.ends_with('\n') ? "application/x-ndjson" : "application/json";
        return fmt::format("POST {}{}Content-Type: {}\r\nContent-Length: {}\r\n\r\n{}", target, head_, type, body.size(), body);
    }
    void send(std::string request) {
        request_ = std::move(request);
        again();
    }
    // True: the answer is whole, and a success.
    bool ready() {
        if (!socket_.receive(in_) || !whole()) return false;
        auto const status = std::string_view(in_).substr(9, 3);
        if (status.starts_with('2')) return true;
        auto const wait = field(std::string_view(in_).substr(0, in_.find("\r\n\r\n") + 2), "retry-after:");
        int wait_s = 0;
        std::from_chars(wait.data(), wait.data() + wait.size(), wait_s);
        if (status != "503" || wait_s <= 0) die(fmt::format("gantry: {}", in_));
        again_at_ns_ = now_ns() + std::int64_t(wait_s) * 1'000'000'000;
        return false;
    }
    // When it is to ask again; 0: it was not refused.
    std::int64_t again_at_ns() const { return again_at_ns_; }
    void again() {
        again_at_ns_ = 0;
        in_.clear(), body_.clear(), chunks_from_ = 0;
        socket_.send(request_);
    }
    std::string const& body() const { return body_; }

   private:
    static std::string_view field(std::string_view head, std::string_view name) {
        for (auto at = head.find("\r\n"); at != head.npos && at + 2 + name.size() < head.size(); at = head.find("\r\n", at + 2)) {
            if (strncasecmp(head.data() + at + 2, name.data(), name.size()) != 0) continue;
            auto const from = head.find_first_not_of(' ', at + 2 + name.size());
            return head.substr(from, head.find("\r\n", from) - from);
        }
        return {};
    }
    // Moves the body of an answer that came whole into body_.
    bool whole() {
        auto const end = in_.find("\r\n\r\n");
        if (end == in_.npos) return false;
        auto const head = std::string_view(in_).substr(0, end + 2);
        if (auto const length = field(head, "content-length:"); !length.empty()) {
            std::size_t bytes = 0;
            std::from_chars(length.data(), length.data() + length.size(), bytes);
            if (in_.size() < end + 4 + bytes) return false;
            body_.assign(in_, end + 4, bytes);
            return true;
        }
        if (field(head, "transfer-encoding:") != "chunked") die("an answer without a length");
        if (chunks_from_ == 0) chunks_from_ = end + 4;
        return all_chunks();
    }
    bool all_chunks() {
        for (;;) {
            auto const line = in_.find("\r\n", chunks_from_);
            if (line == in_.npos) return false;
            std::size_t bytes = 0;
            std::from_chars(in_.data() + chunks_from_, in_.data() + line, bytes, 16);
            if (in_.size() < line + 2 + bytes + 2) return false;
            body_.append(in_, line + 2, bytes);
            chunks_from_ = line + 2 + bytes + 2;
            if (bytes == 0) return true;
        }
    }

    QueueSocket socket_;
    std::string head_, request_, in_, body_;
    std::size_t chunks_from_ = 0;
    std::int64_t again_at_ns_ = 0;
};

// As text.find(what, from). libstdc++'s looks at each place where the first character stands, and in JSON a quote stands everywhere.
inline std::size_t place_of(std::string_view text, std::string_view what, std::size_t from = 0) {
    auto const* at = static_cast<char const*>(::memmem(text.data() + from, text.size() - from, what.data(), what.size()));
    return at ? std::size_t(at - text.data()) : text.npos;
}
// What stands in `json` behind each `"name":"`, up to the next quote.
template <class Visit>
void each_text(std::string_view json, std::string_view start, Visit&& visit) {
    for (auto at = place_of(json, start); at != json.npos; at = place_of(json, start, at)) {
        at += start.size();
        visit(json.substr(at, json.find('"', at) - at));
    }
}

}  // namespace gantry::bench
