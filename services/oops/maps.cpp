#include "services/oops/maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "services/oops/fingerprint.h"
#include "services/oops/groups.h"
#include "services/oops/ingest.h"

namespace gantry::oops {
namespace {

std::uint32_t number(Project project) { return std::uint32_t(std::int64_t(project)); }
std::unexpected<Problem> no_project() { return fail(404, "project_not_found", "there is no project of this number"); }

bool is_of(MapKey const& key, std::uint32_t project) { return key.view().starts_with(map_key(project, {}).view()); }
Name id_of(MapKey const& key) { return Name(Str(key.view().substr(key.view().find('/') + 1))); }

template <class Visit>
void each_frame(Report const& report, Visit visit) {
    for (auto const& exception : report.exceptions)
        for (auto const& frame : exception.frames) visit(frame);
    for (auto const& frame : report.stack) visit(frame);
}

}  // namespace

Result<MapTold> parse_map(ForeignRequest const& request) {
    MapTold told;
    auto const project = request.field("project");
    auto const end = std::from_chars(project.data(), project.data() + project.size(), told.project).ptr;
    if (told.project == 0 || end != project.data() + project.size()) return no_project();
    auto const id = debug_id_of(request.field("debug_id"));
    if (id.empty()) return fail(400, "debug_id_invalid", "a debug id is 32 hex digits, with or without dashes");
    TRY_ASSIGN(auto const map, SourceMap::parse(request.body));
    if (!map.debug_id().empty() && map.debug_id() != id)
        return fail(409, "source_map_mismatch", fmt::format("this is the map of {}: send it to that debug id", map.debug_id()));
    told.debug_id = Name(id), told.file = Phrase(Str(map.file().substr(0, 1000))), told.map = Bytes{std::string(request.body)};
    return told;
}

Result<Emit<ForeignReply, Event>> keep_map(State const& s, MapTold const& in, Ctx const& cx) {
    auto const* row = s.projects.find(in.project);
    if (!row) return no_project();
    bool const is_new = !s.maps.contains(map_key(in.project, in.debug_id.view()));
    if (is_new && row->maps >= maps_max)
        return fail(409, "source_maps_many", fmt::format("a project has at most {} source maps: delete those of old builds", maps_max));
    MapView const view{in.debug_id, in.file, in.map.data.size(), cx.now};
    ForeignReply reply{.status = is_new ? 201 : 200, .body = codec::to_json(view)};
    return Emit<ForeignReply, Event>{{SourceMapKept{Project(in.project), in.debug_id, in.file, in.map}}, std::move(reply)};
}

Result<Page<MapView>> list_maps(State const& s, MapListing const& in, Ctx const&) {
    if (!s.projects.contains(number(in.project))) return no_project();
    auto after = map_key(number(in.project), {});
    if (in.cursor) {
        TRY_ASSIGN(auto const last, read_cursor<std::string>(*in.cursor));
        after = map_key(number(in.project), last);
    }
    Page<MapView> page;
    s.maps.walk(&after, [&](MapKey const& key, MapRow const& row) {
        if (!is_of(key, number(in.project))) return false;
        if (std::int64_t(page.items.size()) == in.limit)
            return page.complete = false, page.next = make_cursor(page.items.back().debug_id.str()), false;
        page.items.push_back({id_of(key), row.file, row.size_bytes, row.kept_at});
        return true;
    });
    return page;
}

Result<Emit<MapView, Event>> drop_map(State const& s, ByMap const& in, Ctx const&) {
    auto const id = debug_id_of(in.debug_id.view());
    auto const* row = s.maps.find(map_key(number(in.project), id));
    if (!row) return fail(404, "source_map_not_found", "this project has no source map of this debug id");
    return Emit<MapView, Event>{{SourceMapDropped{in.project, Name(id)}}, {Name(id), row->file, row->size_bytes, row->kept_at}};
}

std::vector<MapAt> maps_of(State const& s, std::uint32_t project) {
    std::vector<MapAt> out;
    auto const after = map_key(project, {});
    s.maps.walk(&after, [&](MapKey const& key, MapRow const& row) {
        if (!is_of(key, project)) return false;
        out.push_back({id_of(key), row.position});
        return true;
    });
    return out;
}

std::vector<MapAt> maps_for(State const& s, std::uint32_t project, Report const& report) {
    std::vector<MapAt> out;
    each_frame(report, [&](Frame const& frame) {
        auto const id = debug_id_of(frame.debug_id.view());
        if (id.empty() || std::ranges::find(out, id, [](MapAt const& m) { return m.debug_id.view(); }) != out.end()) return;
        if (auto const* row = s.maps.find(map_key(project, id))) out.push_back({Name(id), row->position});
    });
    return out;
}

Result<SourceMap const*> MapReader::map(std::string_view debug_id) {
    auto known = read_.find(debug_id);
    if (known == read_.end()) {
        known = read_.emplace(std::string(debug_id), std::nullopt).first;
        auto const at = std::ranges::find(maps_, debug_id, [](MapAt const& m) { return m.debug_id.view(); });
        if (at == maps_.end()) return nullptr;
        TRY_ASSIGN(auto const* event, events_.at(at->position));
        auto const* kept = event ? std::get_if<SourceMapKept>(event) : nullptr;
        if (!kept) return nullptr;
        auto parsed = SourceMap::parse(kept->map.data);
        if (!parsed) return nullptr;
        parsed->known_as(std::string(debug_id));
        known->second = std::move(*parsed);
    }
    return known->second ? &*known->second : nullptr;
}

Result<void> MapReader::rewrite(Report& report) {
    if (maps_.empty()) return {};
    std::set<std::string> ids;
    each_frame(report, [&](Frame const& frame) {
        if (auto id = debug_id_of(frame.debug_id.view()); !id.empty()) ids.insert(std::move(id));
    });
    for (auto const& id : ids) {
        TRY_ASSIGN(auto const* found, map(id));
        if (found) TRY_VOID(apply_source_map(report, *found));
    }
    return {};
}

Result<Print> map_one(MapOne const& what, Outside& outside) {
    auto events = outside.events<Event>();
    std::string rules;
    if (what.rules != 0) {
        TRY_ASSIGN(auto const* event, events.at(what.rules));
        if (auto const* set = event ? std::get_if<RulesSet>(event) : nullptr) rules = set->text.str();
    }
    TRY_ASSIGN(auto const* event, events.at(what.report.position));
    auto const* reported = reported_in(event);
    if (!reported) return fail(410, "report_gone", "the log has this report's body no more: it was pruned");
    auto report = reported->report;
    MapReader reader(events, what.maps);
    TRY_VOID(reader.rewrite(report));
    return print_of(what.report.report, report, rules_of(rules));
}

std::vector<Event> mapped_one(State const& s, MapOne const& what, Result<Print> const& print, Ctx const& cx) {
    auto const& row = s.report(what.report.report);
    auto const now = row.bucket;
    auto const to = print ? s.find_bucket(row.project, print->app, print->system) : now;
    Ingest ingest(s, cx);
    ingest.alert_later(what.report.report, to, what.is_new, print ? print->title : Title(std::string(s.phrases.text(s.bucket(now).title))));
    auto events = ingest.take_events();
    if (to != now)
        events.push_back(
            Regrouped{{},
                      {{what.report.report, BucketId{now}, BucketId{to}, print->app, print->system, print->title, print->ruled_title}},
                      {},
                      1,
                      0});
    return events;
}

}  // namespace gantry::oops
