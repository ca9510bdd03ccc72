// Any bytes as the values of single headers, as fields of a server-sent event, and as gzip: no crash, no byte beyond its bounds, and what
// is told is read as it was meant.
#include <cstdint>
#include <string>
#include <vector>

#include "kernel/base/assert.h"
#include "kernel/http/gzip.h"
#include "kernel/http/message.h"

namespace gantry::http {
namespace {

std::string_view word(std::string_view& text, char end) {
    auto const at = std::min(text.find(end), text.size());
    auto const out = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return out;
}

void headers(std::string_view text) {
    auto const range = word(text, '\n'), if_range = word(text, '\n'), etag = word(text, '\n'), host = word(text, '\n');
    for (std::uint64_t total : {std::uint64_t(0), std::uint64_t(1), std::uint64_t(1000), ~std::uint64_t(0)}) {
        auto const chosen = choose_range(range, if_range, total, etag);
        bool const inside = chosen.size > 0 && chosen.first < total && chosen.size <= total - chosen.first;
        GANTRY_ASSERT(chosen.kind != ByteRange::Kind::Partial || inside, "a part is inside of the whole");
        (void)content_range(chosen, total);
    }
    for (auto value : {range, if_range, etag, host, text})
        (void)accepts_gzip(value), (void)is_compressible(value), (void)is_json_like(value);
    (void)is_loopback_authority(host);
    Header const given[] = {{"Origin", etag}, {"Sec-Fetch-Site", if_range}, {"Content-Type", range}};
    RequestHead head;
    head.method = Method::Post, head.host = host, head.headers = given, head.content_length = 1;
    if (check_loopback(head)) GANTRY_ASSERT(is_loopback_authority(host) && is_json_like(range), "open to this machine's own alone");
}

// As a browser reads a stream: the data of its events, and the last id.
struct Heard {
    std::vector<std::string> data;
    std::string id;
};
Heard hear(std::string_view stream) {
    Heard heard;
    std::string data;
    bool any = false;
    while (!stream.empty()) {
        auto line = word(stream, '\n');
        if (line.empty()) {
            if (any) heard.data.push_back(data.substr(0, data.size() - 1));
            data.clear(), any = false;
        } else if (line.starts_with("data: ")) {
            data.append(line.substr(6)).append("\n"), any = true;
        } else if (line.starts_with("id: ")) {
            heard.id = line.substr(4);
        }
    }
    return heard;
}

std::string with_line_feeds(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool const pair = text[i] == '\r' && text.substr(i + 1).starts_with('\n');
        if (!pair) out += text[i] == '\r' ? '\n' : text[i];
    }
    return out;
}

void event_stream(std::string_view text) {
    auto const id = word(text, '\n');
    if (id.find('\r') != id.npos) return;
    std::string stream;
    append_sse_event(stream, "changed", id, text);
    stream += sse_heartbeat;
    append_sse_event(stream, "", "", "next");
    auto const heard = hear(stream);
    GANTRY_ASSERT(heard.data.size() == 2 && heard.data[0] == with_line_feeds(text) && heard.data[1] == "next", "the data as it was");
    GANTRY_ASSERT(heard.id == id, "and its id");
}

void gzip(std::string_view text) {
    constexpr std::size_t limit_bytes = 100'000;
    std::string plain, packed, again;
    Inflater any(limit_bytes, 100);
    for (auto rest = text; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(7, rest.size())))
        if (any.write(rest.substr(0, 7), plain) != Inflater::Outcome::Ok) break;
    GANTRY_ASSERT(plain.size() <= limit_bytes, "no more than its limit");
    append_gzip(packed, text);
    Inflater ours(limit_bytes, 2000);
    GANTRY_ASSERT(ours.write(packed, again) == Inflater::Outcome::Ok && ours.complete() && again == text, "what is packed can be unpacked");
}

}  // namespace
}  // namespace gantry::http

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const text(reinterpret_cast<char const*>(data), std::min<std::size_t>(size, 50'000));
    gantry::http::headers(text);
    gantry::http::event_stream(text);
    gantry::http::gzip(text);
    return 0;
}
