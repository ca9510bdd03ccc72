// Any bytes as a query: no crash, a fault that has a place in it, and what is accepted is bounded and can be asked of an index.
#include <cstdint>

#include "kernel/base/assert.h"
#include "kernel/text/index.h"

namespace gantry::text {
namespace {

Schema const schema{.texts = {{.name = "message", .weight = 2, .kept_bytes = 500}, {.name = "frames", .phrases = Phrases::as_words}},
                    .numbers = {"duration_ms"},
                    .exact = {}};

std::size_t conditions(Match const& match, std::size_t depth = 0) {
    GANTRY_ASSERT(depth < 4 * query_depth_max, "a query is no deeper than it may be");
    std::size_t count = match.of.empty() ? 1 : 0;
    for (auto const& inner : match.of) count += conditions(inner, depth + 1);
    return count;
}

struct Searched {
    Index index = Index::in_memory(schema).value();
    Reader reader = index.reader().value();
    Searched() {
        Document document{.id = 1, .time = Time{1}, .texts = {}, .exact = {}, .numbers = {}};
        document.text("message", "a b could not connect to foo_bar.Baz")
            .text("frames", "x y z")
            .value("host", "web-1")
            .number("duration_ms", 5);
        GANTRY_ASSERT(index.put(document) && index.commit({1, 1}), "the document is put");
    }
};

}  // namespace
}  // namespace gantry::text

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry::text;
    static Searched searched;
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    auto match = parse(text, schema, {.now = gantry::Time{1'700'000'000'000'000}});
    if (!match) {
        GANTRY_ASSERT(match.error().code == "query_invalid" && match.error().faults.size() == 1, "a fault is told");
        return 0;
    }
    GANTRY_ASSERT(conditions(*match) <= query_terms_max, "a query has no more conditions than it may");
    (void)snippet(*match, "message", text, 50);
    auto const found = searched.reader.find({.match = std::move(*match), .after = {}, .snippet_bytes = 20});
    GANTRY_ASSERT(found && found->hits.size() <= 1, "what is accepted is answered");
    return 0;
}
