#include "app/observed_store.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

using operation = store_call::operation;

std::uint64_t rows_of(const std::optional<record>& found) { return found ? 1 : 0; }
std::uint64_t rows_of(const std::vector<record>& found) { return found.size(); }
std::uint64_t rows_of(const std::vector<std::optional<record>>& found) {
  return static_cast<std::uint64_t>(
      std::count_if(found.begin(), found.end(), [](const auto& one) { return one.has_value(); }));
}
std::uint64_t rows_of(std::uint64_t counted) { return counted; }

// Does the call, and shows it with what came of it.
template <class Call, class Fill>
auto observe(const observed_store::observer& seen, store_call shown, Call call, Fill fill) {
  auto began = std::chrono::steady_clock::now();
  auto answer = call();
  shown.took = std::chrono::steady_clock::now() - began;
  if (answer) {
    fill(shown, answer);
  } else {
    shown.why = &answer.error();
  }
  seen(shown);
  return answer;
}

constexpr auto with_rows = [](store_call& shown, const auto& answer) { shown.rows = rows_of(*answer); };

}  // namespace

std::string_view to_name(store_call::operation what) {
  switch (what) {
    case operation::get: return "get";
    case operation::get_each: return "get_each";
    case operation::take: return "take";
    case operation::commit: return "commit";
    case operation::erase_grant: return "erase_grant";
    case operation::list: return "list";
    case operation::count: return "count";
    case operation::sweep: return "sweep";
    case operation::check: return "check";
    case operation::count_: break;
  }
  return "";
}

result<std::optional<record>> observed_store::get(std::string_view kind, std::string_view id,
                                                  time_point now) {
  return observe(seen_, {operation::get, kind}, [&] { return behind_->get(kind, id, now); }, with_rows);
}

result<std::vector<std::optional<record>>> observed_store::get_each(std::span<const record_name> names,
                                                                    time_point now) {
  return observe(
      seen_, {operation::get_each, {}, nullptr, names}, [&] { return behind_->get_each(names, now); },
      with_rows);
}

result<std::optional<record>> observed_store::take(std::string_view kind, std::string_view id,
                                                   time_point now) {
  return observe(seen_, {operation::take, kind}, [&] { return behind_->take(kind, id, now); }, with_rows);
}

result<bool> observed_store::commit(const change& wanted, time_point now) {
  return observe(
      seen_, {operation::commit, {}, &wanted}, [&] { return behind_->commit(wanted, now); },
      [&](store_call& shown, const result<bool>& answer) {
        shown.applied = *answer;
        shown.rows = *answer ? wanted.put.size() + wanted.erase.size() : 0;
      });
}

result<std::uint64_t> observed_store::erase_grant(std::string_view grant) {
  return observe(seen_, {operation::erase_grant, {}}, [&] { return behind_->erase_grant(grant); }, with_rows);
}

result<std::vector<record>> observed_store::list(std::string_view kind, time_point now, std::size_t most,
                                                 std::string_view user) {
  return observe(
      seen_, {operation::list, kind}, [&] { return behind_->list(kind, now, most, user); }, with_rows);
}

result<std::uint64_t> observed_store::count(std::string_view kind, time_point now) {
  return observe(seen_, {operation::count, kind}, [&] { return behind_->count(kind, now); }, with_rows);
}

result<std::uint64_t> observed_store::sweep(time_point now, std::size_t most) {
  return observe(seen_, {operation::sweep, {}}, [&] { return behind_->sweep(now, most); }, with_rows);
}

result<void> observed_store::check() {
  return observe(
      seen_, {operation::check, {}}, [&] { return behind_->check(); },
      [](store_call&, const result<void>&) {});
}

}  // namespace mcp_oauth
