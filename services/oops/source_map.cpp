#include "services/oops/source_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "services/oops/builder.h"
#include "services/oops/sentry_envelope.h"

namespace gantry::oops {
namespace {

constexpr std::array<std::int8_t, 256> base64_values = [] {
    std::array<std::int8_t, 256> out{};
    out.fill(-1);
    std::string_view const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < digits.size(); ++i) out[std::uint8_t(digits[i])] = std::int8_t(i);
    return out;
}();
constexpr std::int64_t place_max = 0x7fffffff;

std::unexpected<Problem> invalid(std::string_view place, std::string_view why) {
    return fail(400, "source_map_invalid", fmt::format("{}: {}", place, why));
}
std::unexpected<Problem> too_large(std::string_view why) { return fail(413, "source_map_too_large", why); }

}  // namespace

class SourceMapReader {
   public:
    SourceMapReader(SourceMap& map, SourceMapLimits const& limits) : map_(map), limits_(limits) {}

    Result<void> whole(codec::JsonValue root) {
        if (!root.is(codec::JsonKind::object)) return invalid("the map", fmt::format("expected an object, found {}", name_of(root.kind())));
        map_.file_ = root["file"].text();
        for (auto name : {"debug_id", "debugId"})
            if (map_.debug_id_.empty()) map_.debug_id_ = debug_id_of(root[name].text());
        TRY_VOID(root["sections"] ? sections(root["sections"]) : section(root, 0, 0, "the map"));
        auto const key = [](SourceMap::Mapping const& m) {
            return std::tuple(m.line, m.column, m.source, m.source_line, m.source_column, m.name);
        };
        auto const before = [&](auto const& a, auto const& b) { return std::pair(a.line, a.column) < std::pair(b.line, b.column); };
        // Columns of one line may stand in any order.
        if (!std::is_sorted(map_.mappings_.begin(), map_.mappings_.end(), before))
            std::sort(map_.mappings_.begin(), map_.mappings_.end(), [&](auto const& a, auto const& b) { return key(a) < key(b); });
        return {};
    }

   private:
    Result<void> sections(codec::JsonValue list) {
        if (!list.is(codec::JsonKind::list)) return invalid("sections", fmt::format("expected a list, found {}", name_of(list.kind())));
        std::size_t i = 0;
        std::pair<std::int64_t, std::int64_t> before{-1, -1};
        for (auto one : list) {
            auto const place = fmt::format("sections/{}", i++);
            auto const line = one["offset"]["line"].integer(), column = one["offset"]["column"].integer();
            if (!line || !column || *line < 0 || *column < 0 || *line > place_max || *column > place_max)
                return invalid(place, "offset needs line and column, from 0");
            if (std::pair(*line, *column) <= before) return invalid(place, "sections stand in the order of their offsets");
            before = {*line, *column};
            if (!one["map"].is(codec::JsonKind::object) || one["map"]["sections"]) return invalid(place, "expected a map without sections");
            TRY_VOID(section(one["map"], *line, *column, place));
        }
        return {};
    }
    Result<void> section(codec::JsonValue map, std::int64_t line, std::int64_t column, std::string_view place) {
        if (map["version"].integer() != 3) return invalid(place, "version must be 3");
        auto const first_source = std::uint32_t(map_.sources_.size()), first_name = std::uint32_t(map_.names_.size());
        TRY_VOID(sources(map, place));
        for (auto name : map["names"]) map_.names_.emplace_back(name.text());
        if (map_.names_.size() > limits_.mappings_max) return too_large(fmt::format("at most {} names", limits_.mappings_max));
        auto const mappings = map["mappings"];
        if (!mappings.is(codec::JsonKind::text))
            return invalid(place, fmt::format("mappings: expected text, found {}", name_of(mappings.kind())));
        return decode(mappings.text(), line, column, first_source, first_name);
    }
    Result<void> sources(codec::JsonValue map, std::string_view place) {
        auto const list = map["sources"];
        if (!list.is(codec::JsonKind::list)) return invalid(place, fmt::format("sources: expected a list, found {}", name_of(list.kind())));
        if (map_.sources_.size() + list.size() > limits_.sources_max)
            return too_large(fmt::format("at most {} sources", limits_.sources_max));
        auto const root = map["sourceRoot"].text();
        auto content = map["sourcesContent"].begin();
        auto const end = map["sourcesContent"].end();
        for (auto source : list) {
            auto& out = map_.sources_.emplace_back();
            out.name =
                root.empty() ? std::string(source.text()) : fmt::format("{}{}{}", root, root.ends_with('/') ? "" : "/", source.text());
            if (content == end) continue;
            out.content = (*content).text(), ++content;
            index_lines(out);
        }
        return {};
    }
    static void index_lines(SourceMap::Source& source) {
        if (source.content.empty()) return;
        source.line_starts.push_back(0);
        for (std::size_t i = 0; i < source.content.size(); ++i)
            if (source.content[i] == '\n') source.line_starts.push_back(std::uint32_t(i + 1));
    }

