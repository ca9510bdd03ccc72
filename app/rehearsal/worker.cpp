#include "app/rehearsal/worker.h"

namespace gantry::app::rehearsal {
namespace {

bool say(Told const& told, std::ostream& out) {
    out << codec::to_json(told) << '\n' << std::flush;
    return out.good();
}

Told answer(Side& side, std::string const& line) {
    Told told;
    auto asked = codec::from_json<Asked>(line);
    if (!asked) return told.problem = trouble_of(asked.error()), told;
    if (asked->digest_at) {
        auto digest = side.digest_at(*asked->digest_at);
        digest ? void(told.digest = std::move(*digest)) : void(told.problem = trouble_of(digest.error()));
    } else if (asked->get && asked->as_of) {
        auto got = side.get(*asked->get, *asked->as_of);
        got ? void(told.answer = std::move(*got)) : void(told.problem = trouble_of(got.error()));
    } else {
        told.problem = Trouble{400, "rehearsal_malformed", "expected digest_at, or get with as_of", {}};
    }
    return told;
}

}  // namespace

bool speak_for(Side& side, std::istream& in, std::ostream& out) {
    Told hello;
    hello.hello = side.hello();
    if (!say(hello, out)) return false;
    for (std::string line; std::getline(in, line);)
        if (!say(answer(side, line), out)) return false;
    return true;
}

bool say_trouble(Problem const& problem, std::ostream& out) {
    Told told;
    told.problem = trouble_of(problem);
    return say(told, out);
}

}  // namespace gantry::app::rehearsal
