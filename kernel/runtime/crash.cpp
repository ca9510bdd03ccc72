#include "kernel/runtime/crash.h"

#include <cxxabi.h>
#include <execinfo.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>

#include "kernel/base/last_words.h"
#include "kernel/base/stack.h"

namespace gantry::runtime {
namespace {

constexpr std::array signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
constexpr int of_the_handler = 2;  // itself, and what calls it
constexpr std::string_view prefix = "end-", suffix = ".dump";

// What the handler needs, prepared before: there it may neither allocate nor lock.
struct Prepared {
    std::atomic<int> file = -1;
    std::string head;  // version and build
    Clock* clock = nullptr;
    std::atomic<bool> ending = false;
    std::atomic<Stack const*> thrown = nullptr;  // by whom nobody caught
    std::terminate_handler before = nullptr;
};
Prepared prepared;
thread_local InHand* in_hand = nullptr;

void put(std::string_view text) {
    while (!text.empty()) {
        auto const written = ::write(prepared.file, text.data(), text.size());
        if (written <= 0) return;
        text.remove_prefix(std::size_t(written));
    }
}
void put_number(std::uint64_t number, int base) {
    char digits[24];
    auto const end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
    put({digits, std::size_t(end - digits)});
}
void put_line(std::string_view name, std::string_view text) { put(name), put(" "), put(text), put("\n"); }

void put_maps() {
    int const maps = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (maps < 0) return;
    put("maps\n");
    char room[4096];
    for (ssize_t size; (size = ::read(maps, room, sizeof room)) > 0;) put({room, std::size_t(size)});
    ::close(maps);
}

void write_dump(int signal) {
    put(prepared.head);
    put("time "), put_number(std::uint64_t(prepared.clock->wall().us), 10), put("\n");
    put("signal "), put_number(std::uint64_t(signal), 10), put("\n");
    if (last_words().said) put_line("said", last_words().text.data());
    if (in_hand) {
        put_line("service", in_hand->service), put("route "), put(in_hand->verb), put(" "), put_line(in_hand->path, "");
        put_line("request", in_hand->request_id);
    }
    void* here[Stack::frames_max];
    auto const* thrown = prepared.thrown.load();
    int const count = thrown ? int(thrown->size) : ::backtrace(here, int(Stack::frames_max));
    put(thrown ? "thrown\n" : "frames\n");
    for (int i = thrown ? 0 : of_the_handler; i < count; ++i)
        put_number(reinterpret_cast<std::uint64_t>(thrown ? thrown->at[std::size_t(i)] : here[i]), 16), put("\n");
    put_maps();
    ::fsync(prepared.file);
}

// Once; then the signal does what it always did.
void on_signal(int signal) {
    if (!prepared.ending.exchange(true)) write_dump(signal);
    if (signal != SIGABRT) ::raise(signal);
}

void on_terminate() {
    if (auto const* type = abi::__cxa_current_exception_type()) {
        std::string text = "uncaught " + observe::readable_name(type->name());
        try {
            throw;
        } catch (std::exception const& e) {
            text.append(": ").append(e.what());
        } catch (...) {
        }
        say_last_words(text.c_str());
    }
    prepared.thrown = stack_of_last_throw();
    std::abort();
}

std::uint64_t number_of(std::string_view digits, int base) {
    std::uint64_t out = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
    return out;
}

std::string name_of_signal(int number) {
    auto const* name = ::sigabbrev_np(number);
    return name ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

}  // namespace

InHand::InHand(std::string_view service, std::string_view verb, std::string_view path, std::string_view request_id)
    : service(service), verb(verb), path(path), request_id(request_id), outer_(in_hand) {
    in_hand = this;
}
InHand::~InHand() { in_hand = outer_; }

Result<std::unique_ptr<EndWatch>> EndWatch::make(std::string const& directory, std::string const& version, std::string const& revision,
                                                 Clock& clock) {
    if (sanitized || prepared.file >= 0) return std::unique_ptr<EndWatch>();
    auto const path = fmt::format("{}/{}{}{}", directory, prefix, ::getpid(), suffix);
    int const file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) {
        Problem problem{500, "disk_failed", "the file for the process's end can't be made"};
        problem.cause = fmt::format("{}: {}", path, std::strerror(errno));
        return std::unexpected(std::move(problem));
    }
    warm_stacks(), (void)last_words();
    prepared.head = fmt::format("gantry-end 1\nversion {}\nrevision {}\nbuild {}\n", version, revision, observe::own_build_id());
    prepared.clock = &clock, prepared.file = file, prepared.ending = false, prepared.thrown = nullptr;
    prepared.before = std::set_terminate(&on_terminate);
    struct sigaction action = {};
    action.sa_handler = &on_signal, action.sa_flags = SA_RESETHAND | SA_NODEFER;
    ::sigemptyset(&action.sa_mask);
    for (int signal : signals) ::sigaction(signal, &action, nullptr);
    return std::unique_ptr<EndWatch>(new EndWatch(path));
}

EndWatch::~EndWatch() {
    for (int signal : signals) ::signal(signal, SIG_DFL);
    std::set_terminate(prepared.before);
    ::close(prepared.file.exchange(-1));
    ::unlink(path_.c_str());
}

FailureReport report_of_dump(std::string_view dump) {
    FailureReport report{.kind = "end", .code = "process_ended", .detail = "the process ended itself", .stack_of = "report"};
    std::vector<void*> frames;
    bool in_frames = false;
    while (!dump.empty()) {
        auto const end = std::min(dump.find('\n'), dump.size());
        auto const line = dump.substr(0, end);
        dump.remove_prefix(std::min(end + 1, dump.size()));
        if (line == "maps") break;
        auto const blank = std::min(line.find(' '), line.size());
        auto const name = line.substr(0, blank), value = line.substr(std::min(blank + 1, line.size()));
        if (in_frames) frames.push_back(reinterpret_cast<void*>(number_of(line, 16)));
        if (name == "frames" || name == "thrown") in_frames = true, report.stack_of = name == "thrown" ? "throw" : "report";
        if (name == "version") report.version = value;
        if (name == "revision") report.revision = value;
        if (name == "build") report.build_id = value;
        if (name == "time") report.at = Time{std::int64_t(number_of(value, 10))};
        if (name == "signal") report.exception = ReportedException{name_of_signal(int(number_of(value, 10))), ""};
        if (name == "said") report.cause = value;
        if (name == "service") report.service = value;
        if (name == "route") report.route = value.substr(0, value.find_last_not_of(' ') + 1);
        if (name == "request") report.request_id = value;
    }
    if (report.exception) report.exception->message = report.cause;
    if (report.build_id == observe::own_build_id()) report.stack = observe::symbolise(frames, std::string(dump));
    if (report.stack.empty())
        for (auto* frame : frames) report.stack.push_back({.build_id = report.build_id, .address = reinterpret_cast<std::uint64_t>(frame)});
    return report;
}

std::vector<FailureReport> take_dumps(log::Disk& disk, std::string const& directory) {
    std::vector<FailureReport> out;
    auto const names = disk.list(directory);
    for (std::size_t i = 0; names && i < names->size(); ++i) {
        auto const& name = (*names)[i];
        if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
        if (auto dump = log::read_file(disk, directory + "/" + name); dump && !dump->empty()) out.push_back(report_of_dump(*dump));
        (void)disk.remove(directory + "/" + name);
    }
    return out;
}

}  // namespace gantry::runtime
