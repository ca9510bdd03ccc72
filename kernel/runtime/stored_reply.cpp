#include "kernel/runtime/stored_reply.h"

#include <memory>
#include <new>

#include "kernel/base/varint.h"
#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/codec/schema.h"

namespace gantry::runtime {

std::string encode_stored_reply(codec::Type const& reply, void const* value, int status, codec::Sealer const* sealer) {
    std::string out;
    put_varint(out, std::uint64_t(status));
    put_fixed(out, codec::fingerprint(reply));
    out += reply.has_secret ? '\0' : '\1';
    if (!reply.has_secret) codec::encode_binary(reply, value, out, sealer);
    return out;
}

Result<int> decode_stored_value(codec::Type const& reply, std::string_view stored, void* value, codec::Sealer const* sealer) {
    ByteReader in(stored);
    int const status = int(in.varint());
    auto const fingerprint = in.fixed<std::uint64_t>();
    bool const kept = in.fixed<char>() == '\1';
    if (!in.ok()) return fail(500, "log_damaged", "the stored reply of a command can't be read");
    if (!kept) return fail(409, "secret_not_repeated", "this command was done before; its reply held a secret, which is given once");
    if (fingerprint != codec::fingerprint(reply) || !codec::decode_binary(reply, value, in, sealer) || !in.done())
        return fail(409, "reply_not_kept",
                    "this command was done before, by a release that gave another form of reply; read its result instead");
    return status;
}

Result<StoredReply> decode_stored_reply(codec::Type const& reply, std::string_view stored, codec::Sealer const* sealer) {
    codec::AnyValue value(reply);
    StoredReply out;
    TRY_ASSIGN(out.status, decode_stored_value(reply, stored, value.get(), sealer));
    codec::encode_json(reply, value.get(), out.body);
    return out;
}

}  // namespace gantry::runtime
