#pragma once
#include <compare>
#include <string>
#include <string_view>

#include "kernel/service.h"

// The order of releases, by which a regression is told from an old release that still fails.
namespace gantry::oops {

// How a version is to be compared. A release is `package@version` or a version alone.
enum class ReleaseForm : std::uint8_t {
    semver,   // 1.2.3-rc.1+build (https://semver.org; fewer numbers are filled with 0, a `v` in front goes)
    debian,   // [epoch:]upstream[-revision], with `~` before everything (deb-version(7))
    numbers,  // 20240131, 1.2.3.4
    other,    // a commit's hash, a name: the order of first sight
};
struct Release {
    std::string package, version;
    ReleaseForm form = ReleaseForm::other;
};
Release parse_release(std::string_view text);

// Of two versions of one package: by their numbers where both have such, and else not at all (`unordered`). Two different texts may be
// equivalent: build metadata of semver ("+7") doesn't count.
std::partial_ordering compare_releases(Release const& a, Release const& b);

// A total order for a list of releases of one project. First by package; then by version; equal or incomparable ones by first sight, then
// by text. Versions that a package writes in different forms are compared as deb-version(7) if every one starts with a digit, else by first
// sight, for the whole package: so the order stays total.
struct SeenRelease {
    std::string text;
    Time first_seen;
};
void sort_releases(std::vector<SeenRelease>& releases);

// Of versions as deb-version(7) orders them.
std::strong_ordering compare_debian(std::string_view a, std::string_view b);

}  // namespace gantry::oops
