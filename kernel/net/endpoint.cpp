#include "kernel/net/endpoint.h"

#include <fmt/format.h>

#include <charconv>

namespace gantry::net {

std::string Endpoint::text() const {
    bool const v6 = host.find(':') != host.npos;
    return fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    auto wrong = [&] {
        return fail(400, "listen_invalid", fmt::format("expected ADDR:PORT like 127.0.0.1:8080 or [::1]:0, found \"{}\"", text));
    };
    bool const bracketed = text.starts_with('[');
    auto const colon = text.rfind(':');
    if (colon == text.npos) return wrong();
    std::string_view host = text.substr(0, colon), digits = text.substr(colon + 1);
    if (bracketed && (host.size() < 3 || host.back() != ']')) return wrong();
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (host.empty() || (!bracketed && host.find(':') != host.npos)) return wrong();
    Endpoint out{std::string(host)};
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return wrong();
    return out;
}

}  // namespace gantry::net
