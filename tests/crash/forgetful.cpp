// A FUSE file system that loses what was not synced: forgetful MOUNTPOINT. Its data is in memory, what was synced too: only this program
// must live through the crash. Says "mounted", then takes lines on standard input until they end:
//     cut                  cuts the power: nothing that wasn't synced will be, and every call fails
//     forget SEED KEEP     with the power on again: KEEP (0 to 1) of what wasn't synced was kept at random; says what there was and was
//     kept
// The processes that use it must have ended before `forget`. It caches nothing in the kernel.
#define FUSE_USE_VERSION 31
#include <fmt/format.h>
#include <fuse3/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

#include "tests/crash/forgetful_disk.h"

namespace gantry::crash {
namespace {

// The disk with the lock that every call holds: FUSE's loop and the commands are two threads.
struct Shared {
    std::mutex mutex;
    ForgetfulDisk disk;
    bool cut = false;
};
Shared& shared() {
    static Shared it;
    return it;
}

NodePtr* handle(fuse_file_info* file) { return reinterpret_cast<NodePtr*>(file->fh); }

NodePtr node_of(char const* path, fuse_file_info* file) {
    if (file && file->fh) return *handle(file);
    return path ? shared().disk.find(path) : nullptr;
}

// Runs `act` on the disk, under the lock; what it gives is FUSE's answer.
template <class Act>
int with_disk(Act&& act) {
    std::lock_guard lock(shared().mutex);
    return shared().cut ? -EIO : act(shared().disk);
}

template <class Act>
int with_node(char const* path, fuse_file_info* file, Act&& act) {
    return with_disk([&](ForgetfulDisk&) {
        auto const node = node_of(path, file);
        return node ? act(*node) : -ENOENT;
    });
}

void keep_open(NodePtr node, fuse_file_info* file) {
    file->fh = reinterpret_cast<std::uint64_t>(new NodePtr(std::move(node)));
    file->direct_io = 1;
}

void* init(fuse_conn_info*, fuse_config* config) {
    config->use_ino = config->nullpath_ok = config->hard_remove = config->direct_io = 1;
    config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
    return nullptr;
}

int get_attributes(char const* path, struct stat* out, fuse_file_info* file) {
    return with_node(path, file, [&](Node& node) {
        *out = {};
        out->st_ino = node.number, out->st_mode = node.mode, out->st_nlink = node.directory ? 2 : 1;
        out->st_size = off_t(node.now.size()), out->st_blocks = off_t((node.now.size() + 511) / 512), out->st_blksize = 4096;
        return 0;
    });
}

int open(char const* path, fuse_file_info* file) {
    return with_node(path, nullptr, [&](Node& node) {
        if (file->flags & O_TRUNC) node.resize(0);
        return keep_open(shared().disk.find(path), file), 0;
    });
}

int create(char const* path, mode_t mode, fuse_file_info* file) {
    return with_disk([&](ForgetfulDisk& disk) {
        NodePtr made;
        if (int error = disk.make(path, S_IFREG | (mode & 0777), false, made)) return -error;
        return keep_open(std::move(made), file), 0;
    });
}

int release(char const*, fuse_file_info* file) { return delete handle(file), 0; }

int read(char const* path, char* out, std::size_t size, off_t offset, fuse_file_info* file) {
    return with_node(path, file, [&](Node& node) {
        if (std::size_t(offset) >= node.now.size()) return 0;
        return int(node.now.copy(out, size, std::size_t(offset)));
    });
}

int write(char const* path, char const* bytes, std::size_t size, off_t offset, fuse_file_info* file) {
    return with_node(path, file, [&](Node& node) { return node.write(std::uint64_t(offset), {bytes, size}), int(size); });
}

int truncate(char const* path, off_t size, fuse_file_info* file) {
    return with_node(path, file, [&](Node& node) { return node.resize(std::uint64_t(size)), 0; });
}

int allocate(char const* path, int mode, off_t offset, off_t size, fuse_file_info* file) {
    if (mode != 0) return -EOPNOTSUPP;
    return with_node(path, file, [&](Node& node) {
        if (auto const end = std::uint64_t(offset + size); end > node.now.size()) node.resize(end);
        return 0;
    });
}

// Takes as long as a disk does, so that many a power cut comes between a write and its sync.
int sync(char const* path, int, fuse_file_info* file) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    return with_node(path, file, [](Node& node) { return node.sync(), 0; });
}

int open_directory(char const* path, fuse_file_info* file) {
    return with_node(path, nullptr, [&](Node&) { return keep_open(shared().disk.find(path), file), 0; });
}

int read_directory(char const* path, void* out, fuse_fill_dir_t fill, off_t, fuse_file_info* file, fuse_readdir_flags) {
    return with_node(path, file, [&](Node& node) {
        constexpr auto plain = fuse_fill_dir_flags(0);
        fill(out, ".", nullptr, 0, plain), fill(out, "..", nullptr, 0, plain);
        for (auto const& [name, child] : node.names) fill(out, name.c_str(), nullptr, 0, plain);
        return 0;
    });
}

int make_directory(char const* path, mode_t mode) {
    NodePtr made;
    return with_disk([&](ForgetfulDisk& disk) { return -disk.make(path, S_IFDIR | (mode & 0777), true, made); });
}

int remove_file(char const* path) {
    return with_disk([&](ForgetfulDisk& disk) { return -disk.remove(path, false); });
}

int remove_directory(char const* path) {
    return with_disk([&](ForgetfulDisk& disk) { return -disk.remove(path, true); });
}

int rename(char const* from, char const* to, unsigned flags) {
    if (flags != 0) return -EINVAL;
    return with_disk([&](ForgetfulDisk& disk) { return -disk.rename(from, to); });
}

int space(char const*, struct statvfs* out) {
    *out = {};
    out->f_bsize = out->f_frsize = 4096, out->f_namemax = 255;
    out->f_blocks = out->f_bfree = out->f_bavail = 1 << 20;
    return 0;
}

int set_times(char const*, timespec const*, fuse_file_info*) { return 0; }

fuse_operations operations() {
    fuse_operations all{};
    all.init = init, all.getattr = get_attributes, all.statfs = space, all.utimens = set_times;
    all.open = open, all.create = create, all.release = release, all.read = read, all.write = write, all.truncate = truncate;
    all.fallocate = allocate, all.fsync = sync, all.unlink = remove_file, all.rename = rename;
    all.mkdir = make_directory, all.rmdir = remove_directory, all.opendir = open_directory;
    all.readdir = read_directory, all.fsyncdir = sync, all.releasedir = release;
    return all;
}

void say(std::string const& line) { std::cout << line << std::endl; }

std::string obey(std::string const& line) {
    std::istringstream in(line);
    std::string verb;
    std::uint64_t seed = 0;
    double keep = 0;
    in >> verb;
    std::lock_guard lock(shared().mutex);
    if (verb == "cut") return shared().cut = true, "cut";
    if (verb != "forget" || !(in >> seed >> keep)) return "expected: cut, or forget SEED KEEP";
    shared().cut = false;
    SeededRandom random(seed);
    auto const f = shared().disk.forget(random, keep);
    return fmt::format("forgot {} {} {} {}", f.sectors, f.sectors_kept, f.changes, f.changes_kept);
}

void take_commands() {
    for (std::string line; std::getline(std::cin, line);) say(obey(line));
}

int serve(char const* program, char const* mountpoint) {
    std::array<char const*, 3> words = {program, "-o", "fsname=forgetful,subtype=forgetful"};
    fuse_args arguments{int(words.size()), const_cast<char**>(words.data()), 0};
    auto const all = operations();
    auto* fuse = fuse_new(&arguments, &all, sizeof all, nullptr);
    if (!fuse) return 1;
    if (fuse_mount(fuse, mountpoint) != 0) return fuse_destroy(fuse), 1;
    std::thread loop([fuse] { fuse_loop(fuse); });
    say("mounted");
    take_commands();
    // fuse_unmount would close what the loop reads from.
    if (umount2(mountpoint, MNT_DETACH) != 0) fuse_unmount(fuse);
    std::_Exit(0);  // not waiting for the loop: it goes on as long as somebody has a file open here
}

}  // namespace
}  // namespace gantry::crash

int main(int count, char** words) {
    if (count != 2) return std::cerr << "forgetful MOUNTPOINT\n", 2;
    return gantry::crash::serve(words[0], words[1]);
}
