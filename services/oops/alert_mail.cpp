#include "services/oops/alert_mail.h"

#include <fmt/format.h>

namespace gantry::oops {
namespace {

std::string_view words_of(AlertKind kind) {
    switch (kind) {
        case AlertKind::appeared: return "New";
        case AlertKind::regressed: return "Back";
        case AlertKind::frequent: return "Often";
        case AlertKind::spike: return "More than usual";
        case AlertKind::crashing: return "Sessions crash";
    }
    return "Alert";
}

// A subject is one line.
std::string one_line(std::string_view text, std::size_t chars_max) {
    std::string out(text.substr(0, chars_max));
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80 && text.size() > out.size()) out.pop_back();
    if (text.size() > out.size() && !out.empty() && (static_cast<unsigned char>(out.back()) & 0x80) != 0) out.pop_back();
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return out;
}

}  // namespace

std::string page_of(GroupId group, Ctx const& cx) {
    auto const& url = cx.configured<Settings>().public_url;
    if (!url) return {};
    auto base = url->view();
    while (base.ends_with('/')) base.remove_suffix(1);
    return fmt::format("{}/#/oops/groups/g_{}", base, group.n);
}

SendMail alert_mail(Text<3, 254> const& to, ProjectRow const& project, CallHook const& what, Ctx const& cx) {
    auto const title = one_line(what.title.view(), 120);
    std::string text = fmt::format("{}\n\nProject:  {}\n", one_line(what.title.view(), 300), project.name.view());
    if (what.group.n != 0) text += fmt::format("Group:    g_{}\nReport:   {}\n", what.group.n, what.report.view());
    if (!what.release.empty()) text += fmt::format("Release:  {}\n", one_line(what.release.view(), 200));
    text += fmt::format("At:       {}\n", format_time(cx.now));
    if (auto const page = what.group.n != 0 ? page_of(what.group, cx) : std::string(); !page.empty()) text += "\n" + page + "\n";
    return {.to = to,
            .subject = Str(fmt::format("{}: {} ({})", words_of(what.kind), title, one_line(project.name.view(), 50))),
            .text = Str(text),
            .proof = {}};
}

}  // namespace gantry::oops
