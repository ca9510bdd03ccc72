// Several sites behind one port: each is as if it ran alone.
#include "kernel/runtime/sites.h"
#include "kernel/runtime/gate.h"

#include <map>

#include "kernel/runtime/vault_world_for_test.h"

namespace gantry::vault {
namespace {

using runtime::Gate;

std::vector<std::string> const names = {"main", "acme", "beta"};

// The vault of each site, on logs in memory, behind one server.
class Several {
   public:
    explicit Several(std::uint64_t seed) {
        std::vector<runtime::GateSite> sites;
        for (auto const& name : names) {
            auto& site = sites_[name];
            site.random.emplace(seed_of(seed, name));
            runtime::EdgeOptions options;
            options.threads = &threads_, options.clock = &clock_, options.random = &*site.random, options.viewer = &viewer_of;
            auto made = runtime::FakeWorld::make(
                {decl_, clock_, *site.random, nullptr, options,
                 [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); }});
            EXPECT_TRUE(made);
            site.world = std::move(*made);
            sites.push_back({name, &site.world->edge()});
        }
        front_.emplace(std::move(sites), runtime::GateOptions{.threads = &threads_});
        server_.emplace(threads_, *front_);
        url_ = "http://127.0.0.1:" + std::to_string(*server_->listen({}));
        client::Options once;
        once.retries = 0, once.gzip = false;
        session_.emplace(url_, once);
    }
    ~Several() {
        session_.reset();
        server_->stop(Duration::seconds(2));
        server_.reset(), sites_.clear();
    }
    static std::uint64_t seed_of(std::uint64_t seed, std::string const& name) { return hash64(name) + seed; }
    runtime::Host& host(std::string const& site) { return sites_.at(site).world->host(); }
    runtime::FakeClock& clock() { return clock_; }
    std::string const& url() const { return url_; }
    client::Reply ask(std::string const& host, std::string const& method, std::string const& target, std::string const& body = {},
                      client::Headers headers = {}) {
        client::Request request{.method = method, .target = target, .headers = std::move(headers), .body = body};
        request.headers.emplace_back("Host", host);
        if (method != "GET") request.headers.emplace_back("Content-Type", "application/json");
        if (std::ranges::none_of(request.headers, [](auto const& h) { return h.first == "X-Viewer"; }))
            request.headers.emplace_back("X-Viewer", "u_1 blue");
        return session_->send(std::move(request));
    }

