#include "app/import/transport.h"

#include <fmt/format.h>

#include <charconv>

#include "kernel/http/gantry/client.h"

namespace gantry::import {
namespace {

class HttpTransport final : public Transport {
   public:
    HttpTransport(std::string const& url, std::string const& token) : session_(url, options()) {
        if (!token.empty()) session_.set_bearer(token);
    }
    Answer get(std::string const& path) override { return answer(session_.get(path)); }
    Answer post(std::string const& path, std::string const& json) override { return answer(session_.post(path, json)); }

   private:
    static client::Options options() {
        client::Options o;
        o.retries = 0;
        return o;
    }
    static Answer answer(client::Reply reply) {
        Answer a{reply.status, std::move(reply.body), {}};
        if (reply.status == 0 && reply.error) a.body = fmt::format("{}: {}", reply.error->code, reply.error->detail);
        std::string_view const wait = reply.header("Retry-After");
        int seconds = 0;
        if (auto [end, error] = std::from_chars(wait.data(), wait.data() + wait.size(), seconds); error == std::errc{} && seconds >= 0)
            a.retry_after = Duration::seconds(seconds);
        return a;
    }
    client::Session session_;
};

}  // namespace

std::unique_ptr<Transport> http_transport(std::string const& server_url, std::string const& token) {
    return std::make_unique<HttpTransport>(server_url, token);
}

}  // namespace gantry::import
