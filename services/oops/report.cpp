#include "services/oops/report.h"