    // Lines are split by ';', segments by ','; each segment is 1, 4 or 5 numbers, relative to those before.
    Result<void> decode(std::string_view text, std::int64_t line, std::int64_t column, std::uint32_t first_source,
                        std::uint32_t first_name) {
        std::int64_t generated = column, state[4] = {0, 0, 0, 0};  // source, line, column, name
        auto const sources = std::int64_t(map_.sources_.size()) - first_source, names = std::int64_t(map_.names_.size()) - first_name;
        for (std::size_t i = 0; i < text.size();) {
            if (text[i] == ';') {
                if (++line > place_max) return invalid("mappings", "too many lines");
                generated = 0, ++i;
                continue;
            }
            if (text[i] == ',') {
                ++i;
                continue;
            }
            std::int64_t fields[5];
            std::size_t count = 0;
            auto const at = i;
            while (i < text.size() && text[i] != ',' && text[i] != ';') {
                if (count == 5 || !number(text, i, fields[count]))
                    return invalid(fmt::format("mappings at byte {}", i), "expected 1, 4 or 5 numbers in base 64");
                ++count;
            }
            if (count == 2 || count == 3)
                return invalid(fmt::format("mappings at byte {}", at), fmt::format("a segment of {} numbers", count));
            generated += fields[0];
            for (std::size_t k = 1; k < count; ++k) state[k - 1] += fields[k];
            bool const inside = generated >= 0 && generated <= place_max && state[1] >= 0 && state[1] <= place_max && state[2] >= 0 &&
                                state[2] <= place_max;
            if (!inside || (count >= 4 && (state[0] < 0 || state[0] >= sources)) || (count == 5 && (state[3] < 0 || state[3] >= names)))
                return invalid(fmt::format("mappings at byte {}", at), "it points outside of the lists");
            if (map_.mappings_.size() == limits_.mappings_max) return too_large(fmt::format("at most {} mappings", limits_.mappings_max));
            auto& out = map_.mappings_.emplace_back();
            out.line = std::uint32_t(line), out.column = std::uint32_t(generated);
            if (count < 4) continue;
            out.source = first_source + std::uint32_t(state[0]), out.source_line = std::uint32_t(state[1]),
            out.source_column = std::uint32_t(state[2]);
            if (count == 5) out.name = first_name + std::uint32_t(state[3]);
        }
        return {};
    }
    static bool number(std::string_view text, std::size_t& i, std::int64_t& out) {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift <= 30 && i < text.size(); shift += 5) {
            auto const digit = base64_values[std::uint8_t(text[i])];
            if (digit < 0) return false;
            ++i, value |= std::uint64_t(digit & 31) << shift;
            if (digit & 32) continue;
            out = value & 1 ? -std::int64_t(value >> 1) : std::int64_t(value >> 1);
            return true;
        }
        return false;
    }

    SourceMap& map_;
    SourceMapLimits const& limits_;
};

Result<SourceMap> SourceMap::parse(std::string_view json, SourceMapLimits const& limits) {
    if (json.size() > limits.bytes_max) return too_large(fmt::format("a map has at most {} bytes", limits.bytes_max));
    if (json.starts_with(")]}'")) json.remove_prefix(std::min(json.find('\n'), json.size()));
    auto const tree = codec::JsonTree::read(json, {.depth_max = 8, .values_max = limits.mappings_max});
    if (!tree) return invalid("the map", tree.error().detail);
    SourceMap out;
    TRY_VOID(SourceMapReader(out, limits).whole(tree->root()));
    return out;
}

