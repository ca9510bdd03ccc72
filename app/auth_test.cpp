// gantry auth: who may call, in DATA/<site>/callers.json.
#include <sys/stat.h>

#include <algorithm>

#include "app/cli_fixture_test.h"
#include "kernel/auth/file_callers.h"
#include "kernel/base/time.h"
#include "kernel/log/disk.h"

namespace gantry::app {
namespace {

class Auth : public testing::Test {
   protected:
    Ran auth(std::vector<std::string> arguments, std::string_view in = {}) const {
        arguments.insert(arguments.begin(), "auth");
        arguments.insert(arguments.end(), {"--data", dir / "data"});
        return gantry(arguments, in);
    }
    std::string file(std::string const& site = "main") const { return dir / ("data/" + site + "/callers.json"); }
    // Who a server would take this for: a name, or the code of the refusal.
    std::string known(std::string const& token) const { return told(load()->by_token(token, system_clock().wall())); }
    std::string known(std::string const& name, std::string const& password) const {
        return told(load()->by_password(name, password, system_clock().wall()));
    }
    std::unique_ptr<auth::FileCallers> load() const {
        auto made = auth::FileCallers::make(contents(file()));
        EXPECT_TRUE(made) << made.error().detail;
        return std::move(*made);
    }
    static std::string told(Result<auth::Identity> const& identity) { return identity ? identity->caller->name() : identity.error().code; }
    static std::string line(std::string const& text) { return text.substr(0, text.find('\n')); }
    // The first word of this form in a text.
    static std::string member(std::string const& json, std::string const& name) {
        auto const from = json.find("\"" + name + "\":\"") + name.size() + 4;
        return json.substr(from, json.find('"', from) - from);
    }
    std::string add(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "add");
        auto ran = auth(arguments);
        EXPECT_EQ(ran.code, exit_ok) << ran.err;
        return line(ran.out);
    }
    Directory dir;
};

TEST_F(Auth, ATokenIsPrintedOnceAndKnownThereafter) {
    auto const ran =
        auth({"add",    "ann", "--scope", "tracker:*", "--scope",      "*:read", "--team",    "devs", "--address", "10.0.0.0/8",
              "--rate", "5",   "--burst", "9",         "--concurrent", "2",      "--expires", "90d",  "--note",    "ci"});
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_TRUE(ran.out.starts_with("gnt_")) << ran.out;
    EXPECT_EQ(std::ranges::count(ran.out, '\n'), 1) << "the token alone, for a pipe";
    EXPECT_TRUE(has(ran.err, "ann has the token ") && has(ran.err, "shown once")) << ran.err;
    auto const token = line(ran.out);
    EXPECT_EQ(known(token), "ann");
    EXPECT_FALSE(has(contents(file()), token.substr(17)));
    auto const caller = load()->by_name("ann", {})->caller;
    EXPECT_TRUE(caller->scopes().allow("tracker:write"));
    EXPECT_EQ(caller->limiter().limits(), (auth::RateLimits{5, 9, 2}));
    struct stat made{};
    ASSERT_EQ(::stat(file().c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 0777, 0600u);
    auto const json = auth({"add", "ann", "--json"});
    EXPECT_TRUE(json.out.starts_with(R"({"name":"ann","credentials":[")")) << json.out;
    EXPECT_EQ(known(member(json.out, "token")), "ann");
    EXPECT_EQ(json.err, "");
}

TEST_F(Auth, PasswordsComeByInputOrFileNeverByArgument) {
    EXPECT_EQ(auth({"add", "ann", "--password"}, "correct horse\n").code, exit_ok);
    EXPECT_EQ(known("ann", "correct horse"), "ann");
    EXPECT_FALSE(has(contents(file()), "correct"));
    auto const path = dir.write("secret", "battery staple\r\nmore\n");
    EXPECT_EQ(auth({"add", "bob", "--password-file", path}).code, exit_ok);
    EXPECT_EQ(known("bob", "battery staple"), "bob");
    EXPECT_EQ(auth({"add", "eve", "--password"}).code, exit_usage);
    EXPECT_EQ(auth({"add", "eve", "--password"}, "short\n").code, exit_usage);
    EXPECT_EQ(auth({"add", "eve", "--password", "correct horse"}).code, exit_usage);
    EXPECT_EQ(auth({"add", "eve", "--password-file", dir / "none"}).code, exit_failed);
    EXPECT_EQ(load()->by_name("eve", {}).error().code, "caller_unknown");
    EXPECT_EQ(auth({"rotate", "ann", "--overlap", "0"}, "another horse\n").code, exit_ok);
    EXPECT_EQ(known("ann", "another horse"), "ann");
    EXPECT_EQ(known("ann", "correct horse"), "password_expired");
}

TEST_F(Auth, RotatesRevokesDisablesAndRemoves) {
    auto const first = add({"ann"});
    auto const second = line(auth({"rotate", "ann"}).out);
    EXPECT_EQ(known(first), "ann");
    EXPECT_EQ(known(second), "ann");
    auto const ambiguous = auth({"rotate", "ann"});
    EXPECT_EQ(ambiguous.code, exit_failed);
    EXPECT_TRUE(has(ambiguous.err, "name one: ")) << ambiguous.err;
    EXPECT_EQ(auth({"revoke", first.substr(4, 12)}).code, exit_ok);
    EXPECT_EQ(known(first), "token_revoked");
    EXPECT_EQ(auth({"disable", "ann"}).out, "ann is disabled\n");
    EXPECT_EQ(known(second), "caller_disabled");
    EXPECT_EQ(auth({"enable", "ann"}).out, "ann is enabled\n");
    EXPECT_EQ(known(second), "ann");
    EXPECT_TRUE(has(auth({"revoke", "ann"}).out, second.substr(4, 12)));
    EXPECT_EQ(known(second), "token_revoked");
    EXPECT_TRUE(has(auth({"revoke", "ann"}).out, "nothing to revoke"));
    EXPECT_EQ(auth({"remove", "ann"}).code, exit_ok);
    EXPECT_EQ(known(second), "token_unknown");
    for (auto const* verb : {"rotate", "revoke", "remove", "disable", "enable"}) {
        auto const ran = auth({verb, "ann"});
        EXPECT_EQ(ran.code, exit_failed) << verb;
        EXPECT_TRUE(has(ran.err, "There is no caller")) << ran.err;
    }
}

TEST_F(Auth, CertificatesAreNamed) {
    auto const said = auth({"add", "ann", "--certificate", "ann.example"});
    EXPECT_TRUE(said.out.starts_with("ann has the certificate ")) << said.out << said.err;
    std::vector<std::string_view> const names = {"ann.example"};
    EXPECT_EQ(told(load()->by_certificate(names, system_clock().wall())), "ann");
    EXPECT_EQ(auth({"rotate", "ann"}).code, exit_usage);
    EXPECT_EQ(auth({"rotate", "ann", "--certificate", "new.example"}).code, exit_ok);
}

TEST_F(Auth, WhatIsWrongIsUsageAndChangesNothing) {
    add({"ann"});
    auto const before = contents(file());
    struct {
        std::vector<std::string> given;
        std::string said;
    } const rows[] = {
        {{"add", "a b"}, "1 to 62 characters"},
        {{"add", "ann", "--scope", "x"}, "expected a scope"},
        {{"add", "ann", "--address", "10.0.0.1/8"}, "10.0.0.0/8"},
        {{"add", "ann", "--expires", "soon"}, "--expires"},
        {{"add", "ann", "--expires", "2020-01-01T00:00:00Z"}, "has passed"},
        {{"add", "ann", "--burst", "3"}, "--rate"},
        {{"add", "ann", "--rate", "-1"}, "--rate"},
        {{"add", "ann", "--rate", "10000000"}, "0.001"},
        {{"add", "ann", "--token", "--certificate", "x"}, "one of them"},
        {{"rotate", "ann", "--overlap", "x"}, "--overlap"},
        {{"add", "ann", "--site", "../x"}, "../x"},
        {{"add"}, "NAME"},
    };
    for (auto const& row : rows) {
        auto const ran = auth(row.given);
        EXPECT_TRUE(ran.code == exit_usage || has(row.said, "..")) << row.said << ran.code;
        EXPECT_NE(ran.code, exit_ok);
        EXPECT_TRUE(has(ran.err, row.said)) << ran.err;
        EXPECT_EQ(contents(file()), before) << row.said;
    }
}

TEST_F(Auth, AFileThatOthersReadIsRefused) {
    add({"ann"});
    for (mode_t mode : {0640, 0604, 0620}) {
        ASSERT_EQ(::chmod(file().c_str(), mode), 0);
        for (std::vector<std::string> const& given : {std::vector<std::string>{"ls"}, {"check"}, {"add", "bob"}, {"revoke", "ann"}}) {
            auto const ran = auth(given);
            EXPECT_EQ(ran.code, exit_data);
            EXPECT_TRUE(has(ran.err, "chmod 600 " + file())) << ran.err;
        }
    }
    ASSERT_EQ(::chmod(file().c_str(), 0600), 0);
    EXPECT_EQ(auth({"ls"}).code, exit_ok);
}

TEST_F(Auth, AMalformedFileIsRefusedWithItsPlaces) {
    dir.write("data/main/callers.json", R"({"callers":[{"name":"ann","scope":["*"]}]})");
    ASSERT_EQ(::chmod(file().c_str(), 0600), 0);
    for (std::vector<std::string> const& given : {std::vector<std::string>{"ls"}, {"check"}, {"add", "bob"}, {"rotate", "ann"}}) {
        auto const ran = auth(given);
        EXPECT_EQ(ran.code, exit_data);
        EXPECT_TRUE(has(ran.err, "callers.json is malformed") && has(ran.err, "/callers/0/scope: unknown field")) << ran.err;
    }
    auto const json = auth({"check", "--json"});
    EXPECT_EQ(json.code, exit_data);
    EXPECT_TRUE(json.out.starts_with(R"({"ok":false,"callers":0,"warnings":[],"faults":["/callers/0/scope: unknown field)")) << json.out;
}

TEST_F(Auth, ListsWithoutSecrets) {
    EXPECT_TRUE(has(auth({"ls"}).err, "there is no caller"));
    EXPECT_EQ(auth({"ls", "--json"}).out, "[]\n");
    auto const token = add({"ann", "--scope", "*:read", "--note", "ci"});
    auth({"add", "bob", "--certificate", "bob.example", "--expires", "90d"});
    auth({"disable", "bob"});
    auto const people = auth({"ls"}), json = auth({"ls", "--json"});
    EXPECT_TRUE(people.out.starts_with("CALLER  CREDENTIAL ")) << people.out;
    EXPECT_TRUE(has(people.out, token.substr(4, 12) + "  token ") && has(people.out, "active") && has(people.out, "*:read")) << people.out;
    EXPECT_TRUE(has(people.out, "bob.example") && has(people.out, "disabled")) << people.out;
    EXPECT_TRUE(has(json.out, R"("kind":"token","state":"active")")) << json.out;
    for (auto const& out : {people.out, json.out}) EXPECT_FALSE(has(out, "sha256") || has(out, token)) << out;
}

TEST_F(Auth, ChecksAndWarns) {
    add({"ann", "--scope", "*"});
    EXPECT_EQ(auth({"check"}).out, file() + " is good: 1 callers.\n");
    EXPECT_EQ(auth({"check"}).err, "");
    add({"bob", "--expires", "3d"});
    add({"eve"});
    auth({"revoke", "eve"});
    auto const ran = auth({"check"});
    EXPECT_EQ(ran.code, exit_ok);
    EXPECT_TRUE(has(ran.err, "bob has no scope") && has(ran.err, "expires at") && has(ran.err, "eve has no credential that is valid"))
        << ran.err;
    EXPECT_TRUE(auth({"check", "--json"}).out.starts_with(R"({"ok":true,"callers":3,"warnings":["bob has no scope)"));
}

TEST_F(Auth, EverySiteHasItsOwn) {
    add({"ann", "--site", "acme"});
    EXPECT_TRUE(std::filesystem::exists(file("acme")));
    EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(Auth, WhatRootMakesBelongsToTheOwnerOfTheData) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    std::filesystem::create_directory(dir / "data");
    ASSERT_EQ(::chown((dir / "data").c_str(), 12345, 12346), 0);
    add({"ann"});
    for (auto const* name : {"data/main", "data/main/callers.json", "data/main/callers.lock"}) {
        struct stat found{};
        ASSERT_EQ(::stat((dir / name).c_str(), &found), 0) << name;
        EXPECT_EQ(found.st_uid, 12345u) << name;
        EXPECT_EQ(found.st_gid, 12346u) << name;
    }
    EXPECT_EQ(auth({"add", "bob"}).code, exit_ok);
}

TEST_F(Auth, TwoAtOnceDoNotOverwriteEachOther) {
    add({"ann"});
    auto const lock = log::system_disk().lock(dir / "data/main/callers.lock");
    ASSERT_TRUE(lock);
    auto const ran = auth({"add", "bob"});
    EXPECT_EQ(ran.code, exit_data);
    EXPECT_TRUE(has(ran.err, "in use")) << ran.err;
    EXPECT_EQ(auth({"ls"}).code, exit_ok) << "reading waits for nobody";
}

}  // namespace
}  // namespace gantry::app
