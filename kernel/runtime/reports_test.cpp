#include "kernel/runtime/reports.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "kernel/base/assert.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/runtime/crash.h"
#include "kernel/runtime/masking.h"
#include "kernel/runtime/notes_for_test.h"
#include "kernel/runtime/reported_request.h"

namespace gantry::runtime {
namespace {

struct Shipping {
    Str street;
    Personal<Str> name;
    std::optional<std::string> token;
    std::vector<std::string> api_tokens;
    std::string key;
};
RECORD(Shipping, street, name, token, api_tokens, key);

struct Searching {
    static constexpr bool has_defaults = true;
    Str text;
    std::optional<Secret<Str>> proof;
};
RECORD(Searching, text, proof);

class ReportsTest : public ::testing::Test {
   protected:
    ReportsTest() { make({}); }
    void make(std::function<void(Reports::Parts&)> const& adjust) {
        Reports::Parts parts{
            disk_, "/data/reports.d", clock_, random_, "1.0", [](std::move_only_function<void()> task) { task(); }, "/data/failures.d"};
        parts.instance = "here", parts.site = "main", parts.revision = "abc";
        if (adjust) adjust(parts);
        reports_.emplace(std::move(parts));
    }
    FailureReport kept(std::string const& id) {
        auto const json = reports_->find(id);
        EXPECT_TRUE(json) << id;
        return json ? *codec::from_json<FailureReport>(*json) : FailureReport{};
    }
    Failure failure(std::string_view route = "POST /") const { return {.service = "notes", .route = route, .problem = &problem_}; }

