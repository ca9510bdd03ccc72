#include "kernel/auth/sessions.h"

#include <gtest/gtest.h>

#include "kernel/auth/cookies.h"

namespace gantry::auth {
namespace {

constexpr Time noon{1'772'359'200'000'000};
constexpr Duration tick = Duration::micros(1);

std::shared_ptr<Caller const> caller(std::string name) {
    CallerTraits traits;
    traits.name = std::move(name);
    return std::make_shared<Caller const>(std::move(traits));
}

class SessionsTest : public testing::Test {
   protected:
    std::string code(std::string const& id, Time now) {
        auto const found = sessions.find(id, here, now);
        return found ? found->caller->name() : found.error().code;
    }
    SeededRandom random{3};
    SessionLimits limits{.idle = Duration::hours(1),
                         .absolute = Duration::hours(3),
                         .sessions_max = 4,
                         .per_caller_max = 2,
                         .ended_told = Duration::hours(5),
                         .ended_max = 3};
    Sessions sessions{random, limits};
    IpAddress const here = *parse_address("192.0.2.1");
    std::shared_ptr<Caller const> ann = caller("ann"), bob = caller("bob");
};

TEST_F(SessionsTest, EndWhenUnusedAndInTheEnd) {
    auto const id = sessions.start(ann, here, "x", noon);
    EXPECT_EQ(id.size(), 43u);
    EXPECT_EQ(code("nonsense", noon), "session_unknown");
    EXPECT_EQ(code("", noon), "session_unknown");
    auto now = noon;
    for (int i = 0; i < 3; ++i) {
        now = now + limits.idle - tick;
        EXPECT_EQ(code(id, now), "ann");
    }
    EXPECT_EQ(code(id, noon + limits.absolute - tick), "ann");
    EXPECT_EQ(sessions.find(id, here, noon + limits.absolute - tick)->valid_until, noon + limits.absolute);
    EXPECT_EQ(code(id, noon + limits.absolute), "session_expired");
    EXPECT_EQ(code(id, noon + limits.absolute), "session_unknown");
    auto const idle = sessions.start(ann, here, "x", noon);
    EXPECT_EQ(code(idle, noon + limits.idle), "session_expired");
}

TEST_F(SessionsTest, AnEndedOneShownAgainIsTold) {
    auto const id = sessions.start(ann, here, "x", noon);
    EXPECT_TRUE(sessions.end(id, noon));
    EXPECT_FALSE(sessions.end(id, noon));
    EXPECT_EQ(code(id, noon), "session_ended");
    EXPECT_EQ(code(id, noon + limits.ended_told - tick), "session_ended");
    EXPECT_EQ(code(id, noon + limits.ended_told), "session_unknown");
}

TEST_F(SessionsTest, EndWithTheirCaller) {
    auto const id = sessions.start(ann, here, "x", noon);
    ann->end();
    EXPECT_EQ(sessions.list("ann", id, noon).size(), 0u);
    EXPECT_EQ(code(id, noon), "session_ended");
    EXPECT_EQ(sessions.size(), 0u);
}

TEST_F(SessionsTest, AreListedAndEndedByTheirOwner) {
    auto const one = sessions.start(ann, here, "one", noon), two = sessions.start(ann, here, "two", noon + tick),
               other = sessions.start(bob, here, "x", noon);
    EXPECT_EQ(code(one, noon + Duration::seconds(9)), "ann");
    auto const list = sessions.list("ann", one, noon + Duration::seconds(10));
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].device, "two");
    EXPECT_FALSE(list[0].current);
    EXPECT_TRUE(list[1].current);
    EXPECT_EQ(list[1].seen_at, noon + Duration::seconds(9));
    EXPECT_EQ(list[1].ends_at, noon + Duration::seconds(9) + limits.idle);
    EXPECT_EQ(list[1].address, here);
    EXPECT_FALSE(sessions.end_one("bob", list[0].handle, noon)) << "another's own";
    EXPECT_FALSE(sessions.end_one("ann", "nonsense", noon));
    EXPECT_TRUE(sessions.end_one("ann", list[0].handle, noon));
    EXPECT_EQ(code(two, noon), "session_ended");
    EXPECT_EQ(code(one, noon), "ann");
    auto const third = sessions.start(ann, here, "three", noon);
    EXPECT_EQ(sessions.end_all("ann", noon, one), 1u);
    EXPECT_EQ(code(third, noon), "session_ended");
    EXPECT_EQ(code(one, noon), "ann");
    EXPECT_EQ(sessions.end_all("ann", noon), 1u);
    EXPECT_EQ(code(other, noon), "bob");
}

TEST_F(SessionsTest, AreBounded) {
    auto const first = sessions.start(ann, here, "x", noon), second = sessions.start(ann, here, "x", noon + tick);
    EXPECT_EQ(code(first, noon + Duration::seconds(1)), "ann");
    auto const third = sessions.start(ann, here, "x", noon + Duration::seconds(2));
    EXPECT_EQ(code(second, noon + Duration::seconds(2)), "session_ended") << "unused for longest";
    EXPECT_EQ(code(first, noon + Duration::seconds(2)), "ann");
    std::vector<std::string> ids;
    for (int i = 0; i < 20; ++i) {
        ids.push_back(sessions.start(caller("c" + std::to_string(i)), here, "x", noon + Duration::seconds(3 + i)));
        EXPECT_LE(sessions.size(), limits.sessions_max);
    }
    EXPECT_EQ(code(ids[19], noon + Duration::seconds(30)), "c19");
    EXPECT_EQ(code(ids[15], noon + Duration::seconds(30)), "session_ended");
    EXPECT_EQ(code(ids[0], noon + Duration::seconds(30)), "session_unknown") << "so many ended ones are remembered";
}

TEST_F(SessionsTest, TheDeviceIsCutAndClean) {
    auto const id = sessions.start(ann, here, std::string("a\nb\xff") + std::string(300, 'x'), noon);
    auto const device = sessions.list("ann", id, noon).at(0).device;
    EXPECT_EQ(device.size(), Sessions::device_bytes_max);
    EXPECT_TRUE(device.starts_with("a?b?xxx"));
    auto const wide = sessions.start(bob, here, std::string(199, 'x') + "ö", noon);
    EXPECT_EQ(sessions.list("bob", wide, noon).at(0).device.size(), 199u);
}

TEST(Cookies, AreWritten) {
    EXPECT_EQ(session_cookie(CookieOver::secure, "abc", Duration::hours(1)),
              "__Host-gantry=abc; Max-Age=3600; Path=/; HttpOnly; SameSite=Strict; Secure");
    EXPECT_EQ(session_cookie(CookieOver::plain, "", {}), "gantry=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict");
}

TEST(Cookies, AreRead) {
    std::string const id(43, 'a'), other(43, 'b');
    auto read = [](CookieOver over, std::string const& header) { return std::string(session_of_cookies(over, header).value_or("-")); };
    struct {
        std::string header, plain, secure;
    } const rows[] = {
        {"", "-", "-"},
        {"gantry=" + id, id, "-"},
        {"__Host-gantry=" + id, "-", id},
        {"a=b; gantry=" + id + "; __Host-gantry=" + other, id, other},
        {"gantry=" + id + ";gantry=" + other, "-", "-"},
        {"gantry=" + id + "x", "-", "-"},
        {"gantry=" + id.substr(1), "-", "-"},
        {"gantry=\"" + id.substr(2) + "\"", "-", "-"},
        {"gantry", "-", "-"},
        {"gantry2=" + id, "-", "-"},
        {"Gantry=" + id, "-", "-"},
        {";;; ;gantry=" + id + ";;", id, "-"},
    };
    for (auto const& row : rows) {
        EXPECT_EQ(read(CookieOver::plain, row.header), row.plain) << row.header;
        EXPECT_EQ(read(CookieOver::secure, row.header), row.secure) << row.header;
    }
    auto const longest = "x=" + std::string(cookie_bytes_max - 54, 'y') + "; gantry=" + id;
    ASSERT_EQ(longest.size(), cookie_bytes_max - 54 + 2 + 2 + 7 + 43);
    std::string const pad(cookie_bytes_max - longest.size(), ';');
    EXPECT_EQ(read(CookieOver::plain, pad + longest), id);
    EXPECT_EQ(read(CookieOver::plain, ";" + pad + longest), "-");
}

}  // namespace
}  // namespace gantry::auth
