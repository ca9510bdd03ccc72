#include "bench/workload.h"

#include <fmt/format.h>

#include <iterator>

#include "kernel/base/hash.h"
#include "kernel/base/varint.h"

namespace gantry::bench {

static constexpr std::string_view stages[] = {"uploaded", "building", "built", "autopkgtest", "migrating"};
static constexpr std::string_view arches[] = {"amd64", "arm64"};
static constexpr std::string_view series[] = {"bookworm", "trixie"};
static constexpr std::string_view reporters[] = {"builders", "autopkgtest", "britney", "dak"};
static constexpr std::string_view kinds[] = {"lib", "python3-", "golang-", "node-", "ruby-", "fonts-", "r-cran-", ""};
static constexpr std::string_view words[] = {"archive", "vector",  "crypto", "render", "socket", "parser", "matrix", "stream",
                                             "quantum", "network", "policy", "object", "signal", "thread", "memory", "kernel"};
static constexpr std::int64_t start_us = 1'700'000'000'000'000;
static constexpr std::int64_t step_us = 2'000'000;

void encode(Report const& r, std::string& out) {
    put_varint(out, r.run);
    for (auto s : {r.package, r.version, r.arch, r.series, r.trigger, r.source, r.reporter, r.stage, r.result}) put_string(out, s);
    put_signed(out, r.at_us);
    for (auto s : {r.id, r.url, r.note}) put_string(out, s);
}

bool decode(std::string_view bytes, Report& r) {
    ByteReader in(bytes);
    r.run = in.varint();
    for (auto* s : {&r.package, &r.version, &r.arch, &r.series, &r.trigger, &r.source, &r.reporter, &r.stage, &r.result}) *s = in.string();
    r.at_us = in.signed_varint();
    for (auto* s : {&r.id, &r.url, &r.note}) *s = in.string();
    return in.ok() && in.done();
}

Workload::Workload(std::uint32_t packages, std::uint64_t seed) : state_(seed) {
    packages_.resize(packages);
    for (std::uint32_t i = 0; i < packages; ++i) {
        auto h = mix64(i + 1);
        packages_[i].source = fmt::format("{}-{}{}", words[h % 16], words[(h >> 4) % 16], i);
        packages_[i].name = fmt::format("{}{}", kinds[(h >> 8) % 8], packages_[i].source);
    }
}

std::uint64_t Workload::random() { return mix64(state_ += 0x9e3779b97f4a7c15); }

Report Workload::next() {
    auto dice = random();
    auto& p = packages_[(dice >> 16) % packages_.size()];
    if (p.stage == 5 || (p.stage == 3 && mix64(p.run) % 32 == 0)) p.stage = 0, ++p.runs;
    if (p.stage == 0) p.run = ++runs_;
    bool late = p.stage >= 2 && dice % 64 == 0;
    std::size_t stage = late ? p.stage - 2u : p.stage++;
    std::int64_t at = start_us + std::int64_t(count_) * step_us - std::int64_t(late ? 40'000'000'000 : dice % 1024 * 1000);

    version_.clear(), id_.clear(), url_.clear();
    fmt::format_to(std::back_inserter(version_), "{}.{}-{}", 1 + p.run % 7, p.runs / 4, 1 + p.run % 3);
    auto reporter = stage == 0 ? 3u : stage == 4 ? 2u : stage == 3 ? 1u : 0u;
    if (reporter == 1) fmt::format_to(std::back_inserter(id_), "t{}", count_);
    ++count_;
    auto turn = p.runs % 4;
    return {.run = p.run,
            .package = p.name,
            .version = version_,
            .arch = arches[turn % 2],
            .series = series[turn / 2],
            .trigger = "migration",
            .source = p.source,
            .reporter = reporters[reporter],
            .stage = stages[stage],
            .result = stage == 4 ? (dice >> 8) % 16 == 0 ? "rejected" : "accepted" : "",
            .at_us = at,
            .id = id_,
            .url = url_,
            .note = {}};
}

}  // namespace gantry::bench
