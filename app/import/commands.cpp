#include "app/import/commands.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "app/import/autopkgtest.h"
#include "app/import/changelogs.h"
#include "app/import/chunks.h"
#include "app/import/list_source.h"
#include "app/import/log_source.h"

namespace gantry::import {
namespace {

volatile std::sig_atomic_t stop_asked = 0;

struct Summary {
    std::string import;
    std::uint64_t reports = 0;
    std::uint64_t chunks = 0;
    std::uint64_t malformed = 0;
    std::uint64_t refused = 0;
    bool stopped = false;
    std::string at;
    std::int64_t elapsed_ms = 0;
    std::optional<std::string> error;
};
RECORD(Summary, import, reports, chunks, malformed, refused, stopped, at, elapsed_ms, error);

std::string host_name() {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) != 0 || !name[0]) return "localhost";
    return name;
}

std::string import_name(std::string const& given, std::string_view kind) {
    std::string name = given.empty() ? fmt::format("{}.{}", kind, host_name()) : given;
    if (!given.empty()) return name;
    auto odd = [](char c) { return !std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-' && c != '_'; };
    std::ranges::replace_if(name, odd, '-');
    return name.substr(0, 100);
}

bool is_import_name(std::string_view s) {
    auto plain = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; };
    return !s.empty() && s.size() <= 100 && std::ranges::all_of(s, plain);
}

// One import from its options to its exit code.
class Run {
   public:
    Run(CommonOptions const& options, std::string_view kind, Surroundings around)
        : options_(options),
          around_(std::move(around)),
          clock_(around_.clock ? *around_.clock : system_clock()),
          complaints_(around_.err),
          progress_(around_.err, around_.terminal ? Progress::To::terminal : Progress::To::file, clock_) {
        summary_.import = import_name(options.name, kind);
        started_ns_ = clock_.steady_ns();
    }
    Complaints& complaints() { return complaints_; }

    int send(ReportSource& source) {
        if (!is_import_name(summary_.import))
            return failed(
                {400, "import_name_invalid", fmt::format("--name '{}': expected 1 to 100 of A-Z a-z 0-9 . _ -", summary_.import)});
        std::unique_ptr<Transport> http;
        if (!around_.transport) http = http_transport(options_.server, options_.token);
        SendOptions send;
        send.import_name = summary_.import, send.give_up_after = options_.give_up_after;
        send.sleep = [](Duration d) { ::poll(nullptr, 0, int(d.us / 1000)); };  // a signal ends it
        if (around_.stopped) send.stopped = around_.stopped;
        ChunkSender sender(around_.transport ? *around_.transport : *http, std::move(send), progress_, complaints_, clock_);
        Sent sent;
        auto result = sender.run(source, sent);
        summary_.reports = sent.reports, summary_.chunks = sent.chunks, summary_.refused = sent.refused, summary_.at = sent.position;
        summary_.stopped = sent.stopped;
        if (!result) return failed(result.error());
        return finish(complaints_.count() > 0 ? exit_malformed : exit_ok);
    }
    int failed(Problem const& problem) {
        summary_.error = fmt::format("{}: {}", problem.code, problem.detail);
        progress_.say(problem.detail.empty() ? problem.code : problem.detail);
        return finish(exit_failed);
    }

   private:
    int finish(int code) {
        progress_.finish();
        complaints_.close();
        summary_.malformed = complaints_.count(), summary_.elapsed_ms = (clock_.steady_ns() - started_ns_) / 1'000'000;
        if (options_.json)
            fmt::print(around_.out, "{}\n", codec::to_json(summary_));
        else if (code != exit_failed)
            fmt::print(around_.out, "{}: {} reports sent in {} chunks ({} ms), {} malformed{}\n", summary_.import, summary_.reports,
                       summary_.chunks, summary_.elapsed_ms, summary_.malformed, summary_.stopped ? "; stopped, run again to go on" : "");
        std::fflush(around_.out);
        return code;
    }

    CommonOptions const& options_;
    Surroundings around_;
    Clock const& clock_;
    Complaints complaints_;
    Progress progress_;
    Summary summary_;
    std::int64_t started_ns_ = 0;
};

}  // namespace

Surroundings program_surroundings() {
    struct sigaction action{};
    action.sa_handler = [](int) { stop_asked = 1; };
    action.sa_flags = SA_RESETHAND;  // the second one has its default effect; no SA_RESTART: waits end
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    Surroundings around;
    around.terminal = ::isatty(STDERR_FILENO) == 1;
    around.stopped = [] { return stop_asked != 0; };
    return around;
}

int import_dpkg_log(DpkgLogOptions const& options, Surroundings surroundings) {
    Run run(options, "dpkg-log", std::move(surroundings));
    auto zone = Zone::open(options.zone);
    if (!zone) return run.failed(zone.error());
    auto source = DpkgLogSource::open({options.files, options.follow}, *zone, run.complaints());
    return source ? run.send(**source) : run.failed(source.error());
}

int import_changelogs(ChangelogOptions const& options, Surroundings surroundings) {
    Run run(options, "changelogs", std::move(surroundings));
    auto reports = read_changelogs(options.dir, run.complaints());
    if (!reports) return run.failed(reports.error());
    ListSource source(std::move(*reports));
    return run.send(source);
}

int import_autopkgtest(AutopkgtestOptions const& options, Surroundings surroundings) {
    Run run(options, "autopkgtest", std::move(surroundings));
    auto reports = read_autopkgtest(options.path, {options.series, options.results_url}, run.complaints());
    if (!reports) return run.failed(reports.error());
    ListSource source(std::move(*reports));
    return run.send(source);
}

}  // namespace gantry::import
