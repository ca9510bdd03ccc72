#include <cstddef>
#include <cstdint>
#include <string>

#include "kernel/base/assert.h"
#include "kernel/http/head_reader.h"
#include "kernel/http/parse.h"

// Law: however a connection's bytes are cut into pieces, the parser sees the same requests, one behind the other, or the same refusal, and
// stays inside its bytes. Beside it: what is read from the values of single headers.
namespace gantry::http {
namespace {

struct Seen {
    Refusal refusal;
    std::string heads, bodies;
    std::size_t requests = 0;
    bool operator==(Seen const& o) const {
        return refusal.status == o.refusal.status && heads == o.heads && bodies == o.bodies && requests == o.requests;
    }
};

Limits small_limits() {
    Limits limits;
    limits.target_bytes = 200, limits.head_bytes = 1000, limits.header_count = 12, limits.chunk_line_bytes = 40, limits.trailer_bytes = 60;
    return limits;
}

// Bytes that arrive in pieces of `piece`.
class Wire {
   public:
    Wire(std::string_view bytes, std::size_t piece) : bytes_(bytes), piece_(piece) { more(); }
    std::string_view arrived() const { return bytes_.substr(at_, end_ - at_); }
    void take(std::size_t n) {
        GANTRY_ASSERT(n <= end_ - at_, "read beyond the bytes given");
        at_ += n;
    }
    bool more() {
        if (end_ == bytes_.size()) return false;
        return end_ = std::min(end_ + piece_, bytes_.size()), true;
    }

   private:
    std::string_view bytes_;
    std::size_t piece_, at_ = 0, end_ = 0;
};

void note(RequestHead const& head, Seen& seen) {
    for (auto const& h : head.headers) seen.heads.append(h.name).append(":").append(h.value).append("\n");
    seen.heads.append(head.path).append("?").append(head.query).append(" ").append(head.host).append("\n");
    GANTRY_ASSERT(!(head.chunked && head.content_length), "two ways to frame one body");
    GANTRY_ASSERT(head.host.empty() || is_valid_authority(head.host), "a host is one");
    auto const accept = head.header("Accept-Encoding");
    (void)accepts_gzip(accept);
}

// A head whose header lines are known means what it means to the parser.
void check_repeats(HeadReader& reader, std::string const& bytes, Limits const& limits, RequestHead const* parsed) {
    auto const check = [&] {
        RequestHead head;
        auto const size = reader.repeat(bytes, limits, head);
        if (size == 0) return;
        GANTRY_ASSERT(parsed && size == bytes.size(), "a refused head, or another one, was taken for one that is known");
        Seen one, other;
        note(head, one), note(*parsed, other);
        GANTRY_ASSERT(one == other && head.method == parsed->method && head.content_length == parsed->content_length &&
                          head.chunked == parsed->chunked && head.keep_alive == parsed->keep_alive &&
                          head.expect_continue == parsed->expect_continue && head.version_minor == parsed->version_minor,
                      "a head that is known means something else");
    };
    check();
    RequestHead head;
    GANTRY_ASSERT(bool(reader.parse(bytes, limits, head)) == !parsed, "one parser, two opinions");
    check();
}

// One request from where the wire stands; false at the end of the bytes or at a refusal.
bool read_one(Wire& wire, HeadReader& reader, Limits const& limits, Seen& seen) {
    HeadScanner scanner;
    std::size_t head_size = 0;
    while (head_size == 0 && !scanner.refusal()) {
        head_size = scanner.scan(wire.arrived(), limits);
        if (head_size == 0 && !scanner.refusal() && !wire.more()) return false;
    }
    if (scanner.refusal()) return seen.refusal = scanner.refusal(), false;
    std::vector<Header> headers;
    RequestHead head;
    std::string const bytes(wire.arrived().substr(scanner.leading(), head_size - scanner.leading()));
    seen.refusal = parse_head(bytes, limits, headers, head);
    check_repeats(reader, bytes, limits, seen.refusal ? nullptr : &head);
    if (seen.refusal) return false;
    std::string const moved = bytes;
    rebase(head, headers, bytes, moved.data());
    note(head, seen);
    wire.take(head_size);
    BodyDecoder decoder;
    decoder.start(head, limits);
    while (!decoder.done() && !decoder.refusal()) {
        auto const step = decoder.next(wire.arrived());
        wire.take(step.consumed);
        seen.bodies.append(step.data);
        if (step.consumed == 0 && !wire.more()) return false;
    }
    seen.refusal = decoder.refusal();
    seen.bodies += '|';
    return !seen.refusal && ++seen.requests < 20;
}

Seen read(std::string_view bytes, std::size_t piece) {
    Seen seen;
    Wire wire(bytes, piece);
    auto const limits = small_limits();
    HeadReader reader;
    while (read_one(wire, reader, limits, seen)) continue;
    return seen;
}

}  // namespace
}  // namespace gantry::http

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry::http;
    std::string_view const bytes(reinterpret_cast<char const*>(data), size);
    Seen const whole = read(bytes, bytes.size() + 1);
    for (std::size_t piece : {std::size_t(1), std::size_t(7)})
        GANTRY_ASSERT(read(bytes, piece) == whole, "the cut of a request changed its meaning");
    return 0;
}
