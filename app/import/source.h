#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/import/report.h"
#include "kernel/base/result.h"

namespace gantry::import {

// A report and the position of its import once it is taken in.
struct Positioned {
    Report report;
    std::string position;
    std::string file;  // where it was read, for complaints
    std::uint64_t line = 0;
};

// Reports in an order that is the same at every run, so that an import can go on where it stood. Positions are opaque to all but the
// source that made them: text of at most 200 bytes. One thread.
class ReportSource {
   public:
    virtual ~ReportSource() = default;
    // From here on next() gives what follows `position`; "" is the beginning. May be called again at any time.
    virtual Result<void> start_after(std::string_view position) = 0;
    // The next report; nothing: there is none, or none yet.
    virtual std::optional<Positioned> next() = 0;
    // Waits a while for more (not longer than a second); false: there can be no more.
    virtual bool wait_for_more() { return false; }
    // How much of the input is read, in one unit for both (bytes, entries); total 0: unknown.
    virtual std::uint64_t done() const = 0;
    virtual std::uint64_t total() const = 0;
};

}  // namespace gantry::import
