// Any bytes as a source map: no crash; each place that it gives is of its sources.
#include "services/oops/source_map.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry::oops;
    auto const map = SourceMap::parse({reinterpret_cast<char const*>(data), size}, {.mappings_max = 10'000});
    if (!map) return 0;
    for (std::uint32_t line = 0; line < 4; ++line)
        for (std::uint32_t column = 0; column < 40; ++column)
            if (auto const place = map->find(line, column)) {
                GANTRY_ASSERT(place->line > 0 && place->column > 0, "places count from 1");
                (void)map->source_line(place->source, place->line);
            }
    Report report;
    report.stack = {{.file = "a.js", .line = 1, .column = 5, .debug_id = Name(map->debug_id())}};
    (void)apply_source_map(report, *map);
    return 0;
}
