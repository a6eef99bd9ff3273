#include "doctor/story_bounds.h"

#include "base/json.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace mcp_oauth {
namespace {

// Before they were refused with these, whoever asked had only said which client it is.
constexpr std::array before_the_client_is_known = {
    errc::client_unknown,          errc::client_document_unreachable,  errc::client_document_refused,
    errc::client_document_invalid, errc::client_authentication_failed, errc::parameter_malformed};

bool is_known_client(std::string_view code) {
  return std::none_of(before_the_client_is_known.begin(), before_the_client_is_known.end(),
                      [&](errc one) { return explain(one).id == code; });
}

// Those that are left, ranked by how many their source has.
class ranked {
 public:
  explicit ranked(std::span<const kept_size> newest_first) : all_(newest_first) {}

  void add(std::size_t at) {
    auto& its = of_source_[key(at)];
    if (!its.empty()) ranking_.erase({rank_of(its), key(at)});
    its.push_back(at);
    ranking_.insert({rank_of(its), key(at)});
    bytes_ += all_[at].bytes;
    ++left_;
  }
  bool hold(std::size_t most, std::uint64_t most_bytes) const {
    return left_ == 0 || (left_ <= most && bytes_ <= most_bytes);
  }
  // The oldest of the source that has most.
  std::size_t take() {
    auto top = std::prev(ranking_.end());
    auto source = top->second;
    ranking_.erase(top);
    auto& its = of_source_[source];
    auto at = its.back();
    its.pop_back();
    if (!its.empty()) ranking_.insert({rank_of(its), source});
    bytes_ -= all_[at].bytes;
    --left_;
    return at;
  }

 private:
  using whose = std::pair<std::string_view, bool>;
  // By how many each has; of equals the one whose oldest is older.
  using rank = std::pair<std::size_t, std::size_t>;
  whose key(std::size_t at) const { return {all_[at].source, all_[at].stranger}; }
  static rank rank_of(const std::vector<std::size_t>& its) { return {its.size(), its.back()}; }

  std::span<const kept_size> all_;
  std::map<whose, std::vector<std::size_t>> of_source_;  // the oldest last
  std::set<std::pair<rank, whose>> ranking_;
  std::size_t left_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace

kept_size size_of_story(std::string_view id, std::string_view data) {
  kept_size size{std::string(id), "", data.size(), true};
  auto story = parse_json_object(data);
  if (!story) return size;
  size.source = text_member(*story, "client");
  bool names_client = !text_member(*story, "client_id").empty() || !text_member(*story, "login").empty();
  bool names_user = !text_member(*story, "user").empty();
  size.stranger = !names_user && !(names_client && is_known_client(text_member(*story, "code")));
  return size;
}

std::vector<std::string> surplus(std::span<const kept_size> newest_first, std::size_t most,
                                 std::uint64_t most_bytes) {
  ranked strangers(newest_first);
  for (std::size_t i = 0; i < newest_first.size(); ++i) {
    if (newest_first[i].stranger) strangers.add(i);
  }
  std::vector<bool> gone(newest_first.size());
  std::vector<std::string> going;
  auto go = [&](std::size_t at) {
    gone[at] = true;
    going.push_back(newest_first[at].id);
  };
  // Of very few there is one, at least.
  while (!strangers.hold((most + 3) / 4, most_bytes / 4)) go(strangers.take());
  ranked all(newest_first);
  for (std::size_t i = 0; i < newest_first.size(); ++i) {
    if (!gone[i]) all.add(i);
  }
  while (!all.hold(most, most_bytes)) go(all.take());
  return going;
}

}  // namespace mcp_oauth
