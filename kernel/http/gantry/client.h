#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The C++ client of Gantry, or of any HTTP API. No exceptions, no other headers:
//
//     gantry::client::Session session("http://127.0.0.1:7070");
//     auto reply = session.get("/tracker/v1/packages/hello");
//     if (reply.ok()) std::puts(reply.body.c_str());
namespace gantry::client {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Options {
    std::int64_t connect_timeout_ms = 5'000;
    std::int64_t total_timeout_ms = 30'000;  // over all tries; 0: none. What is left of it is told with each try (`Gantry-Timeout`)
    int retries = 3;                         // further tries of what is safe to repeat
    std::int64_t retry_first_wait_ms = 100;  // doubled each time, jittered; Retry-After goes before
    std::int64_t retry_longest_wait_ms = 5'000;
    std::size_t body_limit_bytes = 64u << 20;  // of a reply kept in memory
    bool gzip = true;
    std::string ca_file;      // PEM; empty: the system's
    std::string unix_socket;  // connect here instead of the host
    bool follow_redirects = false;
};

inline constexpr std::size_t upload_failed = ~std::size_t(0);

struct Request {
    std::string method = "GET";
    std::string target;  // path and query, or a whole URL
    Headers headers;
    std::string body;
    // Instead of `body`: fills at most `capacity` bytes and returns their number, 0 at the end, or `upload_failed`: the request is then
    // broken off (`aborted`), so that the server sees that the body isn't whole. Such a request is tried once.
    std::function<std::size_t(char* buffer, std::size_t capacity)> upload;
    // Instead of Reply::body: gets the body of a 2xx reply as it comes; false stops the transfer (`aborted`). Once it has been called
    // the request is not tried again.
    std::function<bool(std::string_view bytes)> download;
    std::int64_t total_timeout_ms = -1;  // -1: the session's
};

struct Error {
    // connect_failed, timeout, tls_failed, protocol_error, body_too_large, aborted, invalid_request, io_error; or the `code` of a
    // problem+json reply; or http_<status>.
    std::string code;
    std::string detail;
};

struct Reply {
    int status = 0;  // 0: no answer came
    Headers headers;
    std::string body;
    std::optional<Error> error;  // nothing for 1xx to 3xx
    int tries = 0;

    bool ok() const { return !error.has_value(); }
    std::string_view header(std::string_view name) const;  // first of that name, any case; else empty
};

// Keeps connections, headers and credentials. Safe to use from several threads; each call blocks its own.
// Repeated on connect failures, timeouts of the connection, 429, 502, 503 and 504: GET, HEAD, OPTIONS, and whatever has an
// Idempotency-Key.
class Session {
   public:
    explicit Session(std::string base_url, Options options = {});
    ~Session();
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;

    void set_header(std::string name, std::string value);  // sent with each request; an empty value removes it
    void set_bearer(std::string token);
    void set_basic(std::string user, std::string password);

    Reply get(std::string target);
    Reply post(std::string target, std::string body, std::string content_type = "application/json");
    Reply put(std::string target, std::string body, std::string content_type = "application/json");
    Reply patch(std::string target, std::string body, std::string content_type = "application/json");
    Reply del(std::string target);
    Reply send(Request request);
    // `done` is called on a thread of the session. Destruction aborts what is under way (its `done` gets `aborted`).
    void send_async(Request request, std::function<void(Reply)> done);

   private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::client
