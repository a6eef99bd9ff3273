#include "broker/read_ahead.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {

result<void> read_ahead::fetch(std::span<const record_name> names, time_point now) {
  auto all = behind_.get_each(names, now);
  if (!all) return tl::unexpected(all.error());
  for (auto& one : *all) {
    if (one) found_.push_back(std::move(*one));
  }
  return {};
}

result<std::optional<record>> read_ahead::get(std::string_view kind, std::string_view id, time_point now) {
  auto known = std::find_if(found_.begin(), found_.end(),
                            [&](const record& r) { return r.kind == kind && r.id == id && r.expires > now; });
  if (known != found_.end()) return std::optional(*known);
  auto one = behind_.get(kind, id, now);
  if (one && *one) found_.push_back(**one);
  return one;
}

result<std::optional<record>> read_ahead::take(std::string_view kind, std::string_view id, time_point now) {
  forget();
  return behind_.take(kind, id, now);
}

result<bool> read_ahead::commit(const change& wanted, time_point now) {
  forget();
  return behind_.commit(wanted, now);
}

result<std::uint64_t> read_ahead::erase_grant(std::string_view grant) {
  forget();
  return behind_.erase_grant(grant);
}

result<std::vector<record>> read_ahead::list(std::string_view kind, time_point now, std::size_t most,
                                             std::string_view user) {
  return behind_.list(kind, now, most, user);
}

result<std::uint64_t> read_ahead::count(std::string_view kind, time_point now) {
  return behind_.count(kind, now);
}

result<std::uint64_t> read_ahead::sweep(time_point now, std::size_t most) {
  forget();
  return behind_.sweep(now, most);
}

result<void> read_ahead::check() { return behind_.check(); }

}  // namespace mcp_oauth
