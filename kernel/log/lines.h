#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/codec/json.h"
#include "kernel/log/disk.h"

// Records at the pace of people (erasures, changes of flags) in a file of one JSON object a line, the oldest first. Adding one writes the
// file anew beside itself and renames it: it is there whole, or not at all. An empty path is a file in memory: nothing to read or write.
namespace gantry::log {

// Without a file there are none. `damaged` is what is failed with when a line can't be read; its cause gets the place and the remedy.
template <class T>
Result<std::vector<T>> read_lines(Disk& disk, std::string const& path, Problem damaged) {
    std::vector<T> out;
    if (path.empty()) return out;
    TRY_ASSIGN(bool there, disk.exists(path));
    if (!there) return out;
    TRY_ASSIGN(auto text, read_file(disk, path));
    std::string_view rest(text);
    while (!rest.empty()) {
        auto const end = std::min(rest.find('\n'), rest.size());
        auto record = codec::from_json<T>(rest.substr(0, end));
        if (!record) {
            damaged.cause = path + ", line " + std::to_string(out.size() + 1) + ": put back a copy, or remove the line";
            return fail(std::move(damaged));
        }
        out.push_back(std::move(*record));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

template <class T>
Result<void> write_lines(Disk& disk, std::string const& path, std::vector<T> const& records) {
    if (path.empty()) return {};
    std::string text;
    for (auto const& record : records) codec::append_json(text, record), text += '\n';
    return write_file_durably(disk, path, text);
}

}  // namespace gantry::log
