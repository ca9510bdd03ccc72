// Two worlds that differ only in what one viewer may not see must tell that viewer the same bytes: by every route, as of any moment, live,
// in the feed, for refused commands, in headers and errors. Random commands of four people drive both.
#include "kernel/runtime/vault_world_for_test.h"

namespace gantry::vault {
namespace {

constexpr char const* observer = "u_o blue";

class Worlds {
   public:
    Worlds(runtime::ServiceDecl const& decl, std::uint64_t seed) : random_(seed), a_(decl, seed), b_(decl, seed) {}

    // What differed, each as one text; empty: nothing.
    std::vector<std::string> run(int steps, int live_rounds) {
        for (int i = 0; i < steps && differences_.empty(); ++i) {
            act();
            for (int n = 0; n < 3; ++n) look();
            if (below(12) == 0) pass_time();
        }
        for (int i = 0; i < live_rounds && differences_.empty(); ++i) watch();
        return differences_;
    }

   private:
    // Somebody's paper. Dark: its content is not the same in both worlds, and the observer must never learn that it exists.
    struct Known {
        std::string id, owner, team;
        bool dark = false, gone = false;
    };
    std::uint64_t below(std::uint64_t n) { return random_.next() % n; }
    template <class T>
    T const& one_of(std::vector<T> const& from) {
        return from[below(from.size())];
    }
    std::string word() {
        std::string out(1 + below(12), 'a');
        for (char& c : out) c = char('a' + below(4));
        return out;
    }
    std::string someone() { return one_of<std::string>({observer, "u_1 blue,red", "u_2 red", "u_3 green"}); }
    std::string stranger() { return one_of<std::string>({"u_2 red", "u_3 green"}); }
    std::string dark_team() { return one_of<std::string>({"red", "green", ""}); }
    static std::string name_of(std::string const& who) { return who.substr(0, who.find(' ')); }
    static std::string path(std::string const& id) { return "/vault/v1/" + id; }
    static std::string text(std::string const& value) { return R"({"text":")" + value + R"("})"; }
    static std::string team(std::string const& value) { return R"({"team":")" + value + R"("})"; }
    bool observed(Known const& k) const { return !k.gone && !k.dark && (k.team == "blue" || k.owner == observer); }
    client::Headers key() {
        if (below(3) != 0) return {};
        return {{"Idempotency-Key", "key" + std::to_string(below(30))}};
    }

    // The same in both, by whoever; what an observer is told is compared.
    client::Reply same(std::string const& who, std::string const& method, std::string const& target, std::string const& body = {},
                       client::Headers const& headers = {}) {
        auto const a = a_.ask(who, method, target, body, headers), b = b_.ask(who, method, target, body, headers);
        if (who != observer) return a;
        compare(method + " " + target + " " + body, World::bytes(a), World::bytes(b));
        for (auto const& k : known_)
            if (method == "GET" && !observed(k) && a.body.find(k.id) != std::string::npos)
                differences_.push_back(method + " " + target + " tells of " + k.id + ", which isn't for the observer today: " + a.body);
        return a;
    }
    void compare(std::string const& what, std::string const& a, std::string const& b) {
        if (a != b) differences_.push_back(what + "\n--- one world\n" + a + "\n--- the other\n" + b);
    }

