#include "app/import/log_position.h"

#include <fmt/format.h>

#include <charconv>

#include "app/import/zone.h"
#include "kernel/base/hash.h"

namespace gantry::import {
namespace {
constexpr std::size_t time_bytes = 19;

std::uint32_t line_hash(std::string_view line) { return std::uint32_t(hash64(line)); }

// Text to number of the same order: the digits of "YYYY-MM-DD HH:MM:SS".
std::uint64_t time_key(std::string_view text) {
    std::uint64_t key = 0;
    for (char c : text.substr(0, time_bytes))
        if (c >= '0' && c <= '9') key = key * 10 + std::uint64_t(c - '0');
    return key;
}
}  // namespace

std::optional<LogPosition> LogPosition::parse(std::string_view text) {
    auto const hash_mark = text.find('#'), dot = text.rfind('.');
    if (hash_mark != time_bytes || dot == text.npos || dot < hash_mark || !parse_local_time(text)) return {};
    LogPosition p{.time = std::string(text.substr(0, time_bytes))};
    auto read = [](std::string_view s, auto& out, int base) {
        auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), out, base);
        return error == std::errc{} && end == s.data() + s.size();
    };
    if (!read(text.substr(hash_mark + 1, dot - hash_mark - 1), p.ordinal, 10) || !read(text.substr(dot + 1), p.hash, 16)) return {};
    return p;
}

std::string LogPosition::text() const { return fmt::format("{}#{}.{:08x}", time, ordinal, hash); }

void PositionCounter::count(std::string_view line) {
    std::uint64_t const key = time_key(line);
    if (!last_ || key != key_) key_ = key, last_ = &counts_[key];
    ++*last_;
}

LogPosition PositionCounter::position(std::string_view line) const {
    return {std::string(line.substr(0, time_bytes)), ordinal(), line_hash(line)};
}

void PositionFinder::line(std::string_view text) {
    ++lines_;
    if (exact_ || text.size() < time_bytes || !parse_local_time(text)) return;
    std::string_view const time = text.substr(0, time_bytes);
    if (time < wanted_.time) return void(older_ = true);
    if (time > wanted_.time) {
        if (!newer_) newer_ = lines_;
        return;
    }
    older_ = true, ++ordinal_;
    if (line_hash(text) != wanted_.hash) return;
    same_hash_ = lines_;
    if (ordinal_ == wanted_.ordinal) exact_ = lines_;
}

PositionFinder::Found PositionFinder::found() const {
    if (exact_) return Found::exactly;
    if (same_hash_) return Found::by_hash;
    if (!newer_) return Found::all_older;
    return older_ ? Found::by_time : Found::all_newer;
}

std::uint64_t PositionFinder::lines_before() const {
    switch (found()) {
        case Found::exactly: return *exact_;
        case Found::by_hash: return *same_hash_;
        case Found::all_older: return lines_;
        case Found::by_time:
        case Found::all_newer: return *newer_ - 1;
    }
    return 0;
}

}  // namespace gantry::import
