// What the pool reads of others: Boskos' and the PPA assigner's calls, and what hooks answer. No crash; what is read is within its bounds,
// and can be recorded.
#include "services/pool/cleaning.h"
#include "services/pool/dynamic.h"
#include "services/pool/foreign.h"
#include "services/pool/inventory.h"

namespace gantry::pool {
namespace {

template <class T>
void can_be_kept(T const& value) {
    std::string bytes;
    codec::put(bytes, value);
    ByteReader reader(bytes);
    T again{};
    GANTRY_ASSERT(codec::get(reader, again) && reader.done() && codec::to_json(again) == codec::to_json(value), "what is read can be kept");
}

void boskos(ForeignRequest const& request) {
    for (auto const parse : {&parse_boskos_acquire, &parse_boskos_acquire_by_state, &parse_boskos_release, &parse_boskos_update,
                             &parse_boskos_reset, &parse_boskos_metric}) {
        auto const call = parse(request);
        if (!call) {
            GANTRY_ASSERT(call.error().status == 400 && refuse_boskos(call.error()).status == 400, "bad input is 400");
            continue;
        }
        GANTRY_ASSERT(call->owner.size() <= 200 && call->type.size() <= 200 && call->request_id.size() <= 190, "names are bounded");
        can_be_kept(*call);
    }
}
void ppa(ForeignRequest const& request) {
    for (auto const parse : {&parse_ppa_list, &parse_ppa_reserve, &parse_ppa_populate, &parse_ppa_release}) {
        auto const call = parse(request);
        GANTRY_ASSERT(call || call.error().status == 400, "bad input is 400");
        if (call) GANTRY_ASSERT(call->ticket.size() <= 100, "a ticket is bounded");
    }
}
void answers(std::string_view body) {
    auto const told = read_inventory(body);
    GANTRY_ASSERT(told.code.empty() || told.items.empty(), "what can't be believed tells nothing");
    GANTRY_ASSERT(told.items.size() <= inventory_max, "an inventory is bounded");
    for (auto const& item : told.items) {
        GANTRY_ASSERT(!item.name.empty() && item.name.size() <= Name::max_chars && item.owner.size() <= 200, "texts are bounded");
        can_be_kept(item);
    }
    auto const made = read_made(body);
    GANTRY_ASSERT(!made.fault.empty() || (!made.name.empty() && made.name.size() <= Name::max_chars), "what is made has a name");
    (void)read_verdict(std::string(body));
}

}  // namespace
}  // namespace gantry::pool

// The first line is a query, what follows a body.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry;
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    auto const cut = std::min(text.find('\n'), text.size());
    ForeignRequest request{.verb = "POST", .path = "/pool/boskos/acquire", .query = text.substr(0, cut)};
    request.body = text.substr(std::min(cut + 1, text.size()));
    pool::boskos(request);
    pool::ppa(request);
    pool::answers(request.body);
    return 0;
}
