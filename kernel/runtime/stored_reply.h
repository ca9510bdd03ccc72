#pragma once
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/codec/binary.h"
#include "kernel/codec/type.h"

namespace gantry::runtime {

// The reply of a command in its batch's header, for repeats: varint status, 8 bytes fingerprint of the reply's type, then 0 when the type
// holds a Secret (nothing is kept of it), else 1 and the positional binary form with its Personal fields sealed.
std::string encode_stored_reply(codec::Type const& reply, void const* value, int status, codec::Sealer const* sealer);

struct StoredReply {
    int status = 200;
    std::string body;  // the same JSON as the first time
};
// The value itself, which may point into `stored`; the status is what is given. Problems as of decode_stored_reply.
Result<int> decode_stored_value(codec::Type const& reply, std::string_view stored, void* value, codec::Sealer const* sealer);
// 409 "secret_not_repeated", or 409 "reply_not_kept" when this release gives another type of reply: the command was done all the same.
Result<StoredReply> decode_stored_reply(codec::Type const& reply, std::string_view stored, codec::Sealer const* sealer);

}  // namespace gantry::runtime