    void file(std::string const& who) {
        bool const dark = who != observer && below(2) == 0;
        Known k{{}, dark ? stranger() : who, dark ? dark_team() : one_of<std::string>({"blue", "red", "green", ""}), dark};
        auto const words = word();
        k.id = a_.file(k.owner, words, k.team);
        auto other = std::ranges::find_if(known_, [&](Known const& o) { return o.dark && !o.gone; });
        if (dark && other != known_.end() && below(2) == 0) {
            b_.ask(other->owner, "PATCH", path(other->id), text(word()));  // and this one never was there
            b_.skip_id(), k.gone = true;
        } else if (b_.file(k.owner, dark ? word() : words, k.team) != k.id) {
            differences_.push_back("the worlds are no twins");
        }
        known_.push_back(k);
    }
    // A command of the owner of what the observer doesn't see: another one in each world.
    void darken(Known& k) {
        k.dark = true;
        switch (below(3)) {
            case 0: a_.ask(k.owner, "PATCH", path(k.id), text(word())), b_.ask(k.owner, "PATCH", path(k.id), text(word())); return;
            case 1:
                a_.ask(k.owner, "PATCH", path(k.id), text(word())), b_.ask(k.owner, "POST", path(k.id) + "/team", team(dark_team()));
                return;
            default: a_.ask(k.owner, "DELETE", path(k.id)), b_.ask(k.owner, "PATCH", path(k.id), text(word())), k.gone = true;
        }
    }
    void act() {
        if (known_.size() < 4 || below(4) == 0) return file(someone());
        if (below(3) == 0) return observer_commands();
        Known& k = known_[below(known_.size())];
        if (k.gone) return;
        if (k.dark || (!observed(k) && below(2) == 0)) return darken(k);
        auto const kind = below(8);
        if (kind == 0) {
            same(k.owner, "DELETE", path(k.id), {}, {}), k.gone = true;
        } else if (kind < 4) {
            k.team = one_of<std::string>({"blue", "red", "green", ""});
            same(k.owner, "POST", path(k.id) + "/team", team(k.team));
        } else {
            same(k.owner, "PATCH", path(k.id), text(word()), {});
        }
    }
    // On what may be there, hidden or not there at all.
    void observer_commands() {
        auto& k = known_[below(known_.size())];
        bool const seen = observed(k);
        auto headers = key();
        if (below(3) == 0) headers.emplace_back("If-Match", below(2) == 0 && !etag_.empty() ? etag_ : "*");
        if (below(2) == 0) {
            same(observer, "PATCH", path(k.id), text(word()), headers);
        } else {
            auto const to = one_of<std::string>({"blue", "red", ""});
            auto const given = same(observer, "POST", path(k.id) + "/team", team(to), headers);
            if (seen && given.status == 200 && given.header("Gantry-Replayed").empty()) k.team = to;
        }
        if (!seen && below(2) == 0) expect_absent(k.id, headers);
    }
    // What is hidden is told as what never was.
    void expect_absent(std::string const& id, client::Headers headers) {
        auto const hidden = a_.told(observer, "GET", path(id), {}, headers), absent = a_.told(observer, "GET", path(never), {}, headers);
        compare("GET of what is hidden, and of what is absent", hidden, absent);
        std::erase_if(headers, [](auto const& h) { return h.first == "Idempotency-Key"; });
        compare("DELETE of what is hidden, and of what is absent", a_.told(observer, "DELETE", path(id), {}, headers),
                a_.told(observer, "DELETE", path(never), {}, headers));
        if (b_.ask(observer, "DELETE", path(id), {}, headers).status < 400) differences_.push_back("deleted what is hidden");
    }

    void look() {
        auto const last = a_.host().durable();
        auto const past = last == 0 ? a_.host().position_text(0) : a_.host().position_text(below(last + 1));
        std::string target = "/vault/v1";
        switch (below(6)) {
            case 0: target = path(known_[below(known_.size())].id); break;
            case 1: target += "?text=" + word().substr(0, 1); break;
            case 2: target += "/sum"; break;
            case 3: target += "?limit=" + std::to_string(1 + below(3)) + (cursor_.empty() ? "" : "&cursor=" + cursor_); break;
            case 4: return look_at_feed(past);
            default: break;
        }
        if (below(3) == 0) target += (target.find('?') == target.npos ? "?as_of=" : "&as_of=") + past;
        // Somebody else asked the same before: whatever is kept of that must not be told here.
        auto const other = someone();
        if (other != observer) same(other, "GET", target);
        client::Headers headers;
        if (below(3) == 0 && !etag_.empty()) headers.emplace_back("If-None-Match", etag_);
        auto const reply = same(observer, below(8) == 0 ? "HEAD" : "GET", target, {}, headers);
        if (!reply.header("ETag").empty()) etag_ = reply.header("ETag");
        auto const next = reply.body.find(R"("next":")");
        cursor_ = next == reply.body.npos ? "" : reply.body.substr(next + 8, reply.body.find('"', next + 8) - next - 8);
    }
    void look_at_feed(std::string const& after) {
        std::string target = "/vault/v1/events";
        if (below(2) == 0) target += "?after=" + after + "&limit=" + std::to_string(1 + below(5));
        if (below(4) == 0)
            target += (target.find('?') == target.npos ? "?" : "&") + std::string("subject=") + known_[below(known_.size())].id;
        if (below(4) == 0) target += (target.find('?') == target.npos ? "?" : "&") + std::string("type=burnt,rewritten");
        client::Headers headers;
        if (below(3) == 0)
            headers.emplace_back("Accept", one_of<std::string>({"application/x-ndjson", "application/cloudevents-batch+json"}));
        same(observer, "GET", target, {}, headers);
    }
    void pass_time() {
        auto const now = a_.clock().wall() + Duration::seconds(std::int64_t(1 + below(100)));
        a_.clock().set(now), b_.clock().set(now);
    }

