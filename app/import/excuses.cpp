#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "app/import/autopkgtest.h"

namespace gantry::import {
namespace {

// What is wrong with one item, and where. Thrown inside this file alone, beside yaml-cpp's own.
struct BadItem {
    YAML::Mark mark;
    std::string what;
};

[[noreturn]] void bad(YAML::Node const& node, std::string what) { throw BadItem{node.Mark(), std::move(what)}; }

std::string scalar(YAML::Node const& item, char const* key) {
    YAML::Node const value = item[key];
    if (!value) bad(item, fmt::format("'{}' is missing", key));
    if (!value.IsScalar()) bad(value, fmt::format("'{}': expected a text", key));
    return value.Scalar();
}
std::string scalar_or(YAML::Node const& item, char const* key, std::string otherwise) {
    YAML::Node const value = item.IsMap() ? item[key] : YAML::Node(YAML::NodeType::Undefined);
    return value && value.IsScalar() ? value.Scalar() : std::move(otherwise);
}
// "a, b" of a list of texts; "" when there is none.
std::string joined(YAML::Node const& item, char const* key) {
    std::vector<std::string> texts;
    if (!item || !item.IsMap() || !item[key] || !item[key].IsSequence()) return {};
    for (auto const& one : item[key])
        if (one.IsScalar()) texts.push_back(one.Scalar());
    return fmt::format("{}", fmt::join(texts, ", "));
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return text;
}

// "2022-07-02 20:09:06.890414", in UTC, with or without an offset.
std::optional<Time> generated_at(std::string text) {
    if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
    if (text.find('Z') == text.npos && text.find_first_of("+-", 11) == text.npos) text += 'Z';
    auto time = parse_time(text);
    return time ? std::optional(*time) : std::nullopt;
}

class Excuses {
   public:
    Excuses(std::string file, std::string series, Time at, std::vector<Positioned>& out)
        : file_(std::move(file)), series_(std::move(series)), at_(at), out_(out) {}

    void item(YAML::Node const& item) {
        if (!item.IsMap()) bad(item, "expected an excuse with 'item-name', 'source', …");
        std::string const name = scalar(item, "item-name"), source = scalar(item, "source");
        std::string const fresh = scalar(item, "new-version"), old = scalar_or(item, "old-version", "-");
        bool const removal = fresh == "-";
        std::string const version = removal ? old : fresh;
        Report r = report(source, version, arch_of(name), "proposed");
        r.id = bounded_id(fmt::format("proposed_{}_{}_{}", name, fresh, format_time(at_)));
        if (scalar(item, "is-candidate") == "true") r.result = "candidate";
        r.note = note_of(item, removal, old);
        std::vector<Positioned> found;
        found.push_back({std::move(r), "", file_, std::uint64_t(item.Mark().line + 1)});
        YAML::Node const policies = item["policy_info"];
        if (policies && policies.IsMap() && policies["autopkgtest"]) tests(policies["autopkgtest"], source + "/" + version, found);
        for (auto& one : found) out_.push_back(std::move(one));
    }

   private:
    Report report(std::string const& package, std::string const& version, std::string arch, std::string stage) const {
        Report r{.package = package, .version = version, .arch = std::move(arch), .stage = std::move(stage), .at = at_};
        r.source = package, r.reporter = "excuses";
        if (!series_.empty()) r.series = series_;
        return r;
    }

    // "hello" and "-hello" move the source, "hello/arm64" and "hello/arm64_pu" the binaries of one architecture.
    static std::string arch_of(std::string const& item_name) {
        auto const slash = item_name.find('/');
        if (slash == item_name.npos) return "source";
        std::string const arch = item_name.substr(slash + 1);
        return arch.substr(0, arch.find('_'));
    }

