#include "kernel/auth/base64url.h"

#include "kernel/codec/base64.h"

namespace gantry::auth {

std::string base64url(std::string_view bytes) {
    std::string out;
    codec::append_base64(out, bytes);
    while (out.ends_with('=')) out.pop_back();
    for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return out;
}

std::optional<std::string> decode_base64url(std::string_view text) {
    std::string plain(text);
    for (char& c : plain) {
        if (c == '+' || c == '/' || c == '=') return {};
        c = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    if (plain.size() % 4 == 1) return {};
    while (plain.size() % 4 != 0) plain += '=';
    return codec::decode_base64(plain);
}

}  // namespace gantry::auth
