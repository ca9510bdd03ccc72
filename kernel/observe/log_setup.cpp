#include "kernel/observe/log_setup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

namespace gantry::observe {
namespace {

using Kind = SinkPlan::Kind;
constexpr std::string_view system_log = "/dev/log", journal = "/run/systemd/journal/socket";
constexpr std::string_view sinks_known =
    "stderr, stdout, file:PATH, syslog, syslog:unix:PATH, syslog:rfc5424:PATH, syslog:udp:HOST:PORT, syslog:tcp:HOST:PORT, journald, "
    "journald:PATH";

// Text to a descriptor, with the sink that it owns.
class OwnedText final : public LogOutput {
   public:
    OwnedText(std::unique_ptr<DescriptorSink> sink, FileSink* file, LogFormat format, AccessFormat access_format)
        : sink_(std::move(sink)), file_(file), text_(*sink_, format, access_format) {}
    void line(LogEntry const& entry) override { text_.line(entry); }
    void access(AccessRecord const& record) override { text_.access(record); }
    void flush() override { text_.flush(); }
    Result<void> reopen() override {
        text_.flush();
        return file_ ? file_->reopen() : Result<void>{};
    }
    std::uint64_t lost_lines() const override { return sink_->lost_lines(); }

   private:
    std::unique_ptr<DescriptorSink> sink_;
    FileSink* file_;  // sink_, if it is a file
    TextOutput text_;
};

Result<LogFormat> format_of(std::string_view text, int descriptor) {
    if (text == "json") return LogFormat::json;
    if (text == "logfmt") return LogFormat::logfmt;
    if (text == "auto") return descriptor >= 0 && ::isatty(descriptor) ? LogFormat::logfmt : LogFormat::json;
    return fail(400, "log_format_invalid", fmt::format("'{}' is no format of log lines (right: auto, json, logfmt)", text));
}
Result<AccessFormat> access_format_of(std::string_view text, LogFormat lines) {
    if (text == "json") return AccessFormat::json;
    if (text == "logfmt") return AccessFormat::logfmt;
    if (text == "combined") return AccessFormat::combined;
    if (text == "auto") return lines == LogFormat::json ? AccessFormat::json : AccessFormat::logfmt;
    return fail(400, "log_format_invalid", fmt::format("'{}' is no format of access lines (right: auto, json, logfmt, combined)", text));
}

Result<std::unique_ptr<LogOutput>> text_output(SinkPlan const& plan, LogOptions const& options) {
    std::unique_ptr<DescriptorSink> sink;
    FileSink* file = nullptr;
    int descriptor = -1;
    if (plan.kind == Kind::file) {
        TRY_ASSIGN(auto opened, FileSink::open(plan.target));
        file = opened.get();
        sink = std::move(opened);
    } else {
        descriptor = plan.kind == Kind::standard_error ? STDERR_FILENO : STDOUT_FILENO;
        sink = std::make_unique<DescriptorSink>(descriptor);
    }
    TRY_ASSIGN(auto const format, format_of(options.format, descriptor));
    TRY_ASSIGN(auto const access_format, access_format_of(options.access_format, format));
    return std::make_unique<OwnedText>(std::move(sink), file, format, access_format);
}

Result<SocketAddress> address_of(SinkPlan const& plan) {
    if (plan.kind == Kind::syslog_udp) return network_address(SocketAddress::Kind::udp, plan.target);
    if (plan.kind == Kind::syslog_tcp) return network_address(SocketAddress::Kind::tcp, plan.target);
    return unix_address(plan.target);
}

}  // namespace

Result<SinkPlan> parse_sink(std::string_view text) {
    struct Prefix {
        std::string_view text;
        Kind kind;
    };
    constexpr std::array prefixes = {Prefix{"file:", Kind::file},
                                     Prefix{"syslog:unix:", Kind::syslog_local},
                                     Prefix{"syslog:rfc5424:", Kind::syslog_rfc5424},
                                     Prefix{"syslog:udp:", Kind::syslog_udp},
                                     Prefix{"syslog:tcp:", Kind::syslog_tcp},
                                     Prefix{"journald:", Kind::journald}};
    if (text == "stderr") return SinkPlan{Kind::standard_error};
    if (text == "stdout") return SinkPlan{Kind::standard_output};
    if (text == "syslog") return SinkPlan{Kind::syslog_local, std::string(system_log)};
    if (text == "journald") return SinkPlan{Kind::journald, std::string(journal)};
    for (auto const& prefix : prefixes)
        if (text.starts_with(prefix.text) && text.size() > prefix.text.size())
            return SinkPlan{prefix.kind, std::string(text.substr(prefix.text.size()))};
    return fail(400, "log_sink_invalid", fmt::format("'{}' is no place for log lines (right: {})", text, sinks_known));
}

Result<LogOutput*> ProcessLog::output_of(Clock const& clock, SinkPlan const& plan, LogOptions const& options) {
    auto const known = std::ranges::find(opened_, plan, &Opened::plan);
    if (known != opened_.end()) return known->output.get();
    std::unique_ptr<LogOutput> output;
    if (plan.kind == Kind::standard_error || plan.kind == Kind::standard_output || plan.kind == Kind::file) {
        TRY_ASSIGN(output, text_output(plan, options));
    } else {
        TRY_ASSIGN(auto address, address_of(plan));
        auto const form = plan.kind == Kind::syslog_local ? SyslogForm::local : SyslogForm::rfc5424;
        if (plan.kind == Kind::journald)
            output = std::make_unique<JournalOutput>(clock, std::move(address), options.identity);
        else
            output = std::make_unique<SyslogOutput>(clock, std::move(address), form, options.identity);
    }
    return opened_.emplace_back(plan, std::move(output)).output.get();
}

Result<std::unique_ptr<ProcessLog>> ProcessLog::open(Clock const& clock, LogOptions const& options) {
    std::unique_ptr<ProcessLog> log(new ProcessLog());
    TRY_ASSIGN(auto levels, parse_levels(options.levels));
    TRY_ASSIGN(auto const format, format_of(options.format, -1));
    TRY_VOID(access_format_of(options.access_format, format));
    std::vector<LogOutput*> lines, accesses;
    for (auto const& text : options.sinks) {
        TRY_ASSIGN(auto const plan, parse_sink(text));
        TRY_ASSIGN(auto* output, log->output_of(clock, plan, options));
        lines.push_back(output);
    }
    for (auto const& text : options.access_sinks) {
        if (text == "none" && options.access_sinks.size() == 1) continue;
        TRY_ASSIGN(auto const plan, parse_sink(text));
        TRY_ASSIGN(auto* output, log->output_of(clock, plan, options));
        accesses.push_back(output);
    }
    if (options.access_sinks.empty()) accesses = lines;
    log->queue_ = std::make_unique<LogQueue>(clock, options.queue, std::move(lines), std::move(accesses));
    log->logger_ = std::make_unique<Logger>(clock, *log->queue_);
    log->logger_->set_levels(std::move(levels));
    return log;
}

ProcessLog::~ProcessLog() {
    if (queue_) queue_->finish();
}

}  // namespace gantry::observe
