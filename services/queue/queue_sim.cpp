// queue_sim --seeds N [--from S]: runs the queue's world for N seeds on both kinds of log, and prints each that breaks a promise.
#include "services/queue/world_test.h"

int main(int argc, char** argv) { return gantry::sim::world_main(argc, argv, &gantry::queue::make_world); }
