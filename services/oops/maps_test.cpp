// Source maps that a project keeps.
#include "services/oops/maps.h"

#include "services/oops/oops_fixture_test.h"

namespace gantry::oops {
namespace {

constexpr std::string_view first_build = "01234567-89ab-cdef-0123-456789abcdef", second_build = "11234567-89ab-cdef-0123-456789abcdef";

std::string map_text(std::string_view debug_id = "") {
    auto const told = debug_id.empty() ? std::string() : fmt::format(R"(,"debugId":"{}")", debug_id);
    return fmt::format(
        R"({{"version":3,"file":"app.js","sourceRoot":"src","sources":["a.js"],"sourcesContent":["first\nlet a; total()\nlast"],)"
        R"("names":["total"],"mappings":"AAAA,QACSA;EAAC"{}}})",
        told);
}

class Maps : public Oops {
   protected:
    auto put(std::string_view debug_id, std::string const& map) {
        return h.call("PUT", fmt::format("/oops/api/1/source-maps/{}", debug_id), map);
    }
    // Of a build whose code has names and places of its own.
    void minified(int n, std::string_view debug_id, std::string_view function) {
        store(fmt::format(
                  R"({{"event_id":"{}","platform":"javascript","exception":{{"values":[{{"type":"TypeError","value":"t is {}",)"
                  R"("stacktrace":{{"frames":[{{"function":"{}","filename":"http://h/{}.js","lineno":1,"colno":12,"in_app":true}}]}}}}]}},)"
                  R"("debug_meta":{{"images":[{{"type":"sourcemap","code_file":"http://h/{}.js","debug_id":"{}"}}]}}}})",
                  hex_id(n), function, function, function, function, debug_id))
            .ok();
    }
};

TEST_F(Maps, AreKeptByDebugId) {
    put(first_build, map_text()).ok(201).has(R"("debug_id":"01234567-89ab-cdef-0123-456789abcdef")");
    put("0123456789ABCDEF0123456789ABCDEF", map_text()).ok(200);
    put(second_build, map_text(second_build)).ok(201);
    EXPECT_EQ(h.get("/oops/v1/projects/1/source-maps").ok().as<Page<MapView>>().items.size(), 2u);
    auto const page = h.get("/oops/v1/projects/1/source-maps?limit=1").ok();
    EXPECT_EQ(h.get("/oops/v1/projects/1/source-maps?cursor=" + page.next()).ok().json_at("/items/0/debug_id"), second_build);
    h.call("DELETE", fmt::format("/oops/v1/projects/1/source-maps/{}", first_build)).ok();
    h.call("DELETE", fmt::format("/oops/v1/projects/1/source-maps/{}", first_build)).fails(404, "source_map_not_found");
    EXPECT_EQ(h.get("/oops/v1/projects/1/source-maps").ok().as<Page<MapView>>().items.size(), 1u);
}

TEST_F(Maps, OfAnotherFileAreRefused) {
    put(first_build, map_text(second_build)).fails(409, "source_map_mismatch").wrote_nothing();
    put("main.js", map_text()).fails(400, "debug_id_invalid").wrote_nothing();
    put(first_build, "var x = 1;").fails(400, "source_map_invalid").wrote_nothing();
    h.call("PUT", fmt::format("/oops/api/7/source-maps/{}", first_build), map_text()).fails(404, "project_not_found");
    h.get("/oops/v1/projects/7/source-maps").fails(404, "project_not_found");
}

TEST_F(Maps, AReportIsShownByItsSources) {
    minified(1, first_build, "x");
    EXPECT_EQ(h.get("/oops/v1/reports/" + hex_id(1)).ok().json_at("/report/exceptions/0/frames/0/file"), "http://h/x.js");
    put(first_build, map_text()).ok(201);
    auto const shown = h.get("/oops/v1/reports/" + hex_id(1)).ok();
    EXPECT_EQ(shown.json_at("/report/exceptions/0/frames/0/file"), "src/a.js");
    EXPECT_EQ(shown.json_at("/report/exceptions/0/frames/0/context_line"), "let a; total()");
    EXPECT_EQ(shown.json_at("/report/exceptions/0/frames/0/generated"), "http://h/x.js:1:12");
    h.call("DELETE", fmt::format("/oops/v1/projects/1/source-maps/{}", first_build)).ok();
    EXPECT_EQ(h.get("/oops/v1/reports/" + hex_id(1)).ok().json_at("/report/exceptions/0/frames/0/file"), "http://h/x.js");
}

TEST_F(Maps, TwoBuildsOfOneSourceAreOneGroup) {
    minified(1, first_build, "x"), minified(2, second_build, "y");
    EXPECT_EQ(groups().items.size(), 2u);
    put(first_build, map_text()).ok(201), put(second_build, map_text()).ok(201);
    minified(3, first_build, "x"), minified(4, second_build, "y");
    h.run_effects();
    auto const group = [&](int n) { return h.get("/oops/v1/reports/" + hex_id(n)).ok().json_at("/group"); };
    EXPECT_EQ(group(3), group(4));
    EXPECT_NE(group(1), group(3));
    h.post("/oops/v1/projects/1/regroup", "{}").ok(202);
    h.run_effects();
    EXPECT_EQ(group(1), group(3)) << "a regroup looks at the sources, too";
    EXPECT_EQ(group(2), group(3));
    EXPECT_EQ(groups().items.size(), 1u);
    EXPECT_EQ(groups().items[0].count, 4u);
}

TEST_F(Maps, WhoIsToldOfNewGroupsIsToldBySources) {
    std::vector<std::string> told;
    h.outside([&](client::Request request) {
        told.push_back(request.body);
        client::Reply reply;
        reply.status = 200;
        return reply;
    });
    configure(R"({"alerts":{"hooks":["http://hook.example/"]}})");
    put(first_build, map_text()).ok(201), put(second_build, map_text()).ok(201);
    minified(1, first_build, "x");
    h.run_effects();
    EXPECT_EQ(told.size(), 1u);
    minified(2, second_build, "y");
    h.run_effects();
    EXPECT_EQ(told.size(), 1u) << "of another build, in the same place";
    EXPECT_EQ(groups().items.size(), 1u);
}

}  // namespace
}  // namespace gantry::oops
