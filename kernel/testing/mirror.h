#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/runtime/service_decl.h"
#include "kernel/testing/bench_of_one.h"

namespace gantry::testing {

// The same service once more behind a socket: what a test asks in its own process is asked there too, and must be answered alike. Which
// one, the environment says: GANTRY_ASK=fake a Fake, GANTRY_ASK=server the edge and host on a log in files. A mirror's only caller is
// u_local, as that of every open server.
class Mirror {
   public:
    static bool wanted();
    // `settings` outlives it.
    static std::unique_ptr<Mirror> make(runtime::ServiceDecl const& decl, void const* settings, Time now);
    virtual ~Mirror() = default;

    // The service records what time alone brings about.
    virtual void set_clock(Time now) = 0;
    virtual void restart() = 0;
    // Asks it, and compares its answer with the one that the host gave.
    void expect_same(runtime::Host const& host, std::string_view verb, std::string_view target, std::string_view body,
                     Headers const& headers, Reply const& reply);

   protected:
    virtual std::string const& url() const = 0;
    virtual std::string incarnation() = 0;

   private:
    std::map<std::string, std::string, std::less<>> etags_;  // of the host, and of the mirror
};

}  // namespace gantry::testing
