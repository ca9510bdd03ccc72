// Error reports: see rows_oops.py for what each `--do` does.
#include "services/oops/oops.h"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "bench/open_log.h"
#include "bench/tool.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/text_indexer.h"

using namespace gantry;
using namespace gantry::bench;

namespace {

template <class T>
T need(Result<T> r) {
    if (!r) die(fmt::format("{}: {} {}", r.error().code, r.error().detail, r.error().cause));
    if constexpr (!std::is_void_v<T>) return std::move(*r);
}

oops::Settings const settings;

std::string frame(int group, int depth) {
    return fmt::format(R"({{"module":"shop.views.f{}","function":"handle_{}_{}","file":"shop/views/part{}.py","line":{},)"
                       R"("context_line":"        return self.prices[item.name] * item.count  # of {}","in_app":true}})",
                       depth, group, depth, depth, 10 + depth, group);
}

// About 3 KB, of one of 500 groups.
std::string report_of(int n) {
    std::string frames, timeline;
    for (int depth = 0; depth < 10; ++depth) frames += (depth ? "," : "") + frame(n % 500, depth);
    for (int i = 0; i < 5; ++i)
        timeline += fmt::format(R"({}{{"start_ms":{},"end_ms":{},"category":"SQL-main","detail":"SELECT * FROM price WHERE item = {}"}})",
                                i ? "," : "", i * 7, i * 7 + 5, n + i);
    return fmt::format(
        R"({{"project":1,"report":{{"exceptions":[{{"type":"KeyError","value":"no price for order {}","frames":[{}]}}],)"
        R"("topic":"Order:+index","url":"https://shop.example/orders/{}","method":"GET","release":"shop@1.{}","environment":"live",)"
        R"("hostname":"web{}","platform":"python","timeline":[{}],"duration_ms":41,"tags":{{"queue":"web","region":"eu"}},)"
        R"("variables":{{"REMOTE":"10.0.0.{}","HTTP_ACCEPT":"text/html,application/xhtml+xml","HTTP_LANGUAGE":"en"}}}}}})",
        n, frames, n, n % 9, n % 4, timeline, n % 250);
}

struct Opened {
    std::unique_ptr<log::Log> log;
    std::unique_ptr<log::Snapshots> snapshots;
    std::unique_ptr<runtime::Host> host;
    Viewer const viewer{Str("u_bench"), true};
    explicit Opened(std::string const& dir)
        : log(open_log(dir, codec::encode_event_schema(codec::type_of<oops::Event>()))),
          snapshots(log::file_snapshots(log::system_disk(), std::filesystem::path(dir).parent_path() / "snapshots")) {
        runtime::Host::Parts parts{*log, system_clock(), system_random()};
        parts.settings = &settings, parts.snapshots = snapshots.get();
        host = std::make_unique<runtime::Host>(runtime::declare<oops::Service>(), parts);
        need(host->start());
    }
    ~Opened() { need(log->close()); }
    runtime::RouteDecl const& route(std::string_view verb, std::string_view path) const {
        for (auto const& route : host->decl().routes)
            if (route.verb == verb && route.path == path && !route.foreign) return route;
        die(fmt::format("no route {} {}", verb, path));
    }
    // A command whose input is this JSON; `done` when it is durable.
    void call(runtime::RouteDecl const& route, std::string_view json, runtime::Done done) const {
        auto const fill = [json](codec::Type const& type, void* out) { return codec::decode_json(type, out, json); };
        host->call(route, viewer, fill, std::move(done));
    }
    void at_once(std::string_view verb, std::string_view path, std::string_view json) const {
        std::atomic<bool> ended = false;
        call(route(verb, path), json, [&](Result<runtime::Answer> answer) {
            need(std::move(answer));
            ended = true, ended.notify_one();
        });
        ended.wait(false);
    }
    oops::State const& state() const { return *static_cast<oops::State const*>(host->state_for_tools()); }
    void make_project() const {
        at_once("POST", "/projects", R"({"name":"bench"})");
        at_once("PATCH", "/projects/{project}", R"({"project":1,"limits":{"reports_a_minute":100000000,"group_a_minute":100000000}})");
    }
};

// `inflight` reports wait for the log at any moment. A group of those that became durable together is a sync.
void ingest(std::string const& dir, double seconds, std::int64_t inflight) {
    Opened opened(dir);
    opened.make_project();
    std::vector<std::string> bodies;
    std::size_t body_bytes = 0;
    for (int n = 0; n < 4000; ++n) bodies.push_back(report_of(n)), body_bytes += bodies.back().size();
    auto const& route = opened.route("POST", "/reports");
    std::mutex mutex;
    std::condition_variable room;
    std::int64_t under_way = 0;
    std::uint64_t syncs = 0;
    log::Position durable = 0;
    auto const bytes_before = opened.log->status().bytes;
    auto const start = now_ns(), end = start + std::int64_t(seconds * 1e9);
    std::uint64_t asked = 0;
    auto const done = [&](Result<runtime::Answer> answer) {
        need(std::move(answer));
        auto const now = opened.host->durable();
        std::lock_guard guard(mutex);
        syncs += now != durable, durable = now;
        if (--under_way <= inflight / 2) room.notify_one();
    };
    while (now_ns() < end) {
        {
            std::unique_lock lock(mutex);
            room.wait(lock, [&] { return under_way < inflight; });
            ++under_way;
        }
        opened.call(route, bodies[asked++ % bodies.size()], done);
    }
    {
        std::unique_lock lock(mutex);
        while (under_way > 0) room.wait_for(lock, std::chrono::milliseconds(1));
    }
    auto const took = double(now_ns() - start) / 1e9;
    auto const groups = double(std::max<std::uint64_t>(1, syncs));
    fmt::print("{{\"reports_per_s\":{:.0f},\"reports_per_sync\":{:.2f},\"bytes_per_sync\":{:.0f},\"report_bytes\":{},\"groups\":{}}}\n",
               double(asked) / took, double(asked) / groups, double(opened.log->status().bytes - bytes_before) / groups,
               body_bytes / bodies.size(), opened.state().groups.size());
}

// The text index over what `ingest` left, from nothing.
void index(std::string const& dir) {
    Opened opened(dir);
    runtime::TextIndexer indexer({.host = *opened.host, .clock = system_clock(), .directory = dir + "/text"});
    auto const start = now_ns();
    need(indexer.catch_up());
    auto const took = double(now_ns() - start) / 1e9;
    auto const documents = indexer.told().documents;
    indexer.stop();
    fmt::print("{{\"documents\":{},\"per_s\":{:.0f}}}\n", documents, double(documents) / took);
}

template <class E>
void put(E const& e, std::string& events, std::uint32_t& count) {
    static oops::Event const like = E{};
    std::string payload;
    codec::put(payload, e);
    put_varint(events, like.index()), put_string(events, payload), ++count;
}

// Facts of `count` small reports of `groups` groups, each with an id as SDKs give it.
void fill(std::string const& dir, std::uint64_t count, std::uint64_t groups) {
    {
        Opened(dir).make_project();
    }
    auto log = open_log(dir, codec::encode_event_schema(codec::type_of<oops::Event>()));
    for (std::uint64_t n = 0; n < count;) {
        std::string events;
        std::uint32_t in_batch = 0;
        for (; in_batch < 250 && n < count; ++n) {
            auto const g = mix64(n) % groups + 1;
            oops::Reported e{
                oops::Project(1), mix64(g), mix64(g + groups), Str(fmt::format("KeyError: no price in part {}", g)), {}, false};
            e.report.id = oops::ReportId(fmt::format("{:016x}{:016x}", mix64(n), mix64(n + count)));
            e.report.release = Str(fmt::format("shop@1.{}", n % 9)), e.report.environment = "live";
            put(e, events, in_batch);
        }
        need(log->append(batch_of(events, in_batch, log->status().last_time.us + 1000)));
    }
    need(log->wait_durable());
    need(log->close());
    Opened opened(dir);
    std::uint64_t bytes = 0;
    for (auto const& [member, size] : opened.host->decl().state.memory_bytes(&opened.state())) bytes += size;
    need(opened.host->save_snapshot());
    fmt::print("{{\"reports\":{},\"groups\":{},\"bytes_per_report\":{:.1f}}}\n", opened.state().reports.size(),
               opened.state().groups.size(), double(bytes) / double(count));
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"do", "dir", "seconds", "inflight", "count", "groups"});
    auto const what = flags.text("do"), dir = flags.text("dir");
    if (what == "ingest") return ingest(dir, flags.number("seconds", 1), std::int64_t(flags.number("inflight", 256))), 0;
    if (what == "index") return index(dir), 0;
    if (what == "fill") return fill(dir, std::uint64_t(flags.number("count", 1'000'000)), std::uint64_t(flags.number("groups", 10'000))), 0;
    die("--do ingest|index|fill");
}