   private:
    struct One {
        std::optional<SeededRandom> random;
        std::unique_ptr<runtime::FakeWorld> world;
    };
    runtime::ServiceDecl const decl_ = runtime::declare<Service<Leak::none>>();
    runtime::FakeClock clock_{Time{1'900'000'000'000'000}};
    net::IoThreads threads_{1};
    std::map<std::string, One> sites_;
    std::optional<Gate> front_;
    std::optional<http::Server> server_;
    std::optional<client::Session> session_;
    std::string url_;
};

TEST(SiteNames, AreLabelsAndDirectories) {
    auto const fine = [](std::vector<std::string> const& sites) { return runtime::check_site_names(sites).has_value(); };
    EXPECT_TRUE(fine({"main"}));
    EXPECT_TRUE(fine({"a", "b-2", std::string(63, 'x')}));
    for (auto const& wrong : {"", "Main", "a_b", "a.b", "..", "a/b", "1a", "-a", "a-", "localhost", "é"})
        EXPECT_FALSE(fine({wrong})) << wrong;
    EXPECT_FALSE(fine({std::string(64, 'x')}));
    EXPECT_FALSE(fine({"a", "b", "a"}));
}

TEST(Sites, TheHostSaysWhich) {
    Several several(1);
    auto const body = R"({"text":"of acme","team":""})";
    EXPECT_EQ(several.ask("acme.localhost", "POST", "/vault/v1", body).status, 200);
    auto const has = [&](std::string const& host) {
        return several.ask(host, "GET", "/vault/v1").body.find("of acme") != std::string::npos;
    };
    for (auto host : {"acme.localhost", "acme.localhost:1234", "ACME.LocalHost", "acme.of.localhost"}) EXPECT_TRUE(has(host)) << host;
    for (auto host : {"localhost", "127.0.0.1", "127.0.0.1:80", "[::1]", "main.localhost", "beta.localhost"})
        EXPECT_FALSE(has(host)) << host;
    EXPECT_EQ(several.ask("[::1]", "GET", "/vault/v1").body, several.ask("main.localhost", "GET", "/vault/v1").body) << "the first";
}

TEST(Sites, AnUnknownOneIsToldSoAndNoName) {
    Several several(1);
    for (auto method : {"GET", "POST"}) {
        auto const unknown = several.ask("gamma.localhost", method, "/vault/v1", method == std::string("POST") ? "{}" : "");
        EXPECT_EQ(unknown.status, 421);
        EXPECT_NE(unknown.body.find("site_unknown"), std::string::npos) << unknown.body;
        for (auto name : {"acme", "beta", "main"}) EXPECT_EQ(unknown.body.find(name), std::string::npos) << unknown.body;
    }
    EXPECT_EQ(several.ask("gamma.evil.example", "GET", "/vault/v1").status, 403);
    EXPECT_EQ(several.ask("acme.evil.example", "GET", "/vault/v1").status, 403) << "not this machine's own";
}

TEST(Sites, APageOfOneMayNotCallAnother) {
    Several several(1);
    auto const from = [&](std::string const& origin) {
        return several.ask("acme.localhost", "GET", "/vault/v1", {}, {{"Origin", "http://" + origin}}).status;
    };
    EXPECT_EQ(from("acme.localhost:8080"), 200);
    for (auto origin : {"beta.localhost:8080", "localhost:8080", "gamma.localhost", "127.0.0.1"}) EXPECT_EQ(from(origin), 403) << origin;
}

// One request, and what was told.
struct Asked {
    Time at;
    std::string who, method, target, body;
    client::Headers headers;
    std::string told;
};

// Everything that a log holds.
std::string dump(runtime::Host& host) {
    std::string out;
    auto scanned = host.log().scan(0, [&](log::BatchView const& batch) {
        out += std::to_string(batch.first) + " " + std::to_string(batch.count) + " " + std::to_string(batch.time.us) + " ";
        out.append(batch.caller).append(" ").append(batch.request_id).append(" ").append(batch.events);
        if (batch.idempotency)
            out.append(batch.idempotency->key_hash).append(batch.idempotency->body_hmac).append(batch.idempotency->reply);
        out += "\n";
        return true;
    });
    EXPECT_TRUE(scanned);
    return out;
}

// Random requests of one site after another's, with each other's ids, cursors, keys, ETags and positions.
class Interleaved {
   public:
    explicit Interleaved(std::uint64_t seed) : random_(seed), several_(seed) {}

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            auto const& site = one_of(names);
            Asked asked = next(site);
            auto headers = asked.headers;
            headers.emplace_back("X-Request-Id", "q_same"), headers.emplace_back("X-Viewer", asked.who);
            auto const reply = several_.ask(site + ".localhost", asked.method, asked.target, asked.body, headers);
            asked.told = World::bytes(reply);
            learn(site, reply);
            asked_[site].push_back(std::move(asked));
            if (below(10) == 0) several_.clock().set(several_.clock().wall() + Duration::seconds(std::int64_t(1 + below(100))));
        }
    }
    void expect_each_alone(std::uint64_t seed) {
        for (auto const& site : names) {
            World alone(runtime::declare<Service<Leak::none>>(), Several::seed_of(seed, site));
            for (auto const& asked : asked_[site]) {
                alone.clock().set(asked.at);
                auto headers = asked.headers;
                headers.emplace_back("Host", site + ".localhost");
                ASSERT_EQ(alone.told(asked.who, asked.method, asked.target, asked.body, headers), asked.told)
                    << "seed " << seed << ", " << site << ": " << asked.method << " " << asked.target << " " << asked.body;
            }
            EXPECT_EQ(dump(alone.host()), dump(several_.host(site))) << "seed " << seed << ", " << site;
            EXPECT_EQ(alone.host().digest(), several_.host(site).digest()) << "seed " << seed << ", " << site;
        }
    }
    void expect_nothing_of_another() {
        for (auto const& site : names)
            for (auto const& other : names) {
                if (other == site) continue;
                auto const mark = "of-" + other;
                EXPECT_EQ(dump(several_.host(site)).find(mark), std::string::npos) << site;
                for (auto const& asked : asked_[site])
                    EXPECT_EQ(asked.told.find(mark), std::string::npos) << site << asked.target << asked.told;
            }
    }

