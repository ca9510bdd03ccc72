#include "app/rehearsal/rehearser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "kernel/http/message.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/log/subject_keys_file.h"

namespace gantry::app::rehearsal {
namespace {

double ms_since(std::int64_t began_ns) { return double(system_clock().steady_ns() - began_ns) / 1e6; }

// The most memory that this process ever had. Not getrusage's: that counts what the program had that started this one.
std::uint64_t peak_bytes() {
    auto status = log::read_file(log::system_disk(), "/proc/self/status");
    auto const at = status ? status->find("VmHWM:") : std::string::npos;
    if (at == std::string::npos) return 0;
    auto const digits = status->find_first_of("0123456789", at);
    std::uint64_t kib = 0;
    if (digits != std::string::npos) std::from_chars(status->data() + digits, status->data() + status->size(), kib);
    return kib << 10;
}

Answered refused(Problem const& problem) {
    Answered out{problem.status, {}, 0};
    http::append_problem_json(out.body, problem);
    return out;
}

bool takes_limit(codec::Type const& input) {
    return std::ranges::any_of(input.fields, [](auto const& field) { return field.name == "limit"; });
}

}  // namespace

Result<std::unique_ptr<Rehearser>> Rehearser::open(runtime::ServiceDecl decl, LogAt const& at, std::string_view version) {
    TRY_ASSIGN(auto log, log::StillLog::open(log::system_disk(), at.log_directory));
    std::unique_ptr<Rehearser> out(new Rehearser(std::move(decl), std::move(log)));
    TRY_VOID(out->read_keys(at.site_directory));
    TRY_VOID(out->find_beginning());
    if (out->decl_.settings) out->settings_.emplace(*out->decl_.settings);
    runtime::Host::Parts parts{*out->log_, system_clock(), out->random_};
    parts.settings = out->settings_ ? out->settings_->get() : nullptr, parts.sealer = &out->sealer_, parts.hash_key = out->hash_key_;
    out->host_ = std::make_unique<runtime::Host>(out->decl_, std::move(parts));
    std::array<runtime::Host*, 1> hosts{out->host_.get()};
    out->routes_ = std::make_unique<runtime::RouteTable>(hosts);
    out->greet(version);
    return out;
}

Result<void> Rehearser::read_keys(std::string const& site_directory) {
    auto& disk = log::system_disk();
    keys_ = std::make_unique<codec::MemorySubjectKeys>(random_);
    if (!site_directory.empty()) {
        auto const path = site_directory + "/request.key";
        TRY_ASSIGN(keys_, log::copy_subject_keys(disk, site_directory + "/subject.keys", random_));
        TRY_ASSIGN(bool there, disk.exists(path));
        auto bytes = there ? log::read_file(disk, path) : std::string(hash_key_.size(), '\0');
        if (!bytes) return std::unexpected(std::move(bytes.error()));
        if (bytes->size() != hash_key_.size()) return fail(500, "key_damaged", path + " must hold 32 bytes: put back the right file");
        std::ranges::copy(*bytes, hash_key_.begin());
    }
    sealer_ = codec::make_sealer(*keys_, random_);
    return {};
}

// The oldest baseline from which the log leads on.
Result<void> Rehearser::find_beginning() {
    auto const begin = log_->status().begin;
    if (begin == 1) return {};
    runtime::BaselineParts parts;
    TRY_VOID(log_->scan(0, [&](log::BatchView const& batch) {
        if (auto mark = parts.take(batch); mark && mark->position + 1 >= begin) beginning_ = *mark;
        return !beginning_;
    }));
    if (beginning_) return {};
    return fail(500, "log_damaged",
                fmt::format("the log begins at {} and holds no whole baseline of what was before: restore its first segments from a copy "
                            "or an export",
                            begin));
}

void Rehearser::greet(std::string_view version) {
    hello_.version = version, hello_.service = decl_.name, hello_.fingerprint = fmt::format("{:016x}", decl_.state.fingerprint);
    hello_.incarnation = log::incarnation_text(log_->status().incarnation);
    hello_.from = beginning_ ? beginning_->position : 0, hello_.events = log_->status().durable;
    for (auto const& target : routes_->targets()) {
        auto const& route = *target.route;
        if (route.verb != "GET" || route.command || route.feed || target.path.find('{') != std::string::npos) continue;
        hello_.reads.push_back(target.path + (takes_limit(*route.input) ? "?limit=1000" : ""));
    }
}

Result<runtime::Folded> Rehearser::nearest(std::uint64_t position) {
    Kept* best = nullptr;
    for (auto& kept : kept_)
        if (kept.state.last <= position && (!best || kept.state.last > best->state.last)) best = &kept;
    if (best) return best->used = ++turn_, best->state.view(decl_);
    if (!beginning_) return runtime::Folded::empty(decl_);
    auto const from = sources();
    return runtime::load_baseline(from, *beginning_);
}

Result<void> Rehearser::go_to(std::uint64_t position) {
    if (position < hello_.from || position > hello_.events)
        return fail(
            400, "rehearsal_position_invalid",
            fmt::format("{} is not in this log, whose states are those after events {} to {}", position, hello_.from, hello_.events));
    auto const kept_nearer = [&](Kept const& kept) { return kept.state.last <= position && kept.state.last > now_->last; };
    if (!now_ || now_->last > position || std::ranges::any_of(kept_, kept_nearer)) {
        now_.reset();
        TRY_ASSIGN(now_, nearest(position));
    }
    auto const from = sources();
    auto folded = runtime::replay(from, *now_, position, {});
    if (!folded) now_.reset();  // it may have got anywhere
    return folded;
}

void Rehearser::keep() {
    auto same = std::ranges::find(kept_, now_->last, [](Kept const& kept) { return kept.state.last; });
    if (same != kept_.end()) return void(same->used = ++turn_);
    if (kept_.size() == kept_max) kept_.erase(std::ranges::min_element(kept_, {}, &Kept::used));
    kept_.push_back({now_->view(decl_), ++turn_});
}

Result<Digest> Rehearser::digest_at(std::uint64_t position) {
    Digest out;
    auto began = system_clock().steady_ns();
    auto const before = [&] {
        std::uint64_t base = now_ && now_->last <= position ? now_->last : hello_.from;
        for (auto const& kept : kept_)
            if (kept.state.last <= position) base = std::max(base, kept.state.last);
        return base;
    }();
    TRY_VOID(go_to(position));
    out.folded = position - before, out.fold_ms = ms_since(began);
    began = system_clock().steady_ns();
    out.digest = fmt::format("{:016x}", decl_.state.digest(now_->service.get()));
    out.digest_ms = ms_since(began);
    out.state_bytes = now_->memory_bytes(decl_), out.peak_bytes = peak_bytes();
    keep();
    return out;
}

Result<runtime::Answer> Rehearser::read(std::string const& target) const {
    auto const cut = std::min(target.find('?'), target.size());
    auto const path = std::string_view(target).substr(0, cut), query = std::string_view(target).substr(std::min(cut + 1, target.size()));
    auto const match = routes_->match("GET", path);
    if (!match.target && match.allowed.empty()) return fail(404, "route_not_found", "there is no such path");
    if (!match.target) return fail(405, "method_not_allowed", "this path has no GET");
    if (match.target->route->feed)
        return fail(400, "rehearsal_query_unsupported",
                    "the events are the log itself, which both binaries read: ask for what is made of it");
    auto bind = [&](codec::Type const& type, void* out) { return runtime::bind_request(match, query, {}, false, type, out); };
    Viewer const viewer{Str("gantry"), true};
    return host_->read_past(*now_, {.route = *match.target->route, .viewer = viewer, .bind = bind});
}

void Rehearser::configure(config::Config const& config) {
    if (decl_.settings) config.fill(decl_.name, *decl_.settings, settings_->get());
}

Result<runtime::Replayed> Rehearser::replay(runtime::FailureReport const& report, std::string const& snapshots_directory) {
    auto const* route = runtime::route_of(decl_, report);
    if (!route || !report.seen)
        return fail(400, "replay_impossible",
                    fmt::format("only a request that came to a decision of a service is replayed, and this is {} {}: {}", report.service,
                                report.route, report.code));
    auto const dot = std::min(report.seen->position.find('.'), report.seen->position.size());
    std::uint64_t position = 0;
    auto const digits = report.seen->position.substr(std::min(dot + 1, report.seen->position.size()));
    std::from_chars(digits.data(), digits.data() + digits.size(), position);
    auto const history = log::parse_incarnation(report.seen->position.substr(0, dot));
    auto const shared = history ? log::shared_until(log_->eras(), *history) : std::nullopt;
    if (!shared || position > *shared)
        return fail(410, "position_gone",
                    fmt::format("the report is about the history {} of {}, of which this log ({}) doesn't hold event {}",
                                report.seen->position.substr(0, dot), report.service, hello_.incarnation, position));
    if (position > hello_.events)
        return fail(410, "position_gone", fmt::format("the failure saw event {}, and the log ends with {}", position, hello_.events));
    if (!snapshots_directory.empty()) {
        auto const snapshots = log::file_snapshots(log::system_disk(), snapshots_directory);
        runtime::Sources const from{decl_, *log_, snapshots.get(), &sealer_};
        TRY_ASSIGN(now_, runtime::load_snapshot(from, position));
    }
    TRY_VOID(go_to(position));
    return runtime::replay_request(*host_, *now_, *route, report, hash_key_, &sealer_, settings_ ? settings_->get() : nullptr);
}

Result<Answered> Rehearser::get(std::string const& target, std::uint64_t as_of) {
    TRY_VOID(go_to(as_of));
    auto const began = system_clock().steady_ns();
    auto answer = read(target);
    auto const ms = ms_since(began);
    Answered out = answer ? Answered{answer->status, std::move(answer->body), 0} : refused(answer.error());
    out.ms = ms;
    return out;
}

}  // namespace gantry::app::rehearsal
