// Any text as an RFC 822 report, as an id and as a traceback: no crash; what was read and written reads the same from then on.
#include "services/oops/oops_dict.h"
#include "services/oops/oops_id.h"
#include "services/oops/rfc822.h"
#include "services/oops/secrets.h"
#include "services/oops/traceback.h"

namespace gantry::oops {
namespace {

void settles(std::string_view text) {
    auto const read = read_rfc822(text);
    if (!read) return;
    auto const once = write_rfc822(*read);
    auto const second = read_rfc822(once);
    GANTRY_ASSERT(second, "what was written is read");
    auto const twice = write_rfc822(*second);
    auto const third = read_rfc822(twice);
    GANTRY_ASSERT(third && write_rfc822(*third) == twice, "writing settles");
    GANTRY_ASSERT(report_of_oops(*read, {}), "a text has no wrong types");
}

void once(std::string_view text) {
    parse_traceback(text);
    if (auto const id = lookup_id(text)) GANTRY_ASSERT(lookup_id(*id) == id, "an id is looked up as itself");
    std::string hidden, again;
    if (hide_in_text(text, hidden)) GANTRY_ASSERT(hidden.find(hidden_text) != hidden.npos, "what is hidden is shown as such");
}

}  // namespace
}  // namespace gantry::oops

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    gantry::oops::settles(text);
    gantry::oops::once(text);
    return 0;
}
