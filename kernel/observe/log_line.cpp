#include "kernel/observe/log_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernel/codec/json.h"

namespace gantry::observe {
namespace {

constexpr std::array<std::string_view, 4> level_names = {"debug", "info", "warning", "error"};
std::atomic<Logger*> replaced{nullptr};

// RFC 3339 with all six decimals, so that lines stand in columns and sort as text.
std::string stamp(Time t) {
    auto seconds = format_time(Time{t.us - (t.us % 1'000'000 + 1'000'000) % 1'000'000});
    seconds.pop_back();
    return fmt::format("{}.{:06}Z", seconds, (t.us % 1'000'000 + 1'000'000) % 1'000'000);
}

// Bytes that are no UTF-8 go as '?': a log line must not fail, nor carry what a terminal obeys.
std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        auto c = static_cast<unsigned char>(text[i]);
        std::size_t length = c < 0x80 ? 1 : c >= 0xF0 && c < 0xF5 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
        bool whole = length > 0 && i + length <= text.size();
        for (std::size_t j = 1; whole && j < length; ++j) whole = (static_cast<unsigned char>(text[i + j]) & 0xC0) == 0x80;
        if (whole && c < 0xF5) {
            out.append(text.substr(i, length)), i += length;
        } else {
            out.push_back('?'), ++i;
        }
    }
    return out;
}

void append_json_value(std::string& out, LogField::Value const& value) {
    if (auto* text = std::get_if<std::string_view>(&value)) return codec::append_json_string(out, printable(*text));
    if (auto* number = std::get_if<double>(&value); number && !std::isfinite(*number)) return void(out.append("null"));
    std::visit([&](auto v) { fmt::format_to(std::back_inserter(out), "{}", v); }, value);
}

void append_logfmt_text(std::string& out, std::string_view text) {
    bool plain = !text.empty() &&
                 std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\'; });
    if (plain) return void(out.append(text));
    codec::append_json_string(out, printable(text));
}

void append_json(std::string& out, Time t, Level level, std::string_view module, std::string_view message,
                 std::initializer_list<LogField> fields) {
    fmt::format_to(std::back_inserter(out), R"({{"time":"{}","level":"{}","module":)", stamp(t), name_of(level));
    codec::append_json_string(out, printable(module));
    out.append(",\"message\":");
    codec::append_json_string(out, printable(message));
    for (auto const& field : fields) {
        out.push_back(',');
        codec::append_json_string(out, printable(field.name));
        out.push_back(':');
        append_json_value(out, field.value);
    }
    out.append("}\n");
}

void append_logfmt(std::string& out, Time t, Level level, std::string_view module, std::string_view message,
                   std::initializer_list<LogField> fields) {
    fmt::format_to(std::back_inserter(out), "{} {} {}: {}", stamp(t), name_of(level), module, printable(message));
    std::ranges::replace_if(out, [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
    for (auto const& field : fields) {
        out.append(" ").append(field.name).append("=");
        if (auto* text = std::get_if<std::string_view>(&field.value))
            append_logfmt_text(out, *text);
        else
            std::visit([&](auto v) { fmt::format_to(std::back_inserter(out), "{}", v); }, field.value);
    }
    out.push_back('\n');
}

}  // namespace

std::string_view name_of(Level level) { return level_names[std::size_t(level)]; }

Result<Level> parse_level(std::string_view text) {
    auto found = std::ranges::find(level_names, text);
    if (found != level_names.end()) return Level(found - level_names.begin());
    return fail(400, "log_level_invalid", fmt::format("'{}' is no level (right: debug, info, warning, error)", text));
}

void DescriptorSink::write(std::string_view line) {
    ssize_t written;
    do written = ::write(descriptor_, line.data(), line.size());
    while (written < 0 && errno == EINTR);
    if (written != ssize_t(line.size())) lost_lines_.fetch_add(1, std::memory_order_relaxed);
}

void Logger::line(Level level, std::string_view module, std::string_view message, std::initializer_list<LogField> fields) {
    std::lock_guard lock(mutex_);
    if (!writes_locked(level, module)) return;
    buffer_.clear();
    auto append = format_ == LogFormat::json ? append_json : append_logfmt;
    append(buffer_, clock_.wall(), level, module, message, fields);
    sink_.write(buffer_);
}

void Logger::set_level(Level least) {
    std::lock_guard lock(mutex_);
    least_ = least;
}
void Logger::set_level(std::string module, Level least) {
    std::lock_guard lock(mutex_);
    levels_[std::move(module)] = least;
}
bool Logger::writes(Level level, std::string_view module) const {
    std::lock_guard lock(mutex_);
    return writes_locked(level, module);
}
bool Logger::writes_locked(Level level, std::string_view module) const {
    auto own = levels_.find(module);
    return level >= (own == levels_.end() ? least_ : own->second);
}

Logger& process_logger() {
    static DescriptorSink sink(STDERR_FILENO);
    static Logger logger(system_clock(), sink, isatty(STDERR_FILENO) ? LogFormat::logfmt : LogFormat::json);
    auto* own = replaced.load(std::memory_order_acquire);
    return own ? *own : logger;
}
void set_process_logger(Logger* logger) { replaced.store(logger, std::memory_order_release); }

Result<void> set_levels(Logger& logger, std::string_view text) {
    for (std::size_t from = 0; from <= text.size();) {
        auto comma = std::min(text.find(',', from), text.size());
        auto part = text.substr(from, comma - from);
        auto equals = part.find('=');
        TRY_ASSIGN(Level level, parse_level(equals == part.npos ? part : part.substr(equals + 1)));
        equals == part.npos ? logger.set_level(level) : logger.set_level(std::string(part.substr(0, equals)), level);
        from = comma + 1;
    }
    return {};
}

}  // namespace gantry::observe
