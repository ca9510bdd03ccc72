#pragma once
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/random.h"

namespace gantry::crash {

// A tree of files in memory of which each knows what a power cut leaves: the content of a file as of its last sync, the names of a
// directory as of its own. One thread at a time. Calls give 0, or an errno.
struct Node;
using NodePtr = std::shared_ptr<Node>;
using Names = std::map<std::string, NodePtr, std::less<>>;

struct Node {
    bool directory = false;
    ino_t number = 0;
    mode_t mode = 0;
    std::int64_t changed_s = 0;

    std::string now, durable;       // of a file
    std::set<std::uint64_t> dirty;  // its sectors of 512 bytes that were written since the sync

    Names names, durable_names;                                         // of a directory
    std::vector<std::vector<std::pair<std::string, NodePtr>>> changes;  // since the sync: each is done whole or not; null: the name is gone

    void write(std::uint64_t offset, std::string_view bytes);
    void resize(std::uint64_t size);
    void sync();
};

class ForgetfulDisk {
   public:
    ForgetfulDisk();
    NodePtr find(std::string_view path) const;  // null: it isn't there
    int make(std::string_view path, mode_t mode, bool directory, NodePtr& made);
    int remove(std::string_view path, bool directory);
    int rename(std::string_view from, std::string_view to);

    struct Forgotten {
        std::uint64_t sectors = 0, sectors_kept = 0, changes = 0, changes_kept = 0;
    };
    // The power is cut: of what wasn't synced each sector, each length and each change of names is kept with the probability `keep`.
    Forgotten forget(Random& random, double keep);

   private:
    struct Entry {
        NodePtr parent;
        std::string name;
    };
    Entry entry_of(std::string_view path) const;
    static void change(Node& directory, std::vector<std::pair<std::string, NodePtr>> names);
    NodePtr root_;
    ino_t last_number_ = 1;
};

}  // namespace gantry::crash