    static std::string note_of(YAML::Node const& item, bool removal, std::string const& old) {
        std::vector<std::string> parts;
        auto add = [&](std::string_view what, std::string const& value) {
            if (!value.empty()) parts.push_back(fmt::format("{}{}", what, value));
        };
        if (removal) parts.push_back("removal");
        if (!removal && old != "-") parts.push_back("from " + old);
        add("", scalar_or(item, "migration-policy-verdict", ""));
        add("reason: ", joined(item, "reason"));
        if (YAML::Node const info = item["policy_info"]; info && info.IsMap() && info["age"] && info["age"].IsMap())
            add("age ",
                fmt::format("{} of {} days", scalar_or(info["age"], "current-age", "?"), scalar_or(info["age"], "age-requirement", "?")));
        add("missing builds: ", joined(item["missing-builds"], "on-architectures"));
        add("blocked by: ", joined(item["dependencies"], "blocked-by"));
        add("after: ", joined(item["dependencies"], "migrate-after"));
        return shortened(fmt::format("{}", fmt::join(parts, "; ")), note_bytes_max);
    }

    void tests(YAML::Node const& tests, std::string const& trigger, std::vector<Positioned>& found) const {
        if (!tests.IsMap()) bad(tests, "'autopkgtest': expected tests by package");
        for (auto const& test : tests) {
            std::string const name = test.first.Scalar();
            if (!test.second.IsMap()) {  // "verdict"
                if (name == "verdict") continue;
                bad(test.second, fmt::format("'{}': expected results by architecture", name));
            }
            auto const slash = name.find('/');
            std::string const package = name.substr(0, slash);
            // Without a version while it runs everywhere: the trigger's own, if it tests itself.
            std::string version = slash == name.npos ? "unknown" : name.substr(slash + 1);
            if (slash == name.npos && trigger.starts_with(package + "/")) version = trigger.substr(package.size() + 1);
            for (auto const& result : test.second)
                found.push_back(one_test(package, version, result.first.Scalar(), result.second, trigger));
        }
    }

    Positioned one_test(std::string const& package, std::string const& version, std::string const& arch, YAML::Node const& result,
                        std::string const& trigger) const {
        if (!result.IsSequence() || result.size() == 0 || !result[0].IsScalar())
            bad(result, fmt::format("'{}': expected [RESULT, log, …]", arch));
        std::string const status = result[0].Scalar();
        Report r = report(package, version, arch, "autopkgtest");
        r.trigger = trigger;
        r.id = bounded_id(fmt::format("autopkgtest_{}_{}_{}_{}_{}", trigger, package, version, arch, format_time(at_)));
        if (!status.starts_with("RUNNING")) r.result = result_of(status);
        if (r.result != lower(status)) r.note = lower(status);
        if (result.size() > 1 && result[1].IsScalar() && result[1].Scalar().starts_with("http")) r.url = result[1].Scalar();
        return {std::move(r), "", file_, std::uint64_t(result.Mark().line + 1)};
    }

    static std::string result_of(std::string const& status) {
        if (status == "REGRESSION" || status == "ALWAYSFAIL" || status == "IGNORE-FAIL") return "fail";
        if (status == "NOTEST") return "neutral";
        return lower(status);  // PASS, FAIL, NEUTRAL
    }

    std::string file_, series_;
    Time at_;
    std::vector<Positioned>& out_;
};

}  // namespace

Result<std::vector<Positioned>> read_excuses(std::string const& yaml, std::string const& file, std::string const& series,
                                             Complaints& complaints) try {
    YAML::Node const root = YAML::Load(yaml);
    auto invalid = [&](std::string what) { return fail(400, "excuses_invalid", fmt::format("{}: {}", file, what)); };
    if (!root.IsMap() || !root["sources"] || !root["sources"].IsSequence())
        return invalid("expected update excuses: 'generated-date' and a list of 'sources'");
    auto const at = generated_at(scalar_or(root, "generated-date", ""));
    if (!at)
        return invalid(fmt::format("'generated-date': expected a time, found '{}'", shortened(scalar_or(root, "generated-date", ""), 60)));
    std::vector<Positioned> found;
    Excuses excuses(file, series, *at, found);
    for (auto const& item : root["sources"]) {
        try {
            excuses.item(item);
        } catch (BadItem const& wrong) {
            complaints.malformed(file, std::uint64_t(wrong.mark.line + 1), wrong.what);
        } catch (YAML::Exception const& wrong) {
            complaints.malformed(file, std::uint64_t(item.Mark().line + 1), wrong.msg);
        }
    }
    return found;
} catch (YAML::Exception const& wrong) {
    return fail(400, "excuses_invalid", fmt::format("{}:{}: {}", file, wrong.mark.line + 1, wrong.msg));
}

}  // namespace gantry::import