    log::SimulatedDisk disk_;
    ManualClock clock_;
    SeededRandom random_{1};
    Problem problem_{500, "internal_error", "it failed", {}, "a private cause"};
    std::optional<Reports> reports_;
};

TEST_F(ReportsTest, AReportSaysWhatFailedWhereAndInWhichBuild) {
    auto const id = reports_->add(failure());
    EXPECT_EQ(id.size(), 37u) << id;
    EXPECT_TRUE(id.starts_with("OOPS-"));
    auto const report = kept(id);
    EXPECT_EQ(report.code, "internal_error");
    EXPECT_EQ(report.cause, "a private cause");
    EXPECT_EQ(report.version, "1.0");
    EXPECT_EQ(report.revision, "abc");
    EXPECT_EQ(report.instance, "here");
    EXPECT_EQ(report.build_id, observe::own_build_id());
    EXPECT_EQ(report.stack_of, "report") << "nothing was thrown, and it says so";
    EXPECT_FALSE(report.stack.empty());
    EXPECT_EQ(reports_->spool().waiting(), 1u);
}

TEST_F(ReportsTest, WhatIsThrownIsToldWithItsTypeAndItsOwnStack) {
    std::unique_ptr<Thrown> thrown;
    try {
        throw std::out_of_range("beyond");
    } catch (...) {
        thrown = thrown_now();
    }
    auto what = failure();
    what.thrown = thrown.get();
    auto const report = kept(reports_->add(what));
    ASSERT_TRUE(report.exception);
    EXPECT_EQ(report.exception->type, "std::out_of_range");
    EXPECT_EQ(report.exception->message, "beyond");
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
    EXPECT_EQ(report.stack_of, "throw");
#endif
    EXPECT_TRUE(std::ranges::any_of(report.stack, [](auto const& f) { return f.function.find("WhatIsThrown") != std::string::npos; }));
    try {
        throw 17;
    } catch (...) {
        EXPECT_EQ(thrown_now()->type, "int");
    }
    EXPECT_EQ(thrown_now(), nullptr);
}

TEST_F(ReportsTest, SecretsAndPeopleAreMaskedInTheInputAndWhatQuotesIt) {
    Shipping input{"Main Street", {"Ann Author", {}}, "abc-token", {"t-1", "t-2"}, "a-key"};
    problem_.cause = "no room for Ann Author with abc-token";
    auto what = failure();
    what.input_type = &codec::type_of<Shipping>(), what.input = &input;
    auto const id = reports_->add(what);
    auto const json = *reports_->find(id);
    for (auto* secret : {"Ann Author", "abc-token", "t-1", "t-2", "a-key"}) EXPECT_EQ(json.find(secret), std::string::npos) << secret;
    EXPECT_NE(json.find("Main Street"), std::string::npos);
    EXPECT_EQ(kept(id).masked, (std::vector<std::string>{"/name", "/token", "/api_tokens/0", "/api_tokens/1", "/key"}));
    EXPECT_EQ(kept(id).cause, "no room for [masked] with [masked]");
}

TEST_F(ReportsTest, ARequestIsToldWithoutItsCredentials) {
    RouteDecl route{.verb = "GET", .path = "/items/{text}"};
    route.input = &codec::type_of<Searching>();
    std::vector<http::Header> const headers{
        {"Host", "example"}, {"Authorization", "Bearer s3cret"}, {"Cookie", "session=s3cret"}, {"X-Anything", "s3cret"}};
    http::RequestHead const head{
        .target = "", .path = "/notes/v1/items/plan", .query = "text=a&proof=s3cret&other=s3cret", .host = "example", .headers = headers};
    RequestFacts facts{.head = &head};
    auto const told = reported_request(facts, &route);
    EXPECT_EQ(told.path, "/notes/v1/items/plan");
    EXPECT_EQ(told.query, "text=a&proof=[masked]&other=[masked]");
    EXPECT_EQ(codec::to_json(told).find("s3cret"), std::string::npos);
    ASSERT_EQ(told.headers.size(), 4u);
    EXPECT_EQ(told.headers[1].value, "[masked]") << "its name is told";
    EXPECT_EQ(reported_request(facts, nullptr).query, "text=[masked]&proof=[masked]&other=[masked]");
}

TEST_F(ReportsTest, ManyFailuresOfOneKindLeaveRoomForOthersAndAreCounted) {
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(reports_->add(failure()).empty()) << "an id is told all the same";
    EXPECT_EQ(reports_->spool().waiting(), std::uint64_t(Reports::alike_a_minute_max));
    EXPECT_EQ(reports_->dropped(), 90u);
    EXPECT_EQ(kept(reports_->add(failure("GET /"))).dropped_before, 90u);
    EXPECT_EQ(kept(reports_->add(failure("GET /"))).dropped_before, 0u) << "told once";
    for (int i = 0; i < 100; ++i) (void)reports_->add(failure(fmt::format("GET /{}", i)));
    EXPECT_EQ(reports_->spool().waiting(), std::uint64_t(Reports::a_minute_max));
    clock_.advance(Duration::seconds(60));
    EXPECT_TRUE(reports_->find(reports_->add(failure())));
}

TEST_F(ReportsTest, TheSpoolKeepsTheNewestAndReadsWhatAnEarlierReleaseLeft) {
    auto& spool = reports_->spool();
    for (std::size_t i = 0; i < ReportSpool::files_max + 3; ++i) ASSERT_TRUE(spool.put(fmt::format("OOPS-{:05}", i), "{}"));
    EXPECT_EQ(spool.pending()->size(), ReportSpool::files_max);
    EXPECT_EQ(spool.pushed_out(), 3u);
    EXPECT_FALSE(spool.find("OOPS-00002"));
    EXPECT_TRUE(spool.find("OOPS-00003"));
    ASSERT_TRUE(spool.mark_delivered("OOPS-00003"));
    EXPECT_EQ(spool.pending()->size(), ReportSpool::files_max - 1);
    EXPECT_TRUE(spool.find("OOPS-00003")) << "for gantry replay";
    ASSERT_TRUE(disk_.make_directories("/data/failures.d"));
    ASSERT_TRUE(log::write_file_durably(disk_, "/data/failures.d/oops_1.json", "{}"));
    EXPECT_TRUE(spool.find("oops_1"));
    EXPECT_FALSE(spool.find("../failures.d/oops_1"));
}

TEST_F(ReportsTest, FlagsAreToldAsTheyWereForTheCaller) {
    make([](Reports::Parts& parts) {
        parts.flags = [](flags::Subject const& s) {
            return std::map<std::string, std::string>{{"dark", fmt::format("{} {} {}", s.user, s.site, s.service)}};
        };
    });
    Viewer const ann{Str("u_ann")};
    auto what = failure();
    what.viewer = &ann;
    EXPECT_EQ(kept(reports_->add(what)).flags.at("dark"), "u_ann main notes");
}

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
// Runs what ends a process in one of its own, and gives the report of it.
template <class End>
FailureReport report_of_end(End end) {
    auto const directory = (std::filesystem::temp_directory_path() / fmt::format("gantry_end_{}", ::getpid())).string();
    std::filesystem::create_directories(directory);
    if (auto const child = ::fork(); child == 0) {
        auto const watch = EndWatch::make(directory, "1.0", "abc", system_clock());
        InHand const in_hand("notes", "POST", "/", "q_1");
        ::close(2);
        end();
        ::_exit(0);
    } else {
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status)) << "it ends as it would have ended";
    }
    auto reports = take_dumps(log::system_disk(), directory);
    EXPECT_TRUE(std::filesystem::is_empty(directory));
    std::filesystem::remove_all(directory);
    EXPECT_EQ(reports.size(), 1u);
    return reports.empty() ? FailureReport{} : reports.front();
}
bool names(FailureReport const& report, std::string_view function) {
    return std::ranges::any_of(report.stack, [&](auto const& f) { return f.function.find(function) != std::string::npos; });
}
__attribute__((noinline)) void asserts(int n) { GANTRY_ASSERT(n == 0, "nothing is there"); }
__attribute__((noinline)) void throws_uncaught(int n) {
    if (n > 0) throw std::runtime_error("nobody catches this");
}