std::optional<SourcePlace> SourceMap::find(std::uint32_t line, std::uint32_t column) const {
    if (line == 0) return {};
    auto const at = std::pair(line - 1, column ? column - 1 : 0);
    auto after = std::upper_bound(mappings_.begin(), mappings_.end(), at,
                                  [](auto const& place, auto const& m) { return place < std::pair(m.line, m.column); });
    if (after == mappings_.begin()) return {};
    auto const& m = *--after;
    if (m.line != line - 1 || m.source == none) return {};
    return SourcePlace{sources_[m.source].name, m.source_line + 1, m.source_column + 1,
                       m.name == none ? std::string_view() : names_[m.name]};
}

std::optional<std::string_view> SourceMap::source_line(std::string_view source, std::uint32_t line) const {
    for (auto const& s : sources_) {
        if (s.name != source || line == 0 || line > s.line_starts.size()) continue;
        auto text = std::string_view(s.content).substr(s.line_starts[line - 1]);
        text = text.substr(0, text.find('\n'));
        if (text.ends_with('\r')) text.remove_suffix(1);
        return text;
    }
    return {};
}

std::size_t SourceMap::memory_bytes() const {
    std::size_t out = mappings_.capacity() * sizeof(Mapping);
    for (auto const& s : sources_)
        out += sizeof s + s.name.capacity() + s.content.capacity() + s.line_starts.capacity() * sizeof(std::uint32_t);
    for (auto const& n : names_) out += sizeof n + n.capacity();
    return out;
}

std::string debug_id_of(std::string_view text) {
    auto out = sentry_id(text);
    if (out.empty()) return out;
    for (std::size_t at : {8, 13, 18, 23}) out.insert(at, 1, '-');
    return out;
}

namespace {

class Applier {
   public:
    Applier(Report& report, SourceMap const& map) : builder_(report, options_), map_(map) {}

    void stack(std::vector<Frame>& frames) {
        // The name of a function stands in the frame that calls it; the outermost has no caller.
        std::string_view called_as;
        for (auto& frame : frames) called_as = one(frame, called_as);
    }
    std::size_t asked = 0, found = 0;

   private:
    std::string_view one(Frame& frame, std::string_view called_as) {
        if (frame.debug_id.empty() || debug_id_of(frame.debug_id) != map_.debug_id() || !frame.generated.empty()) return {};
        ++asked;
        auto const place = map_.find(frame.line, frame.column);
        if (!place) return {};
        ++found;
        builder_.text(frame.generated, fmt::format("{}:{}:{}", frame.file.view(), frame.line, frame.column), "frames/generated");
        builder_.text(frame.file, place->source, "frames/file");
        frame.line = place->line, frame.column = place->column;
        if (!called_as.empty()) builder_.text(frame.function, called_as, "frames/function");
        frame.module = {};
        context(frame, *place);
        // What lies below node_modules is no longer hidden in a bundle.
        if (place->source.find("node_modules/") != place->source.npos) frame.in_app = false;
        return place->name;
    }
    void context(Frame& frame, SourcePlace const& place) {
        constexpr std::uint32_t around = 5;
        if (auto const line = map_.source_line(place.source, place.line)) builder_.shown(frame.context_line, *line, "frames/context_line");
        frame.lines_before.clear(), frame.lines_after.clear();
        for (auto n = place.line > around ? place.line - around : 1; n < place.line; ++n)
            if (auto const line = map_.source_line(place.source, n))
                builder_.shown(frame.lines_before.emplace_back(), *line, "frames/lines");
        for (auto n = place.line + 1; n <= place.line + around; ++n)
            if (auto const line = map_.source_line(place.source, n))
                builder_.shown(frame.lines_after.emplace_back(), *line, "frames/lines");
    }

    ReadOptions options_;
    Builder builder_;
    SourceMap const& map_;
};

}  // namespace

Result<std::size_t> apply_source_map(Report& report, SourceMap const& map) {
    if (map.debug_id().empty()) return fail(409, "source_map_mismatch", "the map has no debug id, by which its file is known");
    Applier applier(report, map);
    for (auto& e : report.exceptions) applier.stack(e.frames);
    applier.stack(report.stack);
    if (applier.asked == 0)
        return fail(409, "source_map_mismatch", fmt::format("no frame has the map's debug id {}: it is of another file", map.debug_id()));
    return applier.found;
}

}  // namespace gantry::oops
