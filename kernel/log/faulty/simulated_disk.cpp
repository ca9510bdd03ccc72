#include "kernel/log/faulty/simulated_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernel/log/file/segment.h"

namespace gantry::log {
namespace {
std::string directory_of(std::string const& path) { return path.substr(0, path.rfind('/')); }
}  // namespace

class SimulatedFile final : public File {
   public:
    SimulatedFile(SimulatedDisk& disk, SimulatedDisk::NodePtr node, std::string path, bool locks)
        : disk_(disk), node_(std::move(node)), path_(std::move(path)), life_(disk.life_), locks_(locks) {}
    ~SimulatedFile() override {
        std::lock_guard lock(disk_.mutex_);
        if (locks_ && life_ == disk_.life_) node_->locked = false;
    }
    Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
        std::lock_guard lock(disk_.mutex_);
        if (gone() || disk_.faulty(disk_.faults_.read, false)) return disk_.failed("read", path_);
        if (offset >= node_->now.size()) return std::size_t{0};
        auto n = std::min<std::size_t>(out.size(), node_->now.size() - std::size_t(offset));
        if (n > 0) std::memcpy(out.data(), node_->now.data() + offset, n);
        return n;
    }
    // A write that fails may have written a part.
    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
        std::lock_guard lock(disk_.mutex_);
        if (gone()) return disk_.failed("write", path_);
        bool fails = disk_.faulty(disk_.faults_.write, true);
        if (fails) bytes = bytes.substr(0, std::size_t(disk_.random_.below(bytes.size() + 1)));
        if (offset + bytes.size() > node_->now.size()) {
            auto grown = disk_.resize(*node_, offset + bytes.size(), path_);
            if (!grown) return grown;
        }
        node_->now.replace(std::size_t(offset), bytes.size(), bytes);
        if (!bytes.empty())
            for (auto s = offset / sector_bytes; s <= (offset + bytes.size() - 1) / sector_bytes; ++s) node_->dirty.insert(s);
        if (fails) return disk_.failed("write", path_);
        return {};
    }
    Result<void> sync() override {
        std::lock_guard lock(disk_.mutex_);
        if (gone()) return disk_.failed("sync", path_);
        bool fails = disk_.faulty(disk_.faults_.sync, true);
        auto& node = *node_;
        if (node.durable.size() != node.now.size()) node.durable.resize(node.now.size(), '\0');
        for (auto s : node.dirty) {
            auto at = std::size_t(s * sector_bytes);
            if (at >= node.now.size() || (fails && disk_.random_.chance(0.5))) continue;
            auto n = std::min<std::size_t>(sector_bytes, node.now.size() - at);
            std::memcpy(node.durable.data() + at, node.now.data() + at, n);
        }
        node.dirty.clear();  // after a failure, too: as Linux does
        if (fails) return disk_.failed("sync", path_);
        return {};
    }
    Result<void> allocate(std::uint64_t bytes) override {
        std::lock_guard lock(disk_.mutex_);
        if (gone() || disk_.faulty(disk_.faults_.write, true)) return disk_.failed("allocate", path_);
        if (bytes <= node_->now.size()) return {};
        return disk_.resize(*node_, bytes, path_);
    }
    Result<void> truncate(std::uint64_t bytes) override {
        std::lock_guard lock(disk_.mutex_);
        if (gone() || disk_.faulty(disk_.faults_.write, true)) return disk_.failed("truncate", path_);
        return disk_.resize(*node_, bytes, path_);
    }
    Result<std::uint64_t> size() override {
        std::lock_guard lock(disk_.mutex_);
        if (gone()) return disk_.failed("stat", path_);
        return node_->now.size();
    }

   private:
    bool gone() const { return life_ != disk_.life_; }
    SimulatedDisk& disk_;
    SimulatedDisk::NodePtr node_;
    std::string path_;
    std::uint64_t life_;
    bool locks_;
};

