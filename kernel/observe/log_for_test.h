#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "kernel/observe/log_output.h"

namespace gantry::observe {

// Remembers lines as logfmt without their time, and how often it was flushed.
class RememberingOutput final : public LogOutput {
   public:
    std::vector<std::string> lines;
    int flushes = 0, finishes = 0;
    void line(LogEntry const& entry) override {
        auto& text = lines.emplace_back(std::string(name_of(entry.level)) + " " + std::string(entry.module) + ": ");
        append_message_and_fields(text, entry);
    }
    void access(AccessRecord const& record) override { lines.push_back("access " + std::string(record.target)); }
    void flush() override { ++flushes; }
    void finish() override { ++finishes; }
};

// A directory of this test, gone with it.
class ScratchDirectory {
   public:
    ScratchDirectory();
    ~ScratchDirectory();
    std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }

   private:
    std::string path_;
};
std::string read_file(std::string const& path);

}  // namespace gantry::observe
