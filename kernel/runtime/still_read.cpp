#include "kernel/runtime/still_read.h"

#include "kernel/codec/json.h"

namespace gantry::runtime {

Result<Searched> StillRead::search(void const* input) {
    if (!route_.make_query) return Call::search(input);
    TRY_ASSIGN(auto const query, route_.make_query(route_.query, input, ctx_));
    return query.nothing ? Searched{} : Call::search(input);
}

void StillRead::answer(codec::Type const& reply, void const* value, int) { codec::encode_json(reply, value, body_); }

}  // namespace gantry::runtime
