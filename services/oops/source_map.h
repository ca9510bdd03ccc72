#pragma once
#include "services/oops/report.h"

// Source maps, version 3 (ECMA-426): from a place in generated JavaScript to the source that a person wrote.
namespace gantry::oops {

struct SourceMapLimits {
    std::size_t bytes_max = 64 << 20;
    std::size_t mappings_max = 4'000'000;
    std::size_t sources_max = 50'000;
};

// Lines and columns count from 1, as in a Frame.
struct SourcePlace {
    std::string_view source;
    std::uint32_t line = 0, column = 0;
    std::string_view name;  // of what was called there; may be empty
};

class SourceMap {
   public:
    // Also maps of sections; `sourcesContent` is kept. Problems: 400 "source_map_invalid" naming the place ("mappings at byte 17: …"),
    // 413 "source_map_too_large".
    static Result<SourceMap> parse(std::string_view json, SourceMapLimits const& limits = {});

    // What the generated place was made from: the last mapping of the line at or before the column.
    std::optional<SourcePlace> find(std::uint32_t line, std::uint32_t column) const;
    // The line of a source, if the map holds its content.
    std::optional<std::string_view> source_line(std::string_view source, std::uint32_t line) const;
    std::string const& debug_id() const { return debug_id_; }  // small letters, with dashes; empty: it has none
    // For one that has none: who sent it says which.
    void known_as(std::string debug_id) { debug_id_ = std::move(debug_id); }
    std::string const& file() const { return file_; }
    std::size_t size() const { return mappings_.size(); }
    std::size_t memory_bytes() const;

   private:
    friend class SourceMapReader;
    static constexpr std::uint32_t none = 0xffffffff;
    struct Mapping {
        std::uint32_t line = 0, column = 0;  // generated, from 0
        std::uint32_t source = none, source_line = 0, source_column = 0, name = none;
    };
    struct Source {
        std::string name;
        std::string content;
        std::vector<std::uint32_t> line_starts;
    };
    std::vector<Mapping> mappings_;  // by line, column
    std::vector<Source> sources_;
    std::vector<std::string> names_;
    std::string debug_id_, file_;
};

// "a1b2c3d4-…" in small letters with dashes, of an id with or without them; empty when it is none.
std::string debug_id_of(std::string_view text);

// Rewrites the report's frames that carry the map's debug id, and returns how many found their source. A frame keeps where it was in
// `generated`. Its function is the name at the frame that called it, as names stand where functions are called. Problem: 409
// "source_map_mismatch" when the map has no debug id, or no frame has that one: it is the map of another file.
Result<std::size_t> apply_source_map(Report& report, SourceMap const& map);

}  // namespace gantry::oops
