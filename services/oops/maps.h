#pragma once
#include "services/oops/regroup.h"
#include "services/oops/source_map.h"

// Source maps that a project's builds send, by debug id. A report is kept as it came; what shows or groups it looks at the sources.
namespace gantry::oops {

inline constexpr std::uint64_t map_bytes_max = 24 << 20;
inline constexpr std::size_t maps_max = 1000;  // of a project

struct MapTold {
    std::uint32_t project = 0;
    Name debug_id;
    Phrase file;
    Bytes map;
};
RECORD(MapTold, project, debug_id, file, map);
struct MapView {
    Name debug_id;
    Phrase file;
    std::uint64_t size_bytes = 0;
    Time kept_at;
};
RECORD(MapView, debug_id, file, size_bytes, kept_at);
struct MapListing {
    static constexpr bool has_defaults = true;
    Project project;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(MapListing, project, limit, cursor);
struct ByMap {
    Project project;
    Name debug_id;
};
RECORD(ByMap, project, debug_id);

// PUT, with the map as it is (JSON) as body. Problems: 400 "debug_id_invalid", "source_map_invalid"; 409 "source_map_mismatch" for a map
// that says another debug id; 413.
Result<MapTold> parse_map(ForeignRequest const& request);
Result<Emit<ForeignReply, Event>> keep_map(State const& s, MapTold const& in, Ctx const& cx);
Result<Page<MapView>> list_maps(State const& s, MapListing const& in, Ctx const& cx);
Result<Emit<MapView, Event>> drop_map(State const& s, ByMap const& in, Ctx const& cx);

// The maps of a project, where they are in the log.
std::vector<MapAt> maps_of(State const& s, std::uint32_t project);
// Those that a report asks for; empty: it needs none, or there are none.
std::vector<MapAt> maps_for(State const& s, std::uint32_t project, Report const& report);

// Rewrites reports, reading each map once.
class MapReader {
   public:
    MapReader(Events<Event>& events, std::vector<MapAt> const& maps) : events_(events), maps_(maps) {}
    // Frames without a map, or with one that can't be read any more, stay as they are.
    Result<void> rewrite(Report& report);

   private:
    Result<SourceMap const*> map(std::string_view debug_id);
    Events<Event>& events_;
    std::vector<MapAt> const& maps_;
    std::map<std::string, std::optional<SourceMap>, std::less<>> read_;
};

// A report that came is looked at with its maps, and then told of.
Result<Print> map_one(MapOne const& what, Outside& outside);
std::vector<Event> mapped_one(State const& s, MapOne const& what, Result<Print> const& print, Ctx const& cx);

}  // namespace gantry::oops