void SimulatedDisk::set_faults(Faults faults) {
    std::lock_guard lock(mutex_);
    faults_ = faults;
}
void SimulatedDisk::fail_at(std::uint64_t nth_call) {
    std::lock_guard lock(mutex_);
    fail_at_ = nth_call == 0 ? 0 : calls_ + nth_call;
}
std::uint64_t SimulatedDisk::calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
}
void SimulatedDisk::set_capacity(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    capacity_ = bytes;
}
void SimulatedDisk::set_file_system(std::string name) {
    std::lock_guard lock(mutex_);
    file_system_ = std::move(name);
}

std::unexpected<Problem> SimulatedDisk::failed(std::string_view call, std::string const& path, bool full) const {
    Problem p{full ? 507 : 500, full ? "disk_full" : "disk_failed", full ? "The disk is full." : "The disk failed."};
    p.cause = fmt::format("{} {}: simulated", call, path);
    return fail(std::move(p));
}

bool SimulatedDisk::faulty(double probability, bool counted) {
    if (counted && ++calls_ == fail_at_) return true;
    return probability > 0 && random_.chance(probability);
}

std::uint64_t SimulatedDisk::used_locked() const {
    std::uint64_t n = 0;
    for (auto& [path, node] : names_) n += node->now.size();
    return n;
}
std::uint64_t SimulatedDisk::used_bytes() const {
    std::lock_guard lock(mutex_);
    return used_locked();
}

Result<void> SimulatedDisk::resize(Node& node, std::uint64_t size, std::string const& path) {
    auto before = node.now.size();
    if (size > before && used_locked() + (size - before) > capacity_) return failed("allocate", path, true);
    node.now.resize(std::size_t(size), '\0');
    for (auto s = before / sector_bytes; s * sector_bytes < size; ++s) node.dirty.insert(s);
    return {};
}

// A file that was grown or cut has either length; each sector that wasn't synced has either content.
void SimulatedDisk::crash_node(Node& node) {
    if (node.now.size() != node.durable.size()) {
        auto low = std::min(node.now.size(), node.durable.size()), high = std::max(node.now.size(), node.durable.size());
        node.durable.resize(low + std::size_t(random_.below(high - low + 1)), '\0');
    }
    for (auto s : node.dirty) {
        auto at = std::size_t(s * sector_bytes);
        if (at >= node.durable.size() || at >= node.now.size() || random_.chance(0.5)) continue;
        auto n = std::min({std::size_t(sector_bytes), node.durable.size() - at, node.now.size() - at});
        std::memcpy(node.durable.data() + at, node.now.data() + at, n);
    }
    node.now = node.durable;
    node.dirty.clear();
    node.locked = false;
}

void SimulatedDisk::crash() {
    std::lock_guard lock(mutex_);
    ++life_;
    std::set<std::string> names;
    for (auto& [path, node] : names_) names.insert(path);
    for (auto& [path, node] : durable_) names.insert(path);
    for (auto& path : names) {
        auto now = names_.find(path), sure = durable_.find(path);
        NodePtr a = now == names_.end() ? nullptr : now->second, b = sure == durable_.end() ? nullptr : sure->second;
        auto kept = a == b || random_.chance(0.5) ? b : a;
        if (kept)
            durable_[path] = kept;
        else
            durable_.erase(path);
    }
    std::set<Node*> crashed;
    for (auto& [path, node] : durable_)
        if (crashed.insert(node.get()).second) crash_node(*node);
    names_ = durable_;
}

void SimulatedDisk::kill() {
    std::lock_guard lock(mutex_);
    ++life_;
    for (auto& [path, node] : names_) node->locked = false;
}

bool SimulatedDisk::flip_bit(std::string const& path, std::uint64_t offset, int bit) {
    std::lock_guard lock(mutex_);
    auto it = names_.find(path);
    if (it == names_.end() || offset >= it->second->now.size()) return false;
    it->second->now[std::size_t(offset)] ^= char(1 << bit);
    if (offset < it->second->durable.size()) it->second->durable[std::size_t(offset)] ^= char(1 << bit);
    return true;
}

