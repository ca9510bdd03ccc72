#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/observe/log_format.h"

// What LogQueue::drain() hands lines to. Called by one thread at a time; never waits for longer than a second.
namespace gantry::observe {

class LogOutput {
   public:
    virtual ~LogOutput() = default;
    virtual void line(LogEntry const& entry) = 0;
    virtual void access(AccessRecord const& record) = 0;
    // The end of one drain: what was held back for a larger write goes out. Called without new lines, too.
    virtual void flush() = 0;
    // The end of the process: what still waits for another program goes out if that takes no more than half a second.
    virtual void finish() { flush(); }
    // For logrotate; nothing where there is no file.
    virtual Result<void> reopen() { return {}; }
    // Lines that could not be handed on. From any thread.
    virtual std::uint64_t lost_lines() const { return 0; }
};

// Lines as text, in few large writes.
class TextOutput final : public LogOutput {
   public:
    TextOutput(LogSink& sink, LogFormat format, AccessFormat access_format) : sink_(sink), format_(format), access_format_(access_format) {}
    void line(LogEntry const& entry) override;
    void access(AccessRecord const& record) override;
    void flush() override;

   private:
    LogSink& sink_;
    LogFormat format_;
    AccessFormat access_format_;
    Stamps stamps_;
    std::string buffer_, scratch_;
};

// A descriptor, of any kind. Where it takes nothing for `patience` (a pipe that nobody reads), lines are dropped and counted until it does
// again; until then nobody waits for it. A line that was cut short is ended before the next one.
class DescriptorSink : public LogSink {
   public:
    explicit DescriptorSink(int descriptor, Duration patience = Duration::seconds(1));
    void write(std::string_view lines) override;
    std::uint64_t lost_lines() const { return lost_lines_.load(std::memory_order_relaxed); }

   protected:
    int descriptor_;

   private:
    std::size_t write_some(std::string_view bytes);  // 0: not now, or never
    Duration const patience_;
    bool const may_wait_;  // it is no file
    bool stuck_ = false, inside_line_ = false;
    std::atomic<std::uint64_t> lost_lines_{0};
};

// A file of its own, appended to. Mode 0640.
class FileSink final : public DescriptorSink {
   public:
    static Result<std::unique_ptr<FileSink>> open(std::string path);
    ~FileSink() override;
    // Goes on in the file that has the path now; when that can't be opened, in the one that it has.
    Result<void> reopen();

   private:
    FileSink(std::string path, int descriptor) : DescriptorSink(descriptor), path_(std::move(path)) {}
    std::string path_;
};

}  // namespace gantry::observe
