#pragma once
#include <string>

#include "kernel/text/index.h"

namespace Xapian {
class Database;
}
namespace gantry::text {

// `shared`: the database of an index in memory. Else the directory's is opened.
Result<Reader> make_reader(std::string directory, Schema schema, Options options, Xapian::Database const* shared);

}  // namespace gantry::text
