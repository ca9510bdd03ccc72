#include "kernel/observe/log_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "kernel/observe/log_output.h"
#include "kernel/observe/log_queue.h"

namespace gantry::observe {
namespace {

constexpr std::array<std::string_view, 4> level_names = {"debug", "info", "warning", "error"};
constexpr std::size_t modules_max = 256, module_bytes_max = 64;
std::atomic<Logger*> replaced{nullptr};
thread_local LogContext const* scope = nullptr;

std::string_view inherited(std::string_view own, std::string_view outer) { return own.empty() ? outer : own; }

// The line's own fields, then the context's. Until the next line of this thread.
std::span<LogField const> with_context(std::initializer_list<LogField> own, LogContext const& context) {
    thread_local std::vector<LogField> all;
    all.assign(own.begin(), own.end());
    auto const add = [&](auto name, auto value) {
        if (std::ranges::find(own, std::string_view(name), &LogField::name) == own.end()) all.emplace_back(name, value);
    };
    auto const text = [&](auto name, std::string_view value) {
        if (!value.empty()) add(name, value);
    };
    text("request_id", context.request_id), text("trace_id", context.trace_id), text("caller", context.caller);
    text("service", context.service), text("site", context.site);
    if (context.position != 0) add("position", context.position);
    return all;
}

}  // namespace

std::string_view name_of(Level level) { return level_names[std::size_t(level)]; }

Result<Level> parse_level(std::string_view text) {
    auto found = std::ranges::find(level_names, text);
    if (found != level_names.end()) return Level(found - level_names.begin());
    return fail(400, "log_level_invalid", fmt::format("'{}' is no level (right: debug, info, warning, error)", text));
}

LogScope::LogScope(LogContext const& context) : context_(context), outer_(scope) {
    if (outer_) {
        context_.request_id = inherited(context.request_id, outer_->request_id);
        context_.trace_id = inherited(context.trace_id, outer_->trace_id);
        context_.caller = inherited(context.caller, outer_->caller);
        context_.service = inherited(context.service, outer_->service);
        context_.site = inherited(context.site, outer_->site);
        if (context.position == 0) context_.position = outer_->position;
    }
    scope = &context_;
}
LogScope::~LogScope() { scope = outer_; }
LogContext const* LogScope::current() { return scope; }

Level LogLevels::of(std::string_view module) const {
    auto own = modules.find(module);
    return own == modules.end() ? all : own->second;
}

Result<LogLevels> parse_levels(std::string_view text) {
    LogLevels levels;
    for (std::size_t from = 0; from <= text.size();) {
        auto const comma = std::min(text.find(',', from), text.size());
        auto const part = text.substr(from, comma - from);
        auto const equals = part.find('=');
        TRY_ASSIGN(Level const level, parse_level(equals == part.npos ? part : part.substr(equals + 1)));
        auto const module = part.substr(0, equals == part.npos ? 0 : equals);
        if (equals == 0 || module.size() > module_bytes_max)
            return fail(400, "log_level_invalid",
                        fmt::format("'{}' names no module (right: http=debug, at most {} bytes)", part, module_bytes_max));
        equals == part.npos ? void(levels.all = level) : void(levels.modules[std::string(module)] = level);
        if (levels.modules.size() > modules_max)
            return fail(400, "log_level_invalid", fmt::format("levels of more than {} modules", modules_max));
        from = comma + 1;
    }
    return levels;
}
std::string to_text(LogLevels const& levels) {
    std::string out(name_of(levels.all));
    for (auto const& [module, level] : levels.modules) out.append(",").append(module).append("=").append(name_of(level));
    return out;
}

// A queue that is written through at once, into one sink.
struct Logger::Direct {
    TextOutput output;
    LogQueue queue;
    Direct(Clock const& clock, LogSink& sink, LogFormat format)
        : output(sink, format, format == LogFormat::json ? AccessFormat::json : AccessFormat::logfmt),
          queue(clock, {.fold_repeats = false}, {&output}, {&output}) {}
};

Logger::Logger(Clock const& clock, LogSink& sink, LogFormat format)
    : clock_(clock), direct_(std::make_unique<Direct>(clock, sink, format)), queue_(direct_->queue) {
    set_levels({});
}
Logger::Logger(Clock const& clock, LogQueue& queue) : clock_(clock), queue_(queue) { set_levels({}); }
Logger::~Logger() = default;

void Logger::line(Level level, std::string_view module, std::string_view message, std::initializer_list<LogField> fields) {
    if (!writes(level, module)) return;
    std::span<LogField const> const all = scope ? with_context(fields, *scope) : std::span(fields.begin(), fields.size());
    queue_.add({.time = clock_.wall(), .level = level, .module = module, .message = message, .fields = all});
}

LogLevels Logger::levels() const { return published_.load(std::memory_order_acquire)->levels; }

void Logger::set_levels(LogLevels levels) {
    std::lock_guard lock(mutex_);
    publish(std::move(levels));
}
void Logger::set_level(Level least) {
    std::lock_guard lock(mutex_);
    auto levels = this->levels();
    levels.all = least;
    publish(std::move(levels));
}
void Logger::set_level(std::string module, Level least) {
    std::lock_guard lock(mutex_);
    auto levels = this->levels();
    levels.modules[std::move(module)] = least;
    publish(std::move(levels));
}
void Logger::publish(LogLevels levels) {
    queue_.set_access_on(levels.of("access") <= Level::info);
    auto known = std::ranges::find(known_, levels, [](auto const& one) -> LogLevels const& { return one->levels; });
    if (known == known_.end()) {
        Level least = levels.all;
        for (auto const& [module, level] : levels.modules) least = std::min(least, level);
        known = known_.insert(known_.end(), std::make_unique<Published const>(std::move(levels), least));
    }
    published_.store(known->get(), std::memory_order_release);
}

Logger& process_logger() {
    // Never destroyed: another thread, or a destructor at the end of the process, may still have something to say.
    static Logger& logger =
        *new Logger(system_clock(), *new DescriptorSink(STDERR_FILENO), isatty(STDERR_FILENO) ? LogFormat::logfmt : LogFormat::json);
    auto* own = replaced.load(std::memory_order_acquire);
    return own ? *own : logger;
}
void set_process_logger(Logger* logger) { replaced.store(logger, std::memory_order_release); }

Result<void> set_levels(Logger& logger, std::string_view text) {
    TRY_ASSIGN(LogLevels levels, parse_levels(text));
    logger.set_levels(std::move(levels));
    return {};
}

}  // namespace gantry::observe