std::vector<std::string> SimulatedDisk::files() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> paths;
    for (auto& [path, node] : names_) paths.push_back(path);
    return paths;
}

Result<std::unique_ptr<File>> SimulatedDisk::open(std::string const& path, Open how) {
    std::lock_guard lock(mutex_);
    auto it = names_.find(path);
    if (how == Open::create_new) {
        if (it != names_.end() || !directories_.contains(directory_of(path)) || faulty(faults_.name, true)) return failed("create", path);
        it = names_.emplace(path, std::make_shared<Node>()).first;
    }
    if (it == names_.end()) return failed("open", path);
    return std::make_unique<SimulatedFile>(*this, it->second, path, false);
}

Result<void> SimulatedDisk::make_directories(std::string const& path) {
    std::lock_guard lock(mutex_);
    for (std::size_t at = 0; at != path.npos;) {
        at = path.find('/', at + 1);
        directories_.insert(path.substr(0, at));
    }
    return {};
}

Result<std::vector<std::string>> SimulatedDisk::list(std::string const& directory) {
    std::lock_guard lock(mutex_);
    std::set<std::string> found;
    auto under = directory + "/";
    auto first_part = [&](std::string const& path) {
        if (path.starts_with(under)) found.insert(path.substr(under.size(), path.find('/', under.size()) - under.size()));
    };
    for (auto& [path, node] : names_) first_part(path);
    for (auto& path : directories_) first_part(path);
    return std::vector(found.begin(), found.end());
}

Result<void> SimulatedDisk::rename(std::string const& from, std::string const& to) {
    std::lock_guard lock(mutex_);
    if (faulty(faults_.name, true)) return failed("rename", from);
    if (directories_.contains(from)) {  // a whole directory, durable at once: only tools do this
        auto moved = [&](std::string const& path) { return path == from || path.starts_with(from + "/"); };
        for (auto* names : {&names_, &durable_}) {
            std::map<std::string, NodePtr> kept;
            for (auto& [path, node] : *names) kept[moved(path) ? to + path.substr(from.size()) : path] = node;
            *names = std::move(kept);
        }
        std::set<std::string> kept;
        for (auto& path : directories_) kept.insert(moved(path) ? to + path.substr(from.size()) : path);
        directories_ = std::move(kept);
        return {};
    }
    auto it = names_.find(from);
    if (it == names_.end()) return failed("rename", from);
    auto node = it->second;
    names_.erase(it);
    names_[to] = node;
    return {};
}

Result<void> SimulatedDisk::remove(std::string const& path) {
    std::lock_guard lock(mutex_);
    if (faulty(faults_.name, true) || names_.erase(path) == 0) return failed("unlink", path);
    return {};
}

Result<void> SimulatedDisk::sync_directory(std::string const& path) {
    std::lock_guard lock(mutex_);
    if (faulty(faults_.sync, true)) return failed("sync", path);
    std::erase_if(durable_, [&](auto& entry) { return directory_of(entry.first) == path; });
    for (auto& [name, node] : names_)
        if (directory_of(name) == path) durable_[name] = node;
    return {};
}

Result<bool> SimulatedDisk::exists(std::string const& path) {
    std::lock_guard lock(mutex_);
    return names_.contains(path) || directories_.contains(path);
}

Result<std::uint64_t> SimulatedDisk::free_bytes(std::string const&) {
    std::lock_guard lock(mutex_);
    auto used = used_locked();
    return capacity_ > used ? capacity_ - used : 0;
}

Result<std::string> SimulatedDisk::file_system(std::string const&) {
    std::lock_guard lock(mutex_);
    return file_system_;
}

Result<std::unique_ptr<File>> SimulatedDisk::lock(std::string const& path) {
    std::lock_guard lock(mutex_);
    auto& node = names_[path];
    if (!node) node = std::make_shared<Node>();
    if (node->locked) return fail(500, "data_locked", "The data is in use by process 1.");
    node->locked = true;
    return std::make_unique<SimulatedFile>(*this, node, path, true);
}

}  // namespace gantry::log
