#pragma once
#include "services/oops/report.h"

// Rules of a project on how its reports are grouped: a small language, one rule a line.
//     # what is vendored isn't ours
//     path:*/vendor/* -> in_app:false
//     type:KeyError path:*/legacy/* -> in_app:false
//     message:"timeout *" -> fingerprint: timeout {{ type }}
//     tag.queue:mail !environment:production -> fingerprint: mail {{ default }}
//     type:Http404 -> title: "page not found"
// A line is matchers, all of which must match, `->`, and an action. A pattern is a glob without case: `*` any text, `?` one character; with
// blanks it stands in quotes (`\"` and `\\` inside). `!` before a matcher turns it round.
namespace gantry::oops {

enum class RuleField : std::uint8_t {
    // of a report
    type,
    value,
    message,
    logger,
    level,
    kind,
    release,
    environment,
    topic,
    platform,
    url,
    tag,
    // of a frame
    path,
    module,
    function,
    in_app,
};
enum class RuleAction : std::uint8_t { in_app, not_in_app, fingerprint, title };

struct RuleMatcher {
    RuleField field{};
    bool negated = false;
    std::string tag;  // its key
    std::string pattern;
    bool of_frame() const { return field >= RuleField::path; }
};
struct Rule {
    std::vector<RuleMatcher> matchers;
    RuleAction action{};
    std::vector<std::string> parts;  // of a fingerprint or a title
    std::uint32_t line = 0;
};

struct Rules {
    std::vector<Rule> rules;
    // Problem 400 "rules_invalid" names the line and what would be right there.
    static Result<Rules> parse(std::string_view text);
};
// Of a text that was parsed when it was set; texts that were asked for lately aren't parsed again. For this thread, until it asks for
// another one.
Rules const& rules_of(std::string_view text);

// Frame matchers look at `frame`, or, where there is none, at whether some frame of the report answers all of them.
bool matches(Rule const& rule, Report const& report, Frame const* frame, bool frame_in_app);
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace gantry::oops
