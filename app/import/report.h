#pragma once
#include <optional>
#include <string>

#include "kernel/base/record.h"
#include "kernel/base/time.h"
#include "kernel/codec/json.h"

namespace gantry::import {

// One report as the tracker takes it (POST /tracker/v1/reports, and in chunks). What is absent is left out of the JSON. All text is
// valid UTF-8. `id` is unique for its `reporter`: the tracker drops a repeat.
struct Report {
    std::string package;
    std::string version;
    std::string arch;
    std::string stage;
    std::optional<std::string> id;
    Time at;
    std::optional<std::string> source;
    std::string reporter;
    std::optional<std::string> series;
    std::optional<std::string> trigger;
    std::optional<std::string> result;
    std::optional<std::string> url;
    std::optional<std::string> note;
    std::optional<std::string> who;
};
RECORD(Report, package, version, arch, stage, id, at, source, reporter, series, trigger, result, url, note, who);

constexpr std::size_t note_bytes_max = 500;
constexpr std::size_t id_bytes_max = 200;

// At most `bytes_max` bytes, cut between two characters and ended by "…" when something is missing.
std::string shortened(std::string_view text, std::size_t bytes_max);
// `text` when it is short enough, else its beginning with a hash of the whole: still unique.
std::string bounded_id(std::string text);

}  // namespace gantry::import
