#pragma once
#include <memory>
#include <string>

#include "kernel/base/random.h"
#include "kernel/codec/seal.h"
#include "kernel/log/disk.h"

namespace gantry::log {

// The keys of all subjects of a site in one file beside its logs, readable by its owner alone. A new key is synced before it is given out;
// an erased one is overwritten and synced before erase() returns. What a file system or a flash disk keeps of overwritten blocks is beyond
// reach: the data directory belongs on an encrypted one.
//
//     file   = "GANTRYKY" u32 version (1) u32 zero { record } zeros
//     record = u8 state (1 live, 2 erased) u8 zero u16 size of the subject, u32 CRC of key and subject, key (32 bytes), subject
//
// The zeros are room for more keys: 1 MiB at least when has_room() says yes, which makes it. On a full disk it says no.
//
// Problems: "keys_damaged" names the place, "data_format" another version, "disk_failed", "disk_full". A failure to write after that ends
// the process: a key that may not be durable must seal nothing.
Result<std::unique_ptr<codec::SubjectKeys>> open_subject_keys(Disk& disk, std::string path, Random& random);
// The same keys as they are now, for who only reads: the file stays as it is, and what the copy makes or erases is in memory alone. Without
// a file there are no keys.
Result<std::unique_ptr<codec::SubjectKeys>> copy_subject_keys(Disk& disk, std::string path, Random& random);

}  // namespace gantry::log