   private:
    struct Learnt {
        std::vector<std::string> ids{"p_00000000000000000000"}, etags{"\"0\""}, positions{"0000000000000.1"}, cursors{"x"};
    };
    std::uint64_t below(std::uint64_t n) { return random_.next() % n; }
    template <class T>
    T const& one_of(std::vector<T> const& from) {
        return from[below(from.size())];
    }
    // Mostly of the site itself.
    Learnt& of(std::string const& site) { return learnt_[below(4) == 0 ? one_of(names) : site]; }

    Asked next(std::string const& site) {
        Asked a{several_.clock().wall(), one_of<std::string>({"u_1 blue", "u_2 red"}), "GET", "/vault/v1", {}, {}, {}};
        auto const text = "of-" + site + std::to_string(below(3));  // few, so that the same comes again
        if (below(3) == 0) a.headers.emplace_back("Idempotency-Key", "key" + std::to_string(below(9)));
        if (below(4) == 0) a.headers.emplace_back(one_of<std::string>({"If-Match", "If-None-Match"}), one_of(of(site).etags));
        switch (below(8)) {
            case 0:
            case 1: a.method = "POST", a.body = R"({"text":")" + text + R"(","team":"blue"})"; break;
            case 2: a.method = "PATCH", a.target += "/" + one_of(of(site).ids), a.body = R"({"text":")" + text + R"("})"; break;
            case 3: a.target += "/" + one_of(of(site).ids); break;
            case 4: a.target += "?limit=2&cursor=" + one_of(of(site).cursors); break;
            case 5: a.target += "/sum?as_of=" + one_of(of(site).positions); break;
            case 6: a.target += "/events?after=" + one_of(of(site).positions); break;
            default: break;
        }
        if (a.method == "GET" && below(6) == 0) a.headers.emplace_back("Gantry-After", "vault=" + one_of(of(site).positions));
        return a;
    }
    void learn(std::string const& site, client::Reply const& reply) {
        auto& l = learnt_[site];
        if (auto at = reply.body.find(R"("id":"p_)"); at != reply.body.npos) l.ids.push_back(reply.body.substr(at + 6, 22));
        if (auto at = reply.body.find(R"("next":")"); at != reply.body.npos)
            l.cursors.push_back(reply.body.substr(at + 8, reply.body.find('"', at + 8) - at - 8));
        if (!reply.header("ETag").empty()) l.etags.emplace_back(reply.header("ETag"));
        if (!reply.header("Gantry-Position").empty()) l.positions.emplace_back(reply.header("Gantry-Position"));
    }

    SeededRandom random_;
    Several several_;
    std::map<std::string, Learnt> learnt_;
    std::map<std::string, std::vector<Asked>> asked_;
};

TEST(Sites, InterleavedTheyAreAsIfEachRanAlone) {
    for (std::uint64_t seed = 1; seed <= rounds(10); ++seed) {
        Interleaved all(seed);
        all.run(400);
        all.expect_each_alone(seed);
        all.expect_nothing_of_another();
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(Sites, ALiveReaderHearsOfItsOwnSiteAlone) {
    Several several(1);
    auto reader = [&](std::string const& site, std::string const& target) {
        return std::make_unique<runtime::SseReader>(several.url(), target, "Accept: text/event-stream\r\nX-Viewer: u_1 blue\r\n",
                                                    site + ".localhost");
    };
    auto acme = reader("acme", "/vault/v1/sum"), beta = reader("beta", "/vault/v1/sum"), feed = reader("acme", "/vault/v1/events");
    EXPECT_EQ(acme->next()->data, R"({"papers":0,"letters":0})");
    EXPECT_EQ(beta->next()->data, R"({"papers":0,"letters":0})");
    several.ask("beta.localhost", "POST", "/vault/v1", R"({"text":"of beta","team":"blue"})");
    EXPECT_EQ(beta->next()->data, R"({"papers":1,"letters":7})");
    several.ask("acme.localhost", "POST", "/vault/v1", R"({"text":"acme's","team":"blue"})");
    EXPECT_EQ(acme->next()->data, R"({"papers":1,"letters":6})") << "and nothing before it";
    EXPECT_NE(feed->next()->data.find("acme's"), std::string::npos);
}

}  // namespace
}  // namespace gantry::vault
