#pragma once

#include <cstddef>
#include <string>

namespace mcp_oauth {

// Bytes from the operating system's generator, seeded and reseeded by OpenSSL. Safe from every thread and
// after a fork. Ends the process when there are none to be had: nothing may be minted from less. What
// `random_fn` is given outside tests.
std::string random_bytes(std::size_t count);

}  // namespace mcp_oauth
