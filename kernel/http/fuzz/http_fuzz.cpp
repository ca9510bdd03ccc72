#include <cstddef>
#include <cstdint>
#include <string>

#include "kernel/base/assert.h"
#include "kernel/http/parse.h"

// Law: however a request is cut into pieces, the parser sees the same request or the same refusal, and stays inside its bytes.
namespace gantry::http {
namespace {

struct Seen {
    Refusal refusal;
    std::string head;
    std::string body;
    bool done = false;
    bool operator==(Seen const& o) const {
        return refusal.status == o.refusal.status && head == o.head && body == o.body && done == o.done;
    }
};

// Feeds `bytes` in pieces of `piece` and reports what came out.
Seen read(std::string_view bytes, std::size_t piece) {
    Limits limits;
    limits.target_bytes = 200, limits.head_bytes = 1000, limits.header_count = 12, limits.chunk_line_bytes = 40, limits.trailer_bytes = 60;
    Seen seen;
    HeadScanner scanner;
    std::size_t head_size = 0;
    for (std::size_t end = std::min(piece, bytes.size()); head_size == 0 && !scanner.refusal(); end = std::min(end + piece, bytes.size())) {
        head_size = scanner.scan(bytes.substr(0, end), limits);
        if (end == bytes.size()) break;
    }
    if (scanner.refusal() || head_size == 0) return seen.refusal = scanner.refusal(), seen;
    std::vector<Header> headers;
    RequestHead head;
    std::string_view const head_bytes = bytes.substr(scanner.leading(), head_size - scanner.leading());
    seen.refusal = parse_head(head_bytes, limits, headers, head);
    if (seen.refusal) return seen;
    for (auto const& h : head.headers) seen.head.append(h.name).append(":").append(h.value).append("\n");
    seen.head.append(head.path).append("?").append(head.query).append(" ").append(head.host);
    GANTRY_ASSERT(!(head.chunked && head.content_length), "two ways to frame one body");
    BodyDecoder decoder;
    decoder.start(head, limits);
    std::size_t at = head_size;
    for (std::size_t end = at; !decoder.done() && !decoder.refusal();) {
        auto const step = decoder.next(bytes.substr(at, end - at));
        GANTRY_ASSERT(step.consumed <= end - at, "read beyond the bytes given");
        at += step.consumed;
        seen.body.append(step.data);
        if (step.consumed > 0) continue;
        if (end == bytes.size()) break;
        end = std::min(end + piece, bytes.size());
    }
    seen.refusal = decoder.refusal(), seen.done = decoder.done();
    return seen;
}

}  // namespace
}  // namespace gantry::http

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry::http;
    std::string_view const bytes(reinterpret_cast<char const*>(data), size);
    Seen const whole = read(bytes, bytes.size() + 1);
    // A refusal for size may come earlier in a whole than in pieces, but never instead of another outcome.
    for (std::size_t piece : {std::size_t(1), std::size_t(7)})
        GANTRY_ASSERT(read(bytes, piece) == whole, "the cut of a request changed its meaning");
    return 0;
}
