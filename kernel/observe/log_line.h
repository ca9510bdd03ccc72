#pragma once
#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

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

// Views: a field lives for the call. Its name is snake_case, and none of time, level, module and message. Of a text, the first 8 KiB are
// written.
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

// On whose behalf this thread works. What is set goes on each line written inside the scope, behind the line's own fields and unless
// one of these has the same name; what an inner scope leaves empty is that of the outer one.
struct LogContext {
    std::string_view request_id = {}, trace_id = {}, caller = {}, service = {}, site = {};
    std::uint64_t position = 0;  // of a log; 0: none
};
// Holds the views, not the texts: they outlive the scope. Scopes of a thread end in the reverse order, and none spans a suspension.
class LogScope {
   public:
    explicit LogScope(LogContext const& context);
    ~LogScope();
    LogScope(LogScope const&) = delete;
    LogScope& operator=(LogScope const&) = delete;
    // The fields in force on this thread; null outside every scope.
    static LogContext const* current();

   private:
    LogContext context_;
    LogContext const* outer_;
};

// Where whole lines go. Called by one thread at a time, with one or more lines.
class LogSink {
   public:
    virtual ~LogSink() = default;
    virtual void write(std::string_view lines) = 0;  // end with a newline
};
class CapturingSink final : public LogSink {
   public:
    void write(std::string_view lines) override { text.append(lines); }
    std::string text;
};

enum class LogFormat { json, logfmt };

// The least level that is written: of all modules, and of single ones.
struct LogLevels {
    Level all = Level::info;
    std::map<std::string, Level, std::less<>> modules = {};
    bool operator==(LogLevels const&) const = default;
    Level of(std::string_view module) const;
};
// "info", or "info,http=debug,log=warning": the level of all (info when only modules are named), then of single modules. A module that
// nothing writes as is no error. At most 256 modules, each with a name of at most 64 bytes.
Result<LogLevels> parse_levels(std::string_view text);
std::string to_text(LogLevels const& levels);

class LogQueue;

// Safe from any thread. What it is made of outlives it.
class Logger {
   public:
    // Writes each line at once, as it is.
    Logger(Clock const& clock, LogSink& sink, LogFormat format);
    // Writes into a queue. The level of the module "access" says whether access records are written: up to info they are.
    Logger(Clock const& clock, LogQueue& queue);
    ~Logger();
    void line(Level level, std::string_view module, std::string_view message, std::initializer_list<LogField> fields = {});

    // Takes no lock.
    bool writes(Level level, std::string_view module) const {
        auto const& now = *published_.load(std::memory_order_acquire);
        if (level < now.least || now.levels.modules.empty()) return level >= now.least;
        return level >= now.levels.of(module);
    }
    LogLevels levels() const;
    // In place of all that were set. A line sees either the old ones or the new.
    void set_levels(LogLevels levels);
    void set_level(Level least);
    void set_level(std::string module, Level least);

   private:
    struct Published {
        LogLevels levels;
        Level least;  // of them
    };
    void publish(LogLevels levels);  // with mutex_ held
    Clock const& clock_;
    struct Direct;
    std::unique_ptr<Direct> direct_;
    LogQueue& queue_;
    std::atomic<Published const*> published_;
    mutable std::mutex mutex_;
    // Readers may hold any of them: all that ever were in force, each once. Guarded by mutex_.
    std::vector<std::unique_ptr<Published const>> known_;
};

// The logger of the process: standard error, logfmt if that is a terminal. A test puts its own in its place; null brings the first one
// back.
Logger& process_logger();
void set_process_logger(Logger* logger);
inline void log_line(Level level, std::string_view module, std::string_view message, std::initializer_list<LogField> fields = {}) {
    process_logger().line(level, module, message, fields);
}

// parse_levels, then in place of all that were set; a fault leaves them as they were.
Result<void> set_levels(Logger& logger, std::string_view text);

}  // namespace gantry::observe
