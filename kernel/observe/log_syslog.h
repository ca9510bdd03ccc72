#pragma once
#include "kernel/observe/log_output.h"
#include "kernel/observe/log_socket.h"

// Lines to the system's log: syslog (RFC 5424, or as syslog(3) writes it) and the journal's own protocol.
namespace gantry::observe {

// Who speaks, in the words of both protocols.
struct LogIdentity {
    std::string identifier = "gantry";
    std::string host;  // as the network knows it; empty: gethostname()
    int process = 0;   // 0: getpid()
};

// rfc5424: with time, host and module of its own, over any transport. local: as syslog(3) writes into /dev/log, where the receiver adds
// these; rsyslog's imuxsock takes nothing else unless told to.
enum class SyslogForm { rfc5424, local };

// One line a message, the fields behind the message as logfmt has them. Facility daemon. Over TCP with octet counting (RFC 6587).
class SyslogOutput final : public LogOutput {
   public:
    static constexpr std::size_t message_bytes_max = 8 << 10;  // what receivers take; the rest of a longer one is cut
    SyslogOutput(Clock const& clock, SocketAddress address, SyslogForm form, LogIdentity identity);
    void line(LogEntry const& entry) override;
    void access(AccessRecord const& record) override;
    void flush() override { socket_.flush(); }
    void finish() override { socket_.flush(Duration::millis(500)); }
    std::uint64_t lost_lines() const override { return socket_.lost(); }

   private:
    bool const counts_octets_;
    SyslogForm const form_;
    std::string host_, from_;  // from_: "IDENTIFIER PROCESS" or "IDENTIFIER[PROCESS]"
    LogSocket socket_;
    Stamps stamps_;
    std::string message_, frame_;
};

// systemd.journal-fields(7): MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, SYSLOG_FACILITY, GANTRY_TIME, GANTRY_MODULE, and each field by its name
// in capitals behind GANTRY_.
class JournalOutput final : public LogOutput {
   public:
    JournalOutput(Clock const& clock, SocketAddress address, LogIdentity identity);
    void line(LogEntry const& entry) override;
    void access(AccessRecord const& record) override;
    void flush() override { socket_.flush(); }
    void finish() override { socket_.flush(Duration::millis(500)); }
    std::uint64_t lost_lines() const override { return socket_.lost(); }

   private:
    void append_field(std::string_view name, std::string_view value);
    std::string const identifier_;
    LogSocket socket_;
    Stamps stamps_;
    std::string datagram_, name_, value_;
};

}  // namespace gantry::observe