    // Live readers: after changes that are not for them, the next event is that of the next one that is, the same in both worlds.
    void watch() {
        Known mark{{}, observer, ""};
        mark.id = a_.file(observer, "mark", ""), b_.file(observer, "mark", "");
        known_.push_back(mark);
        std::vector<std::string> const targets = {"/vault/v1?limit=1000&live=full", "/vault/v1/sum?live=patch", "/vault/v1/events"};
        std::vector<std::pair<std::unique_ptr<runtime::SseReader>, std::unique_ptr<runtime::SseReader>>> readers;
        for (auto const& target : targets) {
            others_.push_back(a_.read("u_1 blue,red", target));
            readers.emplace_back(a_.read(observer, target), b_.read(observer, target));
        }
        for (auto& [a, b] : readers)
            for (auto* reader : {a.get(), b.get()}) {
                auto event = reader->next();
                while (&a == &readers.back().first && event && event->data.find(mark.id) == std::string::npos) event = reader->next();
            }
        for (int i = 0; i < 5; ++i) {
            Known k{{}, stranger(), dark_team(), true};
            k.id = a_.file(k.owner, word(), k.team), b_.file(k.owner, word(), k.team);
            known_.push_back(k);
            if (below(2) == 0) darken(known_.back());
        }
        same(observer, "PATCH", path(mark.id), text("remarkable" + word()));
        for (std::size_t i = 0; i < readers.size(); ++i) {
            auto const a = readers[i].first->next(), b = readers[i].second->next();
            if (!a || !b) return differences_.push_back("no event of " + targets[i]);
            compare("event of " + targets[i], a->name + a->id + a->data, b->name + b->id + b->data);
            if (i != 1 && a->data.find("remarkable") == std::string::npos)
                differences_.push_back("an event of nothing that the observer may see: " + targets[i] + " " + a->data);
        }
    }

    static constexpr char const* never = "p_00000000000000000000";
    SeededRandom random_;
    World a_, b_;
    std::vector<Known> known_;
    std::vector<std::unique_ptr<runtime::SseReader>> others_;
    std::vector<std::string> differences_;
    std::string cursor_, etag_;
};

TEST(TwoWorlds, WhatAViewerMayNotSeeMakesNoDifference) {
    for (std::uint64_t seed = 1; seed <= rounds(20); ++seed) {
        auto const differences = Worlds(runtime::declare<Service<Leak::none>>(), seed).run(120, seed <= 6 ? 1 : 0);
        for (auto const& difference : differences) ADD_FAILURE() << "seed " << seed << ": " << difference;
        if (!differences.empty()) return;
    }
}

// Each mistake of a service is found, so that the test above can fail.
template <Leak leak>
std::string found(std::string_view where) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed)
        for (auto const& difference : Worlds(runtime::declare<Service<leak>>(), seed).run(120, 0))
            if (difference.find(where) != difference.npos) return {};
    return "not found";
}

TEST(TwoWorlds, EachLeakIsFound) {
    EXPECT_EQ(found<Leak::count>("/vault/v1/sum"), "");
    EXPECT_EQ(found<Leak::feed>("/vault/v1/events"), "");
    EXPECT_EQ(found<Leak::error>("absent"), "");
    EXPECT_EQ(found<Leak::next>("GET /vault/v1"), "");
}

}  // namespace
}  // namespace gantry::vault
