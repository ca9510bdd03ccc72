#pragma once
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>

#include "kernel/base/result.h"
#include "kernel/base/time.h"

// Log lines: what the process tells its operator. One line an occurrence, UTC with microseconds, as JSON where a program reads and as
// logfmt where a person does. A log line is no record: what must not be lost is an event (kernel/log).
//
//     log_line(Level::warning, "http", "connection refused", {{"client", address}, {"open", count}});
//     {"time":"2026-01-31T12:00:00.000001Z","level":"warning","module":"http","message":"connection refused","client":"…","open":17}
namespace gantry::observe {

enum class Level : std::uint8_t { debug, info, warning, error };
std::string_view name_of(Level level);
Result<Level> parse_level(std::string_view text);

// Views: a field lives for the call. Its name is snake_case, and none of time, level, module and message.
struct LogField {
    using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;
    std::string_view name;
    Value value;
    LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
    LogField(std::string_view n, char const* v) : name(n), value(std::string_view(v)) {}
    LogField(std::string_view n, std::string const& v) : name(n), value(std::string_view(v)) {}
    LogField(std::string_view n, bool v) : name(n), value(v) {}
    LogField(std::string_view n, double v) : name(n), value(v) {}
    template <std::signed_integral T>
    LogField(std::string_view n, T v) : name(n), value(std::int64_t(v)) {}
    template <std::unsigned_integral T>
        requires(!std::same_as<T, bool>)
    LogField(std::string_view n, T v) : name(n), value(std::uint64_t(v)) {}
};

// Where whole lines go. Called under the logger's lock, one line at a time.
class LogSink {
   public:
    virtual ~LogSink() = default;
    virtual void write(std::string_view line) = 0;  // ends with its newline
};
// One write(2) a line. What can't be written is dropped and counted: telling the operator must not stop the work.
class DescriptorSink final : public LogSink {
   public:
    explicit DescriptorSink(int descriptor) : descriptor_(descriptor) {}
    void write(std::string_view line) override;
    std::uint64_t lost_lines() const { return lost_lines_.load(std::memory_order_relaxed); }

   private:
    int descriptor_;
    std::atomic<std::uint64_t> lost_lines_{0};
};
class CapturingSink final : public LogSink {
   public:
    void write(std::string_view line) override { text.append(line); }
    std::string text;
};

enum class LogFormat { json, logfmt };

// Safe from any thread. Clock and sink outlive it.
class Logger {
   public:
    Logger(Clock const& clock, LogSink& sink, LogFormat format) : clock_(clock), sink_(sink), format_(format) {}
    void line(Level level, std::string_view module, std::string_view message, std::initializer_list<LogField> fields = {});
    // The least level that is written: of all modules, and of one.
    void set_level(Level least);
    void set_level(std::string module, Level least);
    bool writes(Level level, std::string_view module) const;

   private:
    bool writes_locked(Level level, std::string_view module) const;
    Clock const& clock_;
    LogSink& sink_;
    LogFormat format_;
    mutable std::mutex mutex_;
    Level least_ = Level::info;                         // guarded by mutex_
    std::map<std::string, Level, std::less<>> levels_;  // guarded by mutex_
    std::string buffer_;                                // guarded by mutex_
};

// The logger of the process: standard error, logfmt if that is a terminal. A test puts its own in its place; null brings the first one
// back.
Logger& process_logger();
void set_process_logger(Logger* logger);
inline void log_line(Level level, std::string_view module, std::string_view message, std::initializer_list<LogField> fields = {}) {
    process_logger().line(level, module, message, fields);
}

// "info", or "info,http=debug,log=warning": the level of all, then of single modules.
Result<void> set_levels(Logger& logger, std::string_view text);

}  // namespace gantry::observe
