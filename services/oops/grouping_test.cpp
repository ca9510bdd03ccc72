#include <fmt/format.h>

#include "kernel/testing/harness.h"
#include "services/oops/classify.h"
#include "services/oops/fingerprint.h"
#include "services/oops/normal.h"
#include "services/oops/releases.h"
#include "services/oops/secrets.h"

namespace gantry::oops {
namespace {

TEST(Secrets, NamesThatTell) {
    for (auto name : {"password",
                      "DB_PASSWORD",
                      "passwd",
                      "client-secret",
                      "access_token",
                      "X-CSRFToken",
                      "Authorization",
                      "HTTP_COOKIE",
                      "Set-Cookie",
                      "api key",
                      "X-Api-Key",
                      "oauth_signature",
                      "aws_access_key_id",
                      "private.key",
                      "sessionid",
                      "pwd",
                      "auth",
                      "SENTRY_DSN_TOKEN",
                      "sid",
                      "credentials"})
        EXPECT_TRUE(names_a_secret(name)) << name;
    for (auto name : {"", "a", "name", "author", "pass", "max_tokens", "token_count", "tokenizer", "key", "monkey", "cooking", "resid",
                      "passage", "compass", "scope"})
        EXPECT_FALSE(names_a_secret(name)) << name;
    EXPECT_FALSE(names_a_secret("password", {.off = true}));
    EXPECT_TRUE(names_a_secret("Badge-Number", {.also = {"badgenumber"}}));
    EXPECT_FALSE(names_a_secret("X-Token-Name", {.except = {"x_token_name"}}));
}

TEST(Secrets, InTexts) {
    struct {
        std::string_view text, shown;
        std::size_t count;
    } const rows[] = {
        {"card 4111111111111111 used", "card <hidden> used", 1},
        {"card 4111-1111-1111-1111.", "card <hidden>.", 1},
        {"5500 0000 0000 0004", "<hidden>", 1},
        {"id 4111111111111112", "id 4111111111111112", 0},
        {"1795301662754", "1795301662754", 0},
        {"x4111111111111111", "x4111111111111111", 0},
        {"https://ann:pw@h/p", "https://ann:<hidden>@h/p", 1},
        {"https://ann@h/p mail a:b@c", "https://ann@h/p mail a:b@c", 0},
        {"a=1&token=zz&b=2", "a=1&token=<hidden>&b=2", 1},
        {"password='a b' next", "password='<hidden>' next", 1},
        {"token=<hidden>", "token=<hidden>", 0},
        {"Authorization: Bearer abcdefghijklmnopqrst", "Authorization: Bearer <hidden>", 1},
        {"let x = {password: 'a b', \"token\":\"c\"}", "let x = {password: '<hidden>', \"token\":\"<hidden>\"}", 2},
        {"secret = \"s\"", "secret = \"<hidden>\"", 1},
        {"invalid token: end of input", "invalid token: end of input", 0},
        {"a bearer of news", "a bearer of news", 0},
        {"k\n-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\nend", "k\n<hidden>\nend", 1},
        {"-----BEGIN CERTIFICATE-----\nA", "-----BEGIN CERTIFICATE-----\nA", 0},
    };
    for (auto const& row : rows) {
        std::string out(row.text);
        std::string changed;
        if (hide_in_text(row.text, changed)) out = changed;
        EXPECT_EQ(out, row.shown);
        EXPECT_EQ(hide_in_text(row.text, changed), row.count) << row.text;
        std::string again;
        EXPECT_EQ(hide_in_text(out, again), 0u) << "hiding twice changes nothing: " << out;
    }
}

TEST(Normal, WhatDiffersEachTimeGoes) {
    struct {
        std::string_view text, normal;
    } const rows[] = {
        {"<Foo object at 0x7f01ab>: 3 of 12", "<Foo object at <address>>: <int> of <int>"},
        {"no order 01234567-89ab-cdef-0123-456789abcdef here", "no order <uuid> here"},
        {"at 2026-11-21T22:54:22.775Z and 2026-11-21, 22:54:22", "at <time> and <time>, <time>"},
        {"get https://a.b/c?d=1, then (http://x).", "get <url>, then (<url>)."},
        {"to ann.lee+x@mail.example now", "to <email> now"},
        {"a@b", "a@b"},
        {"from 192.0.2.80:443", "from <ip>:<int>"},
        {"key d41d8cd98f00b204e9800998ecf8427e", "key <hash>"},
        {"took 1.5s, 250ms, order_17 utf8 abc", "took <int>s, <int>ms, order_<int> utf8 abc"},
        {"a  \n b\t", "a b"},
        {"in position 3-7: ordinal", "in position <int>-<int>: ordinal"},
        {"SELECT * FROM t WHERE a = 'x''y' AND b IN (1, 2,3) AND \"c1\" = 4",
         "SELECT * FROM t WHERE a = $STRING AND b IN ($INT, …) AND \"c1\" = $INT"},
        {"", ""},
    };
    for (auto const& row : rows) EXPECT_EQ(normal_text(row.text), row.normal) << row.text;
    EXPECT_EQ(normal_sql("select 1 in (1, 2, 3, 4)"), "select $INT in ($INT, …)");
}

TEST(Normal, LongOnesLoseTheirMiddle) {
    auto const text = "start " + std::string(3000, 'x') + " end";
    auto const normal = normal_text(text);
    EXPECT_LE(normal.size(), normal_chars_max + 3);
    EXPECT_TRUE(normal.starts_with("start x") && normal.ends_with("x end"));
    EXPECT_EQ(normal_text(std::string(1000, 'x')).size(), 1000u);
    EXPECT_LE(normal_text(std::string(1 << 20, '7') + "é").size(), 1003u);
}

// Rules

TEST(Rules, AreReadLineByLine) {
    auto const rules = Rules::parse(
        "# vendored\n\n  type:KeyError !path:*/vendor/* -> in_app:false\nmessage:\"timeout *\" -> fingerprint: timeout {{ type }} "
        "{{tag.x}}\n"
        "tag.queue:mail -> title: \"mail \\\"queue\\\"\" {{ topic }}");
    ASSERT_TRUE(rules) << rules.error().detail;
    ASSERT_EQ(rules->rules.size(), 3u);
    EXPECT_EQ(rules->rules[0].line, 3u);
    EXPECT_TRUE(rules->rules[0].matchers[1].negated);
    EXPECT_EQ(rules->rules[1].parts, (std::vector<std::string>{"timeout", "{{ type }}", "{{ tag.x }}"}));
    EXPECT_EQ(rules->rules[2].parts[0], "mail \"queue\"");
}

TEST(Rules, FaultsNameTheLine) {
    struct {
        std::string text, why;
    } const rows[] = {
        {"type:x", "line 1: `->` and an action are missing"},
        {"\n-> fingerprint: x", "line 2: a rule starts with a matcher"},
        {"# a\nnope -> title: x", "line 2: \"nope -> title: x\" is no matcher"},
        {"colour:red -> title: x", "line 1: unknown matcher \"colour\"; known are tag.NAME, type"},
        {"type: -> title: x", "line 1: type has no pattern"},
        {"type:\"x -> title: x", "line 1: a quote is not closed"},
        {"type:x -> paint: red", "line 1: unknown action \"paint: red\""},
        {"type:x -> in_app:maybe", "line 1: in_app is true or false"},
        {"type:x -> in_app:true", "line 1: in_app needs a matcher of frames"},
        {"path:x in_app:1 -> in_app:true", "line 1: in_app is true or false"},
        {"type:x -> fingerprint:", "line 1: the action has no parts"},
        {"type:x -> fingerprint: {{ colour }}", "line 1: unknown variable {{ colour }}"},
        {"type:x -> fingerprint: {{ type", "line 1: {{ is not closed"},
        {"type:" + std::string(501, 'x') + " -> title: x", "line 1: a pattern has at most 500 bytes"},
        {std::string(100'001, '#'), "rules have at most 100000 bytes"},
    };
    for (auto const& row : rows) {
        auto const rules = Rules::parse(row.text);
        ASSERT_FALSE(rules) << row.text.substr(0, 80);
        EXPECT_EQ(rules.error().code, "rules_invalid");
        EXPECT_NE(rules.error().detail.find(row.why), std::string::npos) << rules.error().detail;
    }
    std::string many;
    for (int i = 0; i < 1000; ++i) many += "type:x -> title: y\n";
    EXPECT_TRUE(Rules::parse(many));
    EXPECT_FALSE(Rules::parse(many + "type:x -> title: y\n"));
}

TEST(Rules, Globs) {
    struct {
        std::string_view pattern, text;
        bool fits;
    } const rows[] = {
        {"*", "", true},          {"", "", true},           {"", "a", false},     {"a*c", "abbbc", true},
        {"a*c", "abbb", false},   {"A?c", "aBC", true},     {"a?c", "ac", false}, {"*/vendor/*", "/x/vendor/y/z", true},
        {"*ab*ab", "abab", true}, {"*ab*ab", "abb", false}, {"**x", "yyx", true},
    };
    for (auto const& row : rows) EXPECT_EQ(matches_glob(row.pattern, row.text), row.fits) << row.pattern << " " << row.text;
}

// Fingerprints

Frame frame(std::string_view function, std::string_view file = "/srv/app/a.py", std::string_view line = "") {
    return {.module = "app.a", .function = function, .file = file, .context_line = line};
}
Report failed(std::vector<Frame> frames, std::string_view type = "KeyError", std::string_view value = "no 1") {
    Report r{.id = "OOPS-1X1"};
    r.platform = "python";
    r.exceptions = {{.type = type, .value = value, .frames = std::move(frames)}};
    return r;
}
Rules rules(std::string_view text) { return Rules::parse(text).value(); }

TEST(Fingerprint, LooksAtTypesAndFramesAndNotAtValues) {
    auto const one = fingerprint(failed({frame("f"), frame("g")}));
    EXPECT_EQ(one, fingerprint(failed({frame("f"), frame("g")}, "KeyError", "no 2 at all")));
    EXPECT_EQ(one.how, GroupedBy::exceptions);
    EXPECT_NE(one.app, fingerprint(failed({frame("f"), frame("h")})).app);
    EXPECT_NE(one.app, fingerprint(failed({frame("f"), frame("g")}, "ValueError")).app);
    EXPECT_NE(one.app, fingerprint(failed({frame("fg")})).app);
    auto moved = failed({frame("f"), frame("g")});
    moved.exceptions[0].frames[0].line = 99;
    EXPECT_EQ(one, fingerprint(moved)) << "a line number is no reason for another group";
}

TEST(Fingerprint, WithoutAStackTheNormalValueCounts) {
    EXPECT_EQ(fingerprint(failed({}, "E", "no order 17")), fingerprint(failed({}, "E", "no order 18")));
    EXPECT_NE(fingerprint(failed({}, "E", "no order 17")), fingerprint(failed({}, "E", "no price 17")));
    Report a{.id = "OOPS-1X1"}, b = a;
    a.message = "took 3 s", b.message = "took 4 s";
    EXPECT_EQ(fingerprint(a), fingerprint(b));
    EXPECT_EQ(fingerprint(a).how, GroupedBy::message);
    a.message_template = "took %s", b.message_template = "lasted %s";
    EXPECT_NE(fingerprint(a), fingerprint(b));
    EXPECT_EQ(fingerprint(Report{}).how, GroupedBy::nothing);
}

TEST(Fingerprint, LibrariesCountForSystemAlone) {
    auto const library = frame("call", "/usr/lib/python3/dist-packages/x.py");
    auto const plain = fingerprint(failed({frame("f")})), through = fingerprint(failed({frame("f"), library}));
    EXPECT_EQ(plain.app, through.app);
    EXPECT_NE(plain.system, through.system);
    auto const only = fingerprint(failed({library}));
    EXPECT_NE(only.app, fingerprint(failed({frame("other", "/usr/lib/python3/dist-packages/x.py")})).app)
        << "nothing of the application: all counts";
}

TEST(Fingerprint, RecursionCountsOnce) {
    EXPECT_EQ(fingerprint(failed({frame("f"), frame("f"), frame("f")})), fingerprint(failed({frame("f")})));
}

TEST(Fingerprint, TheClientsOwnWithTheDefaultInside) {
    auto r = failed({frame("f")});
    auto const by_default = fingerprint(r);
    r.fingerprint = {"{{ default }}"};
    EXPECT_EQ(fingerprint(r), by_default);
    r.fingerprint = {"checkout", "{{ default }}"};
    auto const both = fingerprint(r);
    EXPECT_EQ(both.how, GroupedBy::client);
    EXPECT_NE(both.app, by_default.app);
    auto other = failed({frame("g")});
    other.fingerprint = r.fingerprint;
    EXPECT_NE(fingerprint(other).app, both.app);
    r.fingerprint = other.fingerprint = {"checkout"};
    EXPECT_EQ(fingerprint(other), fingerprint(r));
}

TEST(Fingerprint, RulesComeFirst) {
    auto const r = failed({frame("f"), frame("g", "/srv/app/vendor/b.py")});
    auto const out = fingerprint(
        r, rules("type:Other -> fingerprint: x\ntype:Key* -> fingerprint: key {{ type }} {{ value }}\ntype:* -> fingerprint: y"));
    EXPECT_EQ(out.how, GroupedBy::rule);
    EXPECT_EQ(out.rule_line, 2u);
    EXPECT_EQ(out.app, fingerprint(failed({}, "KeyError", "no 7"), rules("type:Key* -> fingerprint: key {{ type }} {{ value }}")).app);
    EXPECT_EQ(fingerprint(r, rules("path:*/vendor/* -> in_app:false")).app, fingerprint(failed({frame("f")})).app);
    EXPECT_EQ(fingerprint(r, rules("path:*/vendor/* -> in_app:false\nfunction:g -> in_app:true")).app, fingerprint(r).app);
    EXPECT_EQ(fingerprint(r, rules("!path:*/vendor/* function:f -> fingerprint: frame")).how, GroupedBy::rule);
    EXPECT_EQ(fingerprint(r, rules("path:*/vendor/* function:f -> fingerprint: frame")).how, GroupedBy::exceptions)
        << "one frame must answer all";
    EXPECT_EQ(fingerprint(r, rules("tag.a:b -> fingerprint: frame")).how, GroupedBy::exceptions);
}

TEST(Fingerprint, FrameKeysByPlatform) {
    struct {
        std::string_view platform;
        Frame frame;
        std::string_view key;
    } const rows[] = {
        {"python", {.module = "a.b", .function = "f", .file = "/x/b.py", .context_line = "  g()  "}, "a.b\nf\ng()"},
        {"python", {.function = "f", .file = "/x/B.py"}, "\nb.py\nf"},
        {"javascript",
         {.module = "m", .function = "f", .file = "http://h/App.3f2a9c01.min.js?v=1", .context_line = "g()"},
         "m\napp.min.js\ng()"},
        {"javascript", {.function = "f", .file = "http://h/app.js"}, "\napp.js\nf"},
        {"node", {.function = "?", .file = "a.mjs"}, "\na.mjs"},
        {"native", {.function = "std::vector<int>::push_back(int const&)"}, "std::vector::push_back"},
        {"native", {.function = "core::run::h0123456789abcdef"}, "core::run"},
        {"native", {.function = "f(int) [clone .part.0]"}, "f"},
        {"native", {.function = "a::(anonymous namespace)::g<T<U>>(x)"}, "a::(anonymous namespace)::g"},
        {"native", {.function = "A::operator()(int) const"}, "A::operator()"},
        {"java", {.module = "com.x.Y", .function = "run"}, "com.x.Y\nrun"},
    };
    for (auto const& row : rows) EXPECT_EQ(frame_key(row.frame, row.platform), row.key);
    Frame const minified{.function = "f", .file = "a.js", .context_line = Phrase(std::string(121, 'x'))};
    EXPECT_EQ(frame_key(minified, "javascript"), "\na.js\nf") << "a minified line tells nothing";
}

TEST(Fingerprint, WhyNamesTheParts) {
    std::vector<std::string> why;
    fingerprint(failed({frame("f")}), {}, &why);
    EXPECT_EQ(why, (std::vector<std::string>{"KeyError", "app.a\nf"}));
}

// Groups last for ever: another value here regroups everything, and needs a new fingerprint_version.
TEST(Fingerprint, IsTheSameForEver) {
    EXPECT_EQ(fingerprint_version, 1u);
    EXPECT_EQ(fmt::format("{:016x}", fingerprint(failed({frame("f"), frame("g")})).app), "55bf41bc4a14b873");
}

TEST(Title, OfAGroup) {
    EXPECT_EQ(title_of(failed({})), "KeyError: no 1");
    EXPECT_EQ(title_of(failed({}, "KeyError", "")), "KeyError");
    EXPECT_EQ(title_of(failed({}, "", "v")), "v");
    EXPECT_EQ(title_of(Report{}), "(no title)");
    EXPECT_EQ(title_of(failed({}, "E", "first\nsecond")), "E: first");
    EXPECT_EQ(title_of(failed({}), rules("type:* -> title: \"missing key\" {{ type }}")), "missing key KeyError");
    auto const long_one = title_of(failed({}, "E", std::string(500, 'x')));
    EXPECT_EQ(codec::scan_utf8(long_one).characters, 200u);
}

// Classes and figures

TEST(Classify, AsTheAncestorsDid) {
    struct {
        std::string_view type;
        int status;
        ReportKind kind;
        ReportClass what;
    } const rows[] = {
        {"KeyError", 0, ReportKind::error, ReportClass::exception},
        {"RequestExpired", 0, ReportKind::error, ReportClass::timeout},
        {"SoftRequestTimeout", 0, ReportKind::error, ReportClass::soft_timeout},
        {"NotFound", 0, ReportKind::error, ReportClass::not_found},
        {"Unauthorized", 0, ReportKind::error, ReportClass::unauthorised},
        {"UserRequestOops", 0, ReportKind::error, ReportClass::user_generated},
        {"X", 404, ReportKind::error, ReportClass::not_found},
        {"X", 403, ReportKind::error, ReportClass::unauthorised},
        {"X", 504, ReportKind::error, ReportClass::timeout},
        {"X", 500, ReportKind::error, ReportClass::exception},
        {"KeyError", 404, ReportKind::informational, ReportClass::informational},
        {"KeyError", 0, ReportKind::remote_warning, ReportClass::remote_warning},
    };
    for (auto const& row : rows) {
        auto r = failed({}, row.type);
        r.kind = row.kind;
        if (row.status) r.status = std::uint16_t(row.status);
        EXPECT_EQ(classify(r), row.what) << row.type << row.status;
    }
}

TEST(Classify, RobotsAndReferrers) {
    EXPECT_TRUE(is_robot("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"));
    EXPECT_TRUE(is_robot("Mine 1", std::vector<std::string>{"mine"}));
    for (auto agent : {"", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0", "Abbott/1"})
        EXPECT_FALSE(is_robot(agent)) << agent;
    struct {
        std::string_view referrer, url;
        bool local;
    } const rows[] = {
        {"https://shop.example/a", "https://shop.example/b", true},
        {"https://www.shop.example/a", "https://api.SHOP.example:8443/b", true},
        {"https://evilshop.example/a", "https://shop.example/b", false},
        {"", "https://shop.example/b", false},
        {"https://10.0.0.1/", "https://11.0.0.1/", false},
        {"https://shop.example@evil.test/", "https://shop.example/", false},
    };
    for (auto const& row : rows) {
        Report r;
        r.referrer = row.referrer, r.url = row.url;
        EXPECT_EQ(has_local_referrer(r), row.local) << row.referrer;
    }
}

TEST(Classify, FiguresOfTheTimeline) {
    Report r;
    r.timeline = {{0, 10, "SQL-main", "SELECT 1", {}},
                  {10, 40, "SQL-main", "SELECT 2", {}},
                  {40, 45, "http", "GET", {}},
                  {45, 46, "SQL-main", "DELETE FROM x", {}}};
    auto facts = facts_of(r);
    EXPECT_EQ(facts.total_ms, 46);
    EXPECT_TRUE(facts.total_is_estimate);
    EXPECT_EQ(facts.statements, 3u);
    EXPECT_EQ(facts.sql_ms, 41);
    EXPECT_EQ(facts.costliest_statement, "SELECT $INT");
    ASSERT_EQ(facts.repeated.size(), 1u);
    EXPECT_EQ(facts.repeated[0].count, 2u);
    EXPECT_EQ(facts.repeated[0].saving_ms, 20);
    r.duration_ms = 99.9;
    facts = facts_of(r);
    EXPECT_EQ(facts.total_ms, 99);
    EXPECT_FALSE(facts.total_is_estimate);
}

// Releases

TEST(Releases, AreRead) {
    struct {
        std::string_view text, package, version;
        ReleaseForm form;
    } const rows[] = {
        {"shop@1.4.2+7", "shop", "1.4.2+7", ReleaseForm::semver},
        {"@scope/shop@v2.0", "@scope/shop", "v2.0", ReleaseForm::semver},
        {"@scope/shop", "", "@scope/shop", ReleaseForm::other},
        {"1:2.3-1~deb12u1", "", "1:2.3-1~deb12u1", ReleaseForm::debian},
        {"20240131", "", "20240131", ReleaseForm::numbers},
        {"1.2.3.4", "", "1.2.3.4", ReleaseForm::numbers},
        {"9b74c9897bac770ffc029102a200c5de", "", "9b74c9897bac770ffc029102a200c5de", ReleaseForm::other},
        {"", "", "", ReleaseForm::other},
    };
    for (auto const& row : rows) {
        auto const r = parse_release(row.text);
        EXPECT_EQ(r.package, row.package) << row.text;
        EXPECT_EQ(r.version, row.version) << row.text;
        EXPECT_EQ(r.form, row.form) << row.text;
    }
}

TEST(Releases, SemverInOrder) {
    std::vector<std::string> const order = {"1.0.0-alpha",
                                            "1.0.0-alpha.1",
                                            "1.0.0-alpha.beta",
                                            "1.0.0-beta",
                                            "1.0.0-beta.2",
                                            "1.0.0-beta.11",
                                            "1.0.0-rc.1",
                                            "1.0.0",
                                            "1.0.1",
                                            "1.2",
                                            "1.10.0",
                                            "2.0.0",
                                            "11111111111111111111.0.0"};
    for (std::size_t i = 0; i < order.size(); ++i)
        for (std::size_t j = 0; j < order.size(); ++j)
            EXPECT_EQ(compare_releases(parse_release("p@" + order[i]), parse_release("p@" + order[j])), i <=> j)
                << order[i] << " " << order[j];
    EXPECT_EQ(compare_releases(parse_release("p@1.0.0+1"), parse_release("p@1.0.0+2")), std::partial_ordering::equivalent);
    EXPECT_EQ(compare_releases(parse_release("p@1.0"), parse_release("q@2.0")), std::partial_ordering::unordered);
    EXPECT_EQ(compare_releases(parse_release("p@abc"), parse_release("p@abd")), std::partial_ordering::unordered);
}

TEST(Releases, DebianInOrder) {
    std::vector<std::string> const order = {"1.0~~", "1.0~~a", "1.0~",     "1.0~rc1-1", "1.0", "1.0-1~bpo1", "1.0-1", "1.0-1+b1",
                                            "1.0-2", "1.0a",   "1.0+dfsg", "1.0.1",     "1.9", "1.10",       "1:0.1"};
    for (std::size_t i = 0; i < order.size(); ++i)
        for (std::size_t j = 0; j < order.size(); ++j)
            EXPECT_EQ(compare_debian(order[i], order[j]), i <=> j) << order[i] << " " << order[j];
    EXPECT_EQ(compare_debian("1.0", "1.0-0"), std::strong_ordering::equal);
    EXPECT_EQ(compare_debian("0:1.00", "1.0"), std::strong_ordering::equal);
}

TEST(Releases, ASortIsTotalWhateverIsMixed) {
    std::vector<SeenRelease> releases = {{"p@2.0.0", {1}}, {"p@1.0.0", {2}},      {"q@abc", {9}},     {"q@1.0", {3}},
                                         {"q@2.0", {1}},   {"p@1.0.0-rc.1", {3}}, {"r@1:1.0-1", {5}}, {"r@2.0.0", {4}}};
    auto sorted = [](std::vector<SeenRelease> list) {
        sort_releases(list);
        std::string out;
        for (auto const& r : list) out += r.text + " ";
        return out;
    };
    auto const expected = "p@1.0.0-rc.1 p@1.0.0 p@2.0.0 q@2.0 q@1.0 q@abc r@2.0.0 r@1:1.0-1 ";
    for (int i = 0; i < 8; ++i) {
        EXPECT_EQ(sorted(releases), expected);
        std::rotate(releases.begin(), releases.begin() + 1, releases.end());
    }
}

}  // namespace
}  // namespace gantry::oops
