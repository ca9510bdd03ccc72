#include "kernel/observe/log_syslog.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace gantry::observe {
namespace {

constexpr int facility_daemon = 3;

int severity_of(Level level) {
    constexpr std::array severities = {7, 6, 4, 3};
    return severities[std::size_t(level)];
}

// A word of RFC 5424's header: printable ASCII without blanks; "-" for none.
std::string word(std::string_view text, std::size_t bytes_max) {
    std::string out(text.substr(0, bytes_max));
    std::ranges::replace_if(out, [](unsigned char c) { return c <= ' ' || c >= 0x7f; }, '_');
    return out.empty() ? "-" : out;
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

void cut(std::string& text, std::size_t bytes_max) {
    constexpr std::string_view mark = "…";
    if (text.size() <= bytes_max) return;
    std::size_t size = bytes_max - mark.size();
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    text.resize(size);
    text.append(mark);
}

}  // namespace

SyslogOutput::SyslogOutput(Clock const& clock, SocketAddress address, SyslogForm form, LogIdentity identity)
    : counts_octets_(address.kind == SocketAddress::Kind::tcp),
      form_(form),
      host_(word(identity.host.empty() ? host_name() : identity.host, 255)),
      socket_(clock, std::move(address)) {
    int const process = identity.process ? identity.process : ::getpid();
    auto const name = word(identity.identifier, 48);
    from_ = form == SyslogForm::rfc5424 ? fmt::format("{} {}", name, process) : fmt::format("{}[{}]", name, process);
}

void SyslogOutput::line(LogEntry const& entry) {
    message_.clear();
    fmt::format_to(std::back_inserter(message_), "<{}>", facility_daemon * 8 + severity_of(entry.level));
    if (form_ == SyslogForm::rfc5424) {
        message_.append("1 ").append(stamps_.of(entry.time)).append(" ").append(host_).append(" ").append(from_).append(" ");
        message_.append(word(entry.module, 32)).append(" - ");
    } else {
        message_.append(from_).append(": ");
        append_printable(message_, entry.module);
        message_.append(": ");
    }
    append_message_and_fields(message_, entry);
    cut(message_, message_bytes_max);
    if (!counts_octets_) return socket_.add(message_);
    frame_.clear();
    fmt::format_to(std::back_inserter(frame_), "{} {}", message_.size(), message_);
    socket_.add(frame_);
}
void SyslogOutput::access(AccessRecord const& record) { line(AccessAsEntry(record, AccessFields::unsaid).entry()); }

JournalOutput::JournalOutput(Clock const& clock, SocketAddress address, LogIdentity identity)
    : identifier_(std::move(identity.identifier)), socket_(clock, std::move(address), LogSocket::Oversize::by_memfd) {}

// A value with a newline stands behind its length: 64 bits, little end first.
void JournalOutput::append_field(std::string_view name, std::string_view value) {
    datagram_.append(name);
    if (value.find('\n') == value.npos) return void(datagram_.append("=").append(value).append("\n"));
    datagram_.push_back('\n');
    for (std::uint64_t size = value.size(), i = 0; i < 8; ++i) datagram_.push_back(char(size >> (8 * i)));
    datagram_.append(value).append("\n");
}

void JournalOutput::line(LogEntry const& entry) {
    constexpr std::size_t name_bytes_max = 64;
    datagram_.clear();
    append_field("MESSAGE", entry.message);
    append_field("PRIORITY", std::string(1, char('0' + severity_of(entry.level))));
    append_field("SYSLOG_IDENTIFIER", identifier_);
    append_field("SYSLOG_FACILITY", "3");
    append_field("GANTRY_TIME", stamps_.of(entry.time));
    append_field("GANTRY_MODULE", entry.module);
    for (auto const& field : entry.fields) {
        name_.assign("GANTRY_").append(field.name.substr(0, name_bytes_max - 7));
        std::ranges::transform(name_, name_.begin(), [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
        std::ranges::replace_if(name_, [](char c) { return !((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')); }, '_');
        value_.clear();
        append_plain(value_, field.value);
        append_field(name_, value_);
    }
    socket_.add(datagram_);
}
void JournalOutput::access(AccessRecord const& record) { line(AccessAsEntry(record, AccessFields::all).entry()); }

}  // namespace gantry::observe
