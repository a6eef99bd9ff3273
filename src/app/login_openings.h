#pragma once

#include "broker/exchange.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What clients asked for before somebody came to sign in: the call that was answered with 401, the metadata,
// the registration. A sign-in that fails then has its beginning. Of each address the last ones, in a table
// that never grows; who shares a place with another takes it. Safe from every thread; one that would have to
// wait is left out.
class login_openings final {
 public:
  login_openings();
  // `hop`: "gateway" or "metadata".
  void note(std::string_view client, std::string_view hop, std::string_view id, std::int64_t at_ms);
  void registered(std::string_view client, std::string_view client_id, std::string_view id,
                  std::int64_t at_ms);
  // What came of that address, or registered that client, within the last ten minutes; oldest first.
  std::vector<login_step> before(std::string_view client, std::string_view client_id,
                                 std::int64_t now_ms) const;

 private:
  struct event {
    std::int64_t at = 0;
    std::array<char, 13> id{};
    std::uint64_t about = 0;  // of a registration: which client
  };
  struct cell {
    std::uint64_t whose = 0;
    event call, metadata, registration;
  };
  static constexpr std::size_t places = 1024, stripes = 16;
  struct table {
    std::array<cell, places> cells{};
    mutable std::array<std::mutex, stripes> mutexes;
  };
  void write(std::uint64_t whose, event cell::* what, const event& seen);

  std::unique_ptr<table> table_;
};

}  // namespace mcp_oauth
