#include "kernel/runtime/cursor.h"

#include <algorithm>

#include "kernel/base/varint.h"

namespace gantry::runtime {
namespace {

std::unexpected<Problem> invalid() {
    return fail(400, "cursor_invalid", "expected a cursor as a page of this list gave it (`next`), with the same filters");
}

}  // namespace

std::string seal_cursor(std::uint64_t fingerprint, std::string_view bytes) {
    std::string raw, out;
    put_fixed(raw, std::uint32_t(fingerprint));
    raw += bytes;
    codec::append_base64(out, raw);
    while (!out.empty() && out.back() == '=') out.pop_back();
    std::ranges::replace(out, '+', '-');
    std::ranges::replace(out, '/', '_');
    return out;
}

Result<std::string> open_cursor(std::uint64_t fingerprint, std::string_view text) {
    std::string padded(text);
    if (text.size() > 4096 || text.find_first_of("+/=") != text.npos) return invalid();
    std::ranges::replace(padded, '-', '+');
    std::ranges::replace(padded, '_', '/');
    padded.append((4 - padded.size() % 4) % 4, '=');
    auto raw = codec::decode_base64(padded);
    if (!raw) return invalid();
    ByteReader in(*raw);
    if (in.fixed<std::uint32_t>() != std::uint32_t(fingerprint) || !in.ok()) return invalid();
    return raw->substr(sizeof(std::uint32_t));
}

}  // namespace gantry::runtime
