#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "app/import/report.h"
#include "app/import/transport.h"

namespace gantry::import {

struct WireChunk {
    std::string from, to;
    std::vector<Report> reports;
};
RECORD(WireChunk, from, to, reports);
struct WireStanding {
    std::string import, at;
    std::uint64_t chunks = 0, reports = 0;
};
RECORD(WireStanding, import, at, chunks, reports);

// The tracker's side of the contract of chunks, in memory: a chunk is taken only from where its import stands, a report with an id that
// its reporter used before is dropped. Faults are asked for before each call.
class FakeTracker final : public Transport {
   public:
    enum class Fault { none, no_answer, lost_answer, busy, killed_before, killed_after };
    struct Killed {};
    std::function<Fault(std::uint64_t call)> fault = [](std::uint64_t) { return Fault::none; };
    std::function<std::optional<Answer>(WireChunk const&)> refuse;  // a chunk's own answer

    Answer get(std::string const& path) override {
        std::lock_guard lock(mutex_);
        return with_fault([&] {
            auto found = imports_.find(name_in(path));
            if (found == imports_.end()) return problem(404, "import_not_found");
            return Answer{200, codec::to_json(found->second), {}};
        });
    }
    Answer post(std::string const& path, std::string const& json) override {
        std::lock_guard lock(mutex_);
        largest_body_ = std::max(largest_body_, json.size());
        return with_fault([&] { return take(name_in(path), json); });
    }

    std::vector<Report> reports() const {
        std::lock_guard lock(mutex_);
        return reports_;
    }
    // Everything taken, one line a report.
    std::string text() const {
        std::string all;
        for (auto const& r : reports()) all += codec::to_json(r) + "\n";
        return all;
    }
    std::size_t count() const { return reports().size(); }
    std::string at(std::string const& name) { return imports_[name].at; }
    void stand(std::string const& name, std::string at) { imports_[name] = {name, std::move(at), 0, 0}; }
    std::vector<std::size_t> chunk_sizes;
    std::size_t largest_body() const { return largest_body_; }
    std::uint64_t calls() const { return calls_; }

   private:
    static std::string name_in(std::string const& path) {
        constexpr std::string_view prefix = "/tracker/v1/imports/";
        EXPECT_TRUE(path.starts_with(prefix)) << path;
        std::string const rest = path.substr(prefix.size());
        return rest.substr(0, rest.find('/'));
    }
    static Answer problem(int status, std::string code) {
        return {status, fmt::format(R"({{"type":"about:blank","status":{},"code":"{}"}})", status, code), {}};
    }
    Answer with_fault(std::function<Answer()> const& act) {
        switch (fault(++calls_)) {
            case Fault::none: return act();
            case Fault::no_answer: return {0, "connect_failed: refused", {}};
            case Fault::busy: return problem(503, "overloaded");
            case Fault::lost_answer: act(); return {0, "timeout: no answer", {}};
            case Fault::killed_before: throw Killed{};
            case Fault::killed_after: act(); throw Killed{};
        }
        return {};
    }
    Answer take(std::string const& name, std::string const& json) {
        auto chunk = codec::from_json<WireChunk>(json);
        EXPECT_TRUE(chunk) << (chunk ? "" : chunk.error().detail) << json.substr(0, 500);
        if (!chunk) return problem(400, "body_invalid");
        auto& standing = imports_[name];
        if (chunk->from != standing.at) return problem(409, "import_elsewhere");
        if (refuse)
            if (auto answer = refuse(*chunk)) return *answer;
        EXPECT_FALSE(chunk->reports.empty());
        EXPECT_LE(chunk->to.size(), 200u);
        EXPECT_NE(chunk->to, chunk->from);
        chunk_sizes.push_back(chunk->reports.size());
        standing.import = name, standing.at = chunk->to, standing.chunks += 1, standing.reports += chunk->reports.size();
        for (auto& r : chunk->reports)
            if (!r.id || ids_.insert(r.reporter + " " + *r.id).second) reports_.push_back(std::move(r));
        return {201, "{}", {}};
    }

    mutable std::mutex mutex_;
    std::map<std::string, WireStanding> imports_;
    std::set<std::string> ids_;
    std::vector<Report> reports_;
    std::size_t largest_body_ = 0;
    std::uint64_t calls_ = 0;
};

// A folder that is gone at the end.
class TempDir {
   public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "gantry-import-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string operator/(std::string const& name) const { return path_ + "/" + name; }
    std::string const& path() const { return path_; }

   private:
    std::string path_;
};

inline void write_file(std::string const& path, std::string_view text, bool append = false) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, append ? std::ios::app | std::ios::binary : std::ios::binary) << text << std::flush;
}
inline void write_gzip(std::string const& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    gzFile f = gzopen(path.c_str(), "wb");
    ASSERT_TRUE(f);
    if (!text.empty()) ASSERT_EQ(gzwrite(f, text.data(), unsigned(text.size())), int(text.size()));
    gzclose(f);
}

// What was written to a FILE*.
class Captured {
   public:
    Captured() : file_(std::tmpfile()) {}
    ~Captured() { std::fclose(file_); }
    operator std::FILE*() const { return file_; }
    std::string text() const {
        std::fflush(file_);
        std::string all;
        std::rewind(file_);
        for (char block[4096]; std::size_t n = std::fread(block, 1, sizeof block, file_);) all.append(block, n);
        return all;
    }

   private:
    std::FILE* file_;
};

}  // namespace gantry::import