TEST(Ends, AFailedAssertionIsReportedByTheNextProcess) {
    auto const report = report_of_end([] { asserts(1); });
    EXPECT_EQ(report.kind, "end");
    EXPECT_EQ(report.code, "process_ended");
    EXPECT_EQ(report.version, "1.0");
    EXPECT_EQ(report.revision, "abc");
    EXPECT_EQ(report.build_id, observe::own_build_id());
    EXPECT_EQ(report.service, "notes");
    EXPECT_EQ(report.route, "POST /");
    EXPECT_EQ(report.request_id, "q_1");
    EXPECT_EQ(report.exception->type, "SIGABRT");
    EXPECT_NE(report.cause.find("nothing is there (n == 0)"), std::string::npos) << report.cause;
    EXPECT_TRUE(names(report, "asserts")) << codec::to_json(report.stack);
    EXPECT_GT(report.at.us, 0);
}
TEST(Ends, AnExceptionThatNobodyCaughtIsToldFromWhereItWasThrown) {
    auto const report = report_of_end([]() noexcept { throws_uncaught(1); });
    EXPECT_EQ(report.cause, "uncaught std::runtime_error: nobody catches this");
    EXPECT_EQ(report.stack_of, "throw");
    EXPECT_TRUE(names(report, "throws_uncaught")) << codec::to_json(report.stack);
}
TEST(Ends, AWildPointerIsReported) {
    auto const report = report_of_end([] { *reinterpret_cast<int volatile*>(std::uintptr_t(16)) = 1; });
    EXPECT_EQ(report.exception->type, "SIGSEGV");
    EXPECT_TRUE(names(report, "AWildPointerIsReported")) << codec::to_json(report.stack);
}
#endif

TEST(Ends, ADumpOfAnotherBuildOrACutOneIsToldAsFarAsItGoes) {
    auto const other = report_of_dump("gantry-end 1\nversion 0.9\nbuild 00ff\ntime 17\nsignal 11\nframes\n10a0\n20b0\nmaps\n");
    EXPECT_EQ(other.version, "0.9");
    ASSERT_EQ(other.stack.size(), 2u);
    EXPECT_EQ(other.stack[0].address, 0x10a0u);
    EXPECT_EQ(other.stack[0].function, "") << "names of this build would be wrong";
    EXPECT_EQ(report_of_dump("gantry-end 1\nsig").stack.size(), 0u);
}

}  // namespace
}  // namespace gantry::runtime
