// The program `gantry` with one service more: the list of services is this one instead of app/services.cpp.
#include "app/cli.h"
#include "app/services.h"
#include "examples/reminders/reminders.h"
#include "services/tracker/tracker.h"

std::vector<gantry::runtime::ServiceDecl> gantry::app::all_services() {
    return {runtime::declare<tracker::Service>(), runtime::declare<reminders::Service>()};
}

int main(int argc, char** argv) { return gantry::app::run(argc, argv); }
