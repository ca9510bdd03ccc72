// How an operator sees and steers the followers of a service: routes beside its own.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kernel/codec/json.h"
#include "kernel/runtime/follower.h"

namespace gantry::runtime {
namespace {

struct FollowersInput {
    BOOST_DESCRIBE_CLASS(FollowersInput, (), (), (), ())
};
struct FollowerList {
    std::vector<FollowerTold> items;
    BOOST_DESCRIBE_CLASS(FollowerList, (), (items), (), ())
};
struct LettersInput {
    static constexpr bool has_defaults = true;
    std::string source;
    std::int64_t after = 0;
    Limit limit = 100;
    BOOST_DESCRIBE_CLASS(LettersInput, (), (source, after, limit), (), ())
};
enum class LetterState { failed, behind, retry };
BOOST_DESCRIBE_ENUM(LetterState, failed, behind, retry)
struct LetterTold {
    std::int64_t position = 0;
    std::string subject;
    LetterState state = LetterState::failed;
    std::string code, detail;
    Time time{};
    BOOST_DESCRIBE_CLASS(LetterTold, (), (position, subject, state, code, detail, time), (), ())
};
struct LetterList {
    std::vector<LetterTold> items;
    bool complete = true;
    BOOST_DESCRIBE_CLASS(LetterList, (), (items, complete), (), ())
};
struct LetterInput {
    std::string source;
    std::optional<std::int64_t> position;  // absent: all that failed
    BOOST_DESCRIBE_CLASS(LetterInput, (), (source, position), (), ())
};
struct MoveInput {
    std::string source;
    std::string to;  // "begin", "end", or a position of the source
    BOOST_DESCRIBE_CLASS(MoveInput, (), (source, to), (), ())
};
struct Changed {
    std::int64_t changed = 0;
    BOOST_DESCRIBE_CLASS(Changed, (), (changed), (), ())
};

template <class T>
Answer answer(T const& value) {
    return {.body = codec::to_json(value)};
}

Result<FollowDecl const*> declared(Host& host, std::string_view source) {
    auto const& all = host.decl().followers;
    auto const found = std::ranges::find(all, source, &FollowDecl::source);
    if (found == all.end()) return fail(404, "follower_not_found", fmt::format("{} doesn't follow \"{}\"", host.decl().name, source));
    return &*found;
}

Result<Answer> list_followers(Host& host, Bind const& bind) {
    FollowersInput input;
    TRY_VOID(bind(codec::type_of<FollowersInput>(), &input));
    FollowerList list;
    for (auto const& decl : host.decl().followers) {
        auto* desk = host.follower_desk();
        auto const* follower = desk ? desk->find(decl.source) : nullptr;
        if (follower) {
            list.items.push_back(follower->told());
            continue;
        }
        auto const place = host.followed_place(decl.source);
        auto& told = list.items.emplace_back();
        told.source = decl.source, told.state = FollowerState::stopped, told.dead_letters = std::int64_t(place.dead_letters);
        if (place.incarnation != 0) told.position = fmt::format("{}.{}", log::incarnation_text(place.incarnation), place.position);
    }
    return answer(list);
}

Result<Answer> list_letters(Host& host, Bind const& bind) {
    LettersInput input;
    TRY_VOID(bind(codec::type_of<LettersInput>(), &input));
    TRY_VOID(declared(host, input.source));
    auto const followed = host.followed(input.source);
    LetterList list;
    for (auto at = followed.letters().upper_bound(Position(std::max<std::int64_t>(input.after, 0))); at != followed.letters().end(); ++at) {
        if (std::int64_t(list.items.size()) == input.limit) {
            list.complete = false;
            break;
        }
        auto const& [position, letter] = *at;
        list.items.push_back({std::int64_t(position), letter.subject, LetterState(letter.state), letter.code, letter.detail, letter.time});
    }
    return answer(list);
}

void wake(Host& host, std::string_view source) {
    if (auto* desk = host.follower_desk()) desk->wake(source);
}

Result<std::map<Position, DeadLetter>::const_iterator> letter_at(Followed const& followed, std::int64_t position) {
    auto const found = followed.letters().find(Position(position));
    if (found == followed.letters().end()) return fail(404, "dead_letter_not_found", fmt::format("there is no dead letter {}", position));
    return found;
}

void set_to_retry(Followed& followed, Position position, LetterChanges& letters) {
    auto letter = followed.letters().at(position);
    letter.state = DeadLetter::State::retry;
    letters.put(position, letter), followed.put(position, std::move(letter));
}

Result<Answer> retry_letters(Host& host, Bind const& bind) {
    LetterInput input;
    TRY_VOID(bind(codec::type_of<LetterInput>(), &input));
    TRY_VOID(declared(host, input.source));
    Changed changed;
    TRY_VOID(host.change_followed(input.source, [&](Followed& followed, LetterChanges& letters) -> Result<void> {
        std::vector<Position> positions;
        if (input.position) {
            TRY_ASSIGN(auto letter, letter_at(followed, *input.position));
            if (letter->second.state == DeadLetter::State::behind)
                return fail(409, "dead_letter_behind", "it waits behind an earlier one with the same subject: retry or drop that one");
            positions.push_back(letter->first);
        } else {
            for (auto const& [position, letter] : followed.letters())
                if (letter.state == DeadLetter::State::failed) positions.push_back(position);
        }
        for (auto position : positions) set_to_retry(followed, position, letters);
        changed.changed = std::int64_t(positions.size());
        return {};
    }));
    wake(host, input.source);
    return answer(changed);
}

Result<Answer> drop_letters(Host& host, Bind const& bind) {
    LetterInput input;
    TRY_VOID(bind(codec::type_of<LetterInput>(), &input));
    TRY_VOID(declared(host, input.source));
    Changed changed;
    TRY_VOID(host.change_followed(input.source, [&](Followed& followed, LetterChanges& letters) -> Result<void> {
        std::vector<Position> positions;
        if (input.position) {
            TRY_ASSIGN(auto letter, letter_at(followed, *input.position));
            positions.push_back(letter->first);
        } else {
            for (auto const& [position, letter] : followed.letters())
                if (letter.state == DeadLetter::State::failed) positions.push_back(position);
        }
        for (auto position : positions) drop_letter(followed, position, letters);
        changed.changed = std::int64_t(positions.size());
        return {};
    }));
    wake(host, input.source);
    return answer(changed);
}

// Where `to` is in the source.
Result<std::pair<log::Incarnation, Position>> target(FollowSource::Place const& source, std::string_view to) {
    if (source.incarnation == 0) return fail(503, "source_unreachable", "the source was not heard of yet: try again");
    if (to == "begin") return std::pair(source.incarnation, source.begin - 1);
    if (to == "end") return std::pair(source.incarnation, source.durable);
    auto const dot = std::min(to.find('.'), to.size());
    auto const digits = to.substr(std::min(dot + 1, to.size()));
    Position position = 0;
    auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position);
    bool const number = !digits.empty() && error == std::errc() && end == digits.data() + digits.size();
    Problem wrong{400, "request_invalid", "the request has a fault: see errors"};
    if (!number || to.substr(0, dot) != log::incarnation_text(source.incarnation)) {
        wrong.faults.push_back({"/to", fmt::format("expected begin, end, or a position of the source as it is now ({}.{})",
                                                   log::incarnation_text(source.incarnation), source.durable)});
        return fail(std::move(wrong));
    }
    if (position + 1 < source.begin || position > source.durable) {
        wrong.faults.push_back({"/to", fmt::format("the source has events {} to {}", source.begin, source.durable)});
        return fail(std::move(wrong));
    }
    return std::pair(source.incarnation, position);
}

Result<Answer> move(Host& host, Bind const& bind) {
    MoveInput input;
    TRY_VOID(bind(codec::type_of<MoveInput>(), &input));
    TRY_VOID(declared(host, input.source));
    auto* desk = host.follower_desk();
    auto const* follower = desk ? desk->find(input.source) : nullptr;
    if (!follower) return fail(409, "follower_not_running", "the follower doesn't run here, so nobody knows its source");
    TRY_ASSIGN(auto const to, target(follower->source_place(), input.to));
    TRY_VOID(host.change_followed(input.source, [&](Followed& followed, LetterChanges& letters) -> Result<void> {
        if (followed.incarnation != to.first) followed.clear(), letters.clear();
        // What comes again is no dead letter any more.
        while (!followed.letters().empty() && followed.letters().rbegin()->first > to.second) {
            auto const last = followed.letters().rbegin()->first;
            followed.erase(last), letters.erase(last);
        }
        followed.incarnation = to.first, followed.position = to.second;
        return {};
    }));
    desk->wake(input.source);
    return answer(follower->told());
}

template <class Input, class Reply>
RouteDecl kernel_route(std::string_view verb, std::string_view path, RunKernelRoute run, std::string_view doc) {
    bool const command = verb != "GET";
    return {.version = V1,
            .verb = verb,
            .path = path,
            .command = command,
            .scope = command ? ":operate" : ":read",
            .doc = doc,
            .input = &codec::type_of<Input>(),
            .reply = &codec::type_of<Reply>(),
            .kernel = run};
}

}  // namespace

void add_follower_routes(ServiceDecl& decl) {
    auto& routes = decl.routes;
    routes.push_back(kernel_route<FollowersInput, FollowerList>(
        "GET", "/followers", &list_followers,
        "The services that this one follows: how far it came, how far behind it is, and what is wrong."));
    routes.push_back(kernel_route<LettersInput, LetterList>(
        "GET", "/followers/{source}/dead-letters", &list_letters,
        "Events of a source that could not be taken, and those that wait behind one with the same subject."));
    routes.push_back(kernel_route<LetterInput, Changed>("POST", "/followers/{source}/retry", &retry_letters,
                                                        "Take a dead letter again, or all that failed; then those behind it."));
    routes.push_back(kernel_route<LetterInput, Changed>("POST", "/followers/{source}/drop", &drop_letters,
                                                        "Never take a dead letter, or any that failed; those behind it are taken then."));
    routes.push_back(kernel_route<MoveInput, FollowerTold>("POST", "/followers/{source}/move", &move,
                                                           "Go on elsewhere in the source: at its begin, its end, or behind a position. "
                                                           "Events that are passed over never come; those behind the "
                                                           "position come again."));
}

}  // namespace gantry::runtime
