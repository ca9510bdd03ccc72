#include "kernel/runtime/notes_for_test.h"

template gantry::runtime::ServiceDecl gantry::runtime::declare<gantry::notes::Service>();
