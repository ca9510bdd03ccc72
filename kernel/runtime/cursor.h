#pragma once
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/codec/base64.h"
#include "kernel/codec/binary.h"
#include "kernel/codec/schema.h"

// Cursors of lists: the last key that was given, with its order. Opaque outside: base64url of four bytes that name the cursor's type and
// its positional binary form.
namespace gantry {

namespace runtime {
std::string seal_cursor(std::uint64_t fingerprint, std::string_view bytes);
Result<std::string> open_cursor(std::uint64_t fingerprint, std::string_view text);
}  // namespace runtime

namespace runtime {
template <class Key>
std::uint64_t cursor_type() {
    static std::uint64_t const fingerprint = codec::fingerprint(codec::type_of<Key>());
    return fingerprint;
}
}  // namespace runtime

template <class Key>
std::string make_cursor(Key const& key) {
    std::string bytes;
    codec::put(bytes, key);
    return runtime::seal_cursor(runtime::cursor_type<Key>(), bytes);
}
// 400 "cursor_invalid" for what make_cursor<Key> didn't make.
template <class Key>
Result<Key> read_cursor(std::string_view text) {
    TRY_ASSIGN(auto bytes, runtime::open_cursor(runtime::cursor_type<Key>(), text));
    Key borrowed{};
    ByteReader in(bytes);
    if (!codec::get(in, borrowed) || !in.done())
        return fail(400, "cursor_invalid", "the cursor is damaged: take `next` of the page before");
    Key owned = borrowed;
    return owned;
}

}  // namespace gantry
