// Any text as rules: no crash; rules that are accepted judge a report the same each time.
#include "services/oops/fingerprint.h"
#include "services/oops/normal.h"
#include "services/oops/releases.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry::oops;
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    GANTRY_ASSERT(normal_text(text).size() <= normal_chars_max + 8, "a normal text is bounded");
    auto const half = text.substr(0, size / 2), rest = text.substr(size / 2);
    GANTRY_ASSERT(compare_debian(half, rest) == (0 <=> compare_debian(rest, half)), "an order looks the same from both sides");
    auto const a = parse_release(half), b = parse_release(rest);
    auto const forth = compare_releases(a, b), back = compare_releases(b, a);
    GANTRY_ASSERT((forth < 0) == (back > 0) && (forth == 0) == (back == 0), "an order looks the same from both sides");
    auto const rules = Rules::parse(text);
    if (!rules) return 0;
    Report report;
    report.exceptions = {{.type = "KeyError", .value = "v", .frames = {{.module = "a", .function = "f", .file = "/a/vendor/b.py"}}}};
    report.tags = {{"queue", "mail"}};
    GANTRY_ASSERT(fingerprint(report, *rules) == fingerprint(report, *rules), "a fingerprint is a function");
    title_of(report, *rules);
    return 0;
}
