#include "tests/crash/forgetful_disk.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace gantry::crash {
namespace {

constexpr std::uint64_t sector_bytes = 512;

void enact(Names& names, std::vector<std::pair<std::string, NodePtr>> const& change) {
    for (auto const& [name, node] : change) {
        if (node)
            names[name] = node;
        else
            names.erase(name);
    }
}

void forget_content(Node& file, Random& random, double keep, ForgetfulDisk::Forgotten& out) {
    auto& kept = file.durable;
    if (kept.size() != file.now.size() && random.chance(keep)) kept.resize(file.now.size());
    for (auto sector : file.dirty) {
        auto const at = sector * sector_bytes;
        ++out.sectors;
        if (at >= std::min(kept.size(), file.now.size()) || !random.chance(keep)) continue;
        ++out.sectors_kept;
        auto const n = std::min({sector_bytes, kept.size() - at, file.now.size() - at});
        std::copy_n(file.now.data() + at, n, kept.data() + at);
    }
    file.now = kept;
    file.dirty.clear();
}

void forget_names(Node& directory, Random& random, double keep, ForgetfulDisk::Forgotten& out) {
    for (auto const& change : directory.changes) {
        ++out.changes;
        if (!random.chance(keep)) continue;
        ++out.changes_kept;
        enact(directory.durable_names, change);
    }
    directory.names = directory.durable_names;
    directory.changes.clear();
}

void forget_below(Node& node, Random& random, double keep, ForgetfulDisk::Forgotten& out) {
    if (!node.directory) return forget_content(node, random, keep, out);
    forget_names(node, random, keep, out);
    for (auto const& [name, child] : node.names) forget_below(*child, random, keep, out);
}

}  // namespace

void Node::write(std::uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return;
    if (offset + bytes.size() > now.size()) resize(offset + bytes.size());
    std::ranges::copy(bytes, now.begin() + std::ptrdiff_t(offset));
    for (auto s = offset / sector_bytes; s * sector_bytes < offset + bytes.size(); ++s) dirty.insert(s);
}

void Node::resize(std::uint64_t size) {
    auto const from = std::min<std::uint64_t>(size, now.size());
    now.resize(size);
    for (auto s = from / sector_bytes; s * sector_bytes < size; ++s) dirty.insert(s);
}

void Node::sync() {
    if (directory) return durable_names = names, changes.clear();
    durable.resize(now.size());
    for (auto s : dirty)
        if (auto const at = s * sector_bytes; at < now.size())
            std::copy_n(now.data() + at, std::min<std::uint64_t>(sector_bytes, now.size() - at), durable.data() + at);
    dirty.clear();
}

ForgetfulDisk::ForgetfulDisk() : root_(std::make_shared<Node>()) {
    root_->directory = true, root_->number = 1, root_->mode = S_IFDIR | 0755;
}

NodePtr ForgetfulDisk::find(std::string_view path) const {
    auto node = root_;
    while (node && !path.empty()) {
        path.remove_prefix(1);  // the slash
        auto const name = path.substr(0, path.find('/'));
        path.remove_prefix(name.size());
        if (name.empty()) continue;
        auto found = node->names.find(name);
        node = found == node->names.end() ? nullptr : found->second;
    }
    return node;
}

ForgetfulDisk::Entry ForgetfulDisk::entry_of(std::string_view path) const {
    auto const slash = path.rfind('/');
    return {find(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

void ForgetfulDisk::change(Node& directory, std::vector<std::pair<std::string, NodePtr>> names) {
    enact(directory.names, names);
    directory.changes.push_back(std::move(names));
}

int ForgetfulDisk::make(std::string_view path, mode_t mode, bool directory, NodePtr& made) {
    auto const at = entry_of(path);
    if (!at.parent) return ENOENT;
    if (at.parent->names.contains(at.name)) return EEXIST;
    made = std::make_shared<Node>();
    made->directory = directory, made->number = ++last_number_, made->mode = mode;
    change(*at.parent, {{at.name, made}});
    return 0;
}

int ForgetfulDisk::remove(std::string_view path, bool directory) {
    auto const node = find(path);
    if (!node) return ENOENT;
    if (node->directory != directory) return directory ? ENOTDIR : EISDIR;
    if (!node->names.empty()) return ENOTEMPTY;
    auto const at = entry_of(path);
    change(*at.parent, {{at.name, nullptr}});
    return 0;
}

// Between two directories it is two changes, as on a disk without a journal.
int ForgetfulDisk::rename(std::string_view from, std::string_view to) {
    auto const node = find(from);
    auto const source = entry_of(from), target = entry_of(to);
    if (!node || !target.parent) return ENOENT;
    if (source.parent == target.parent) return change(*source.parent, {{source.name, nullptr}, {target.name, node}}), 0;
    change(*target.parent, {{target.name, node}});
    change(*source.parent, {{source.name, nullptr}});
    return 0;
}

ForgetfulDisk::Forgotten ForgetfulDisk::forget(Random& random, double keep) {
    Forgotten out;
    forget_below(*root_, random, keep, out);
    return out;
}

}  // namespace gantry::crash
